package erasure_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
	"github.com/pioneerdesk/tomkit/rls/tenant"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, pgtest.LeakOptions()...) }

// desk is a product with a table for each way in which rows go: by time, by day, partitioned, anonymised, referenced with
// and without an action, kept by law; and one whose names want to be SQL.
var desk = rls.Source{Name: "desk", FS: fstest.MapFS{"00001_desk.sql": {Data: []byte(`-- +goose Up
CREATE SCHEMA desk;
GRANT USAGE ON SCHEMA desk TO tomkit_app, tomkit_msp, tomkit_system, tomkit_backup;
CREATE TABLE desk.users (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE, id uuid NOT NULL, name text NOT NULL,
    password_hash text NOT NULL, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE desk.sessions (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE, id uuid NOT NULL, user_id uuid NOT NULL,
    token text NOT NULL, ended_at timestamptz, PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES desk.users (tenant_id, id) ON DELETE CASCADE);
CREATE TABLE desk.tickets (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE, id uuid NOT NULL, reporter_id uuid,
    assignee_id uuid, title text NOT NULL, status text NOT NULL, closed_at timestamptz, PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, reporter_id) REFERENCES desk.users (tenant_id, id),
    FOREIGN KEY (tenant_id, assignee_id) REFERENCES desk.users (tenant_id, id) ON DELETE SET NULL (assignee_id));
CREATE TABLE desk.comments (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE, id uuid NOT NULL, ticket_id uuid NOT NULL,
    author_id uuid NOT NULL, body text NOT NULL, PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES desk.tickets (tenant_id, id) ON DELETE CASCADE);
CREATE TABLE desk.orders (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE, id uuid NOT NULL, at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id));
CREATE TABLE desk.order_lines (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE, id uuid NOT NULL, order_id uuid NOT NULL, at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id), FOREIGN KEY (tenant_id, order_id) REFERENCES desk.orders (tenant_id, id));
CREATE TABLE desk.events (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE, at timestamptz NOT NULL, id uuid NOT NULL, what text NOT NULL,
    PRIMARY KEY (tenant_id, at, id)) PARTITION BY RANGE (at);
CREATE TABLE desk.events_old PARTITION OF desk.events FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE desk.events_new PARTITION OF desk.events FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
CREATE TABLE desk.scores (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE, day date NOT NULL, score int NOT NULL, PRIMARY KEY (tenant_id, day));
CREATE TABLE desk.visits (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE, id uuid NOT NULL, at timestamptz NOT NULL,
    visitor uuid, address text NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE desk.invoices (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE, id uuid NOT NULL, customer text NOT NULL, cents int NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE desk."a;DROP TABLE desk.users;--""" (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE, id uuid NOT NULL, "at"";SELECT 1" timestamptz NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE desk.loose (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id)); -- no foreign key to tenants
-- +goose StatementBegin
DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'desk'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition LOOP
        PERFORM tomkit.protect(t);
    END LOOP;
END $$;
-- +goose StatementEnd
`)}}}

// odd is the table whose names want to be SQL.
const (
	odd     = `desk.a;DROP TABLE desk.users;--"`
	oddTime = `at";SELECT 1`
)

func text(s string) erasure.Text { return erasure.Text{DE: s + " (de)", EN: s} }

func category(id, period string, tables ...erasure.Table) erasure.Category {
	c := erasure.Category{
		ID: id, Name: text(id), Purpose: text("running " + id), Basis: text("Art. 6(1)(b)"), Subjects: text("staff"), Recipients: text("nobody"), Tables: tables,
	}
	if period == "" {
		c.Retention.Note = text("until the contract ends")
	} else {
		c.Retention.Period = period2(period)
	}
	return c
}

func period2(s string) erasure.Period {
	p, err := erasure.ParsePeriod(s)
	if err != nil {
		panic(err)
	}
	return p
}

// register is the desk's record of processing.
func register() *erasure.Register {
	tickets := category("tickets", "P1Y",
		erasure.Table{Name: "desk.tickets", Time: "closed_at", Where: []erasure.Condition{{Column: "status", Test: erasure.OneOf, Values: []string{"closed", "rejected"}}},
			People: []erasure.Person{{Column: "reporter_id", Erase: erasure.Anonymise}, {Column: "assignee_id", Erase: erasure.Cascade}}},
		erasure.Table{Name: "desk.comments", People: []erasure.Person{{Column: "author_id", Erase: erasure.Anonymise,
			Replace: map[string]erasure.Replacement{"author_id": erasure.Pseudonym(), "body": erasure.Fixed("[gelöscht]")}}}},
	)
	tickets.Retention.Min, tickets.Retention.Max = period2("P30D"), period2("P3Y")
	return &erasure.Register{
		Controller: "Desk GmbH", Measures: text("TOM 6.0"), People: "desk.users",
		Categories: []erasure.Category{
			category("people", "", erasure.Table{Name: "desk.users", Secret: []string{"note"}, People: []erasure.Person{{Column: "id", Erase: erasure.Delete}}}),
			category("sessions", "P30D", erasure.Table{Name: "desk.sessions", Time: "ended_at", People: []erasure.Person{{Column: "user_id", Erase: erasure.Cascade}}}),
			tickets,
			category("orders", "P10D", erasure.Table{Name: "desk.orders", Time: "at"}, erasure.Table{Name: "desk.order_lines", Time: "at"}),
			category("events", "P90D", erasure.Table{Name: "desk.events", Time: "at"}, erasure.Table{Name: "desk.scores", Time: "day"}),
			category("visits", "PT36H", erasure.Table{Name: "desk.visits", Time: "at",
				Anonymise: map[string]erasure.Replacement{"visitor": erasure.Null(), "address": erasure.Fixed("")},
				People:    []erasure.Person{{Column: "visitor", Erase: erasure.Delete}}}),
			category("invoices", "", erasure.Table{Name: "desk.invoices", People: []erasure.Person{{Column: "customer", Erase: erasure.Keep, Why: text("§ 147 AO")}}}),
			category("oddities", "P7D", erasure.Table{Name: odd, Time: oddTime}),
		},
		Exempt: append(ledgerTables(),
			erasure.Exemption{Table: "tomkit.tenants", Why: text("the tenant itself")},
			erasure.Exemption{Table: "tomkit.tenant_hosts", Why: text("the tenant's host names")},
			erasure.Exemption{Table: "tomkit.msps", Why: text("not a tenant")},
			erasure.Exemption{Table: "tomkit.operators", Why: text("not a tenant")},
			erasure.Exemption{Table: "desk.loose", Why: text("technical")},
		),
	}
}

func ledgerTables() (all []erasure.Exemption) {
	for _, name := range []string{"audit_logs", "ledger_heads", "ledger_logs", "ledger_keys", "ledger_openings", "ledger_tiles", "ledger_checkpoints",
		"ledger_redactions", "ledger_evidence", "ledger_closings"} {
		all = append(all, erasure.Exemption{Table: "tomkit." + name, Why: text("the ledger"), Stays: true})
	}
	return all
}

// noon is the present of most tests. It is in the past: the ledger refuses entries of the future.
var noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

// kit is an installation of the desk with two tenants, and a ledger.
type kit struct {
	pg       *pgtest.DB
	db       *rls.DB
	super    *pgxpool.Pool
	recorder *recorder
	sealer   *seal.Ring
	operator uuid.UUID
	a, b     uuid.UUID
}

// recorder is the ledger, or fails where a test wants it to.
type recorder struct {
	*pgledger.Log
	fail  atomic.Pointer[func(record.Event) error]
	calls atomic.Int64
}

var errRecorder = errors.New("the ledger is out of order")

func (r *recorder) RecordTx(ctx context.Context, tx *rls.Tx, ev record.Event) error {
	r.calls.Add(1)
	if f := r.fail.Load(); f != nil {
		if err := (*f)(ev); err != nil {
			return err
		}
	}
	return r.Log.RecordTx(ctx, tx, ev)
}

// failing makes the recorder refuse the events of one action.
func (r *recorder) failing(action string) {
	f := func(ev record.Event) error {
		if ev.Action == action {
			return errRecorder
		}
		return nil
	}
	r.fail.Store(&f)
}

// working ends that.
func (r *recorder) working() { r.fail.Store(nil) }

func newKit(t testing.TB) *kit {
	t.Helper()
	return newKitConfig(t, rls.Config{MaxConns: 10})
}

func newKitConfig(t testing.TB, cfg rls.Config) *kit {
	t.Helper()
	k := &kit{pg: pgtest.New(t, rls.Migrations(), tenant.Migrations(), pgledger.Migrations(), erasure.Migrations(), desk)}
	k.super = k.pg.Superuser(t)
	k.operator = k.pg.Operator(t)
	k.a, k.b = k.pg.Tenant(t, "alpha"), k.pg.Tenant(t, "beta")
	k.db = k.pg.OpenConfig(t, cfg)
	ring, err := seal.New(seal.Config{Active: seal.Key{Bytes: []byte("0123456789abcdef0123456789abcdef")}})
	require.NoError(t, err)
	log, err := pgledger.Open(context.Background(), k.db, pgledger.Config{Domain: "log.example.org", Sealer: ring})
	require.NoError(t, err)
	t.Cleanup(log.Close)
	k.recorder, k.sealer = &recorder{Log: log}, ring
	return k
}

// eraser returns an Eraser at noon, changed by options.
func (k *kit) eraser(t testing.TB, options ...func(*erasure.Config)) *erasure.Eraser {
	t.Helper()
	cfg := erasure.Config{DB: k.db, Record: k.recorder, Register: register(), Now: func() time.Time { return noon }, Backoff: time.Microsecond}
	for _, o := range options {
		o(&cfg)
	}
	e, err := erasure.New(cfg)
	require.NoError(t, err)
	return e
}

func (k *kit) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	_, err := k.super.Exec(context.Background(), sql, args...)
	require.NoError(t, err)
}

func (k *kit) count(t testing.TB, sql string, args ...any) (n int64) {
	t.Helper()
	require.NoError(t, k.super.QueryRow(context.Background(), sql, args...).Scan(&n))
	return n
}

// entries counts a tenant's ledger entries of an action.
func (k *kit) entries(t testing.TB, tenant uuid.UUID, action string) int64 {
	t.Helper()
	return k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = $2`, tenant, action)
}

// tables lists every table of the product, the tenants and the ledger.
func (k *kit) tables(t testing.TB) []string {
	t.Helper()
	rows, err := k.super.Query(context.Background(), `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('tomkit', 'desk') AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return names
}

// checksums returns a sum over all rows of every table but those that skip names.
func (k *kit) checksums(t testing.TB, skip ...string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for _, table := range k.tables(t) {
		var all string
		require.NoError(t, k.super.QueryRow(context.Background(), `SELECT coalesce(string_agg(x::text, E'\n' ORDER BY x::text), '') FROM `+table+` x`).Scan(&all))
		sums[table] = fmt.Sprintf("%x", md5.Sum([]byte(all)))
	}
	for _, name := range skip {
		delete(sums, name)
	}
	return sums
}

// person makes a user with rows in every table that can name one.
type person struct{ id, ticket, assigned uuid.UUID }

func (k *kit) person(t testing.TB, tenant uuid.UUID, name string) person {
	t.Helper()
	p := person{uuid.New(), uuid.New(), uuid.New()}
	other := uuid.New()
	k.exec(t, `INSERT INTO desk.users VALUES ($1, $2, $3, 'argon2-`+name+`', 'note-`+name+`'), ($1, $4, 'colleague', 'argon2-other', null)`, tenant, p.id, name, other)
	k.exec(t, `INSERT INTO desk.sessions VALUES ($1, gen_random_uuid(), $2, 'token-`+name+`', null), ($1, gen_random_uuid(), $2, 'token-`+name+`', $3)`, tenant, p.id, noon)
	k.exec(t, `INSERT INTO desk.tickets VALUES ($1, $2, $4, $5, 'reported', 'open', null), ($1, $3, $5, $4, 'assigned', 'open', null)`, tenant, p.ticket, p.assigned, p.id, other)
	k.exec(t, `INSERT INTO desk.comments VALUES ($1, gen_random_uuid(), $2, $4, 'by `+name+`'), ($1, gen_random_uuid(), $3, $4, 'too'), ($1, gen_random_uuid(), $2, $5, 'by a colleague')`, tenant, p.ticket, p.assigned, p.id, other)
	k.exec(t, `INSERT INTO desk.visits VALUES ($1, gen_random_uuid(), $3, $2, '192.0.2.1')`, tenant, p.id, noon)
	k.exec(t, `INSERT INTO desk.invoices VALUES ($1, gen_random_uuid(), $2, 100)`, tenant, p.id.String())
	return p
}
