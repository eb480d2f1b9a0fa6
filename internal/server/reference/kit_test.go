package reference_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
)

// SQLSTATEs of what the database refuses.
const (
	denied       = "42501" // no privilege, or no row the policy lets in
	noParent     = "23503"
	duplicate    = "23505"
	notAllowed   = "23514"
	noSuchPlace  = "23514" // no partition for the row
	invalidValue = "22023"
)

func requireCode(t *testing.T, code string, err error, about ...any) {
	t.Helper()
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg, about...)
	require.Equal(t, code, pg.Code, pg.Message)
}

// kit is the whole reference schema with two tenants of two MSPs.
type kit struct {
	pg        *pgtest.DB
	db        *rls.DB
	super     *pgxpool.Pool
	ward, lab side
}

// side is a tenant with a user and a device.
type side struct {
	rls.Scope
	msp, tenant, user, device uuid.UUID
}

func newKit(t *testing.T) *kit {
	t.Helper()
	k := &kit{pg: pgtest.New(t, server.Migrations()...)}
	k.db, k.super = k.pg.Open(t), k.pg.Superuser(t)
	k.ward, k.lab = k.side(t, "north", "ward"), k.side(t, "south", "lab")
	return k
}

func (k *kit) side(t *testing.T, msp, slug string) side {
	t.Helper()
	s := side{msp: k.pg.MSP(t, msp), tenant: k.pg.TenantUnder(t, msp, slug), user: uuid.New(), device: uuid.New()}
	s.Scope = k.db.Tenant(s.tenant)
	require.NoError(t, s.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
		role := uuid.New()
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO tomkit.roles (tenant_id, id, name, created_at) VALUES ($1, $2, 'technician', now())`, s.tenant, role)
		b.Queue(`INSERT INTO tomkit.users (tenant_id, id, email, role_id, created_at) VALUES ($1, $2, 'head@' || $4::text || '.example', $3, now())`, s.tenant, s.user, role, slug)
		b.Queue(`INSERT INTO tomkit.devices (tenant_id, id, name, os, arch, machine_id, enrolled_at) VALUES ($1, $2, 'pc-1', 'windows', 'amd64', $3, now())`,
			s.tenant, s.device, uuid.NewString())
		return tx.SendBatch(ctx, b).Close()
	}))
	return s
}

// add inserts a row and returns its id. tenant, user and device fill the placeholders @tenant, @user and @device, args the others.
func (s side) add(t *testing.T, insert string, args pgx.NamedArgs) (id uuid.UUID) {
	t.Helper()
	require.NoError(t, s.QueryRow(t.Context(), insert+" RETURNING id", s.named(args)).Scan(&id), insert)
	return id
}

func (s side) named(args pgx.NamedArgs) pgx.NamedArgs {
	all := pgx.NamedArgs{"tenant": s.tenant, "user": s.user, "device": s.device}
	for name, value := range args {
		all[name] = value
	}
	return all
}

// do runs a statement and returns the number of rows.
func (s side) do(t *testing.T, sql string, args pgx.NamedArgs) int64 {
	t.Helper()
	tag, err := s.Exec(t.Context(), sql, s.named(args))
	require.NoError(t, err, sql)
	return tag.RowsAffected()
}

// refused runs a statement that must fail with the code.
func (s side) refused(t *testing.T, code, sql string, args pgx.NamedArgs) {
	t.Helper()
	_, err := s.Exec(t.Context(), sql, s.named(args))
	requireCode(t, code, err, sql)
}

func (s side) count(t *testing.T, from string, args pgx.NamedArgs) (n int) {
	t.Helper()
	require.NoError(t, s.QueryRow(t.Context(), "SELECT count(*) FROM tomkit."+from, s.named(args)).Scan(&n), from)
	return n
}

// list runs a statement as superuser that returns one column of text.
func (k *kit) list(t *testing.T, sql string, args ...any) []string {
	t.Helper()
	rows, err := k.super.Query(t.Context(), sql, args...)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return all
}

func (k *kit) system(t *testing.T, fn func(context.Context, *rls.Tx) error) error {
	t.Helper()
	return k.db.System(t.Context(), "test", fn)
}
