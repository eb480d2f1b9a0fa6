package erasure_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
)

// document is what an export holds.
type document struct {
	Schema     string    `json:"schema"`
	Tenant     uuid.UUID `json:"tenant"`
	Subject    uuid.UUID `json:"subject"`
	Categories []struct {
		ID        string       `json:"id"`
		Purpose   erasure.Text `json:"purpose"`
		Basis     erasure.Text `json:"legal_basis"`
		Retention string       `json:"retention"`
		Tables    []struct {
			Table string           `json:"table"`
			Rows  []map[string]any `json:"rows"`
		} `json:"tables"`
	} `json:"categories"`
	Rows int64 `json:"rows"`
}

func export(t *testing.T, e *erasure.Eraser, tenant, subject uuid.UUID) (document, string) {
	t.Helper()
	var b bytes.Buffer
	n, err := e.ExportPerson(t.Context(), &b, tenant, subject, erasure.By{})
	require.NoError(t, err)
	var d document
	require.NoError(t, json.Unmarshal(b.Bytes(), &d), b.String())
	require.Equal(t, n, d.Rows)
	return d, b.String()
}

// mentioning counts the rows of each table, the ledger's and this room's aside, whose text has the id anywhere.
func (k *kit) mentioning(t *testing.T, id uuid.UUID) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	for _, table := range k.tables(t) {
		if strings.HasPrefix(table, "tomkit.") {
			continue
		}
		if n := k.count(t, `SELECT count(*) FROM `+table+` x WHERE x::text LIKE '%' || $1 || '%'`, id.String()); n > 0 {
			found[table] = n
		}
	}
	return found
}

func TestExportHasEveryRowOfThePersonAndNobodyElse(t *testing.T) {
	k := newKit(t)
	p, q := k.person(t, k.a, "Erika"), k.person(t, k.a, "Max")
	k.person(t, k.b, "Erika")
	e := k.eraser(t)
	d, raw := export(t, e, k.a, p.id)
	t.Run("each row that mentions the person is there once", func(t *testing.T) {
		have := map[string]int64{}
		for _, c := range d.Categories {
			require.NotEmpty(t, c.Purpose.DE)
			require.NotEmpty(t, c.Basis.EN)
			for _, table := range c.Tables {
				if len(table.Rows) > 0 {
					have[table.Table] = int64(len(table.Rows))
				}
			}
		}
		require.Equal(t, k.mentioning(t, p.id), have)
		require.Equal(t, erasure.ExportSchema, d.Schema)
	})
	t.Run("no id of anybody else, of any user of any tenant", func(t *testing.T) {
		rows, err := k.super.Query(t.Context(), `SELECT id FROM desk.users WHERE id <> $1`, p.id)
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var other uuid.UUID
			require.NoError(t, rows.Scan(&other))
			require.NotContains(t, raw, other.String())
		}
		require.NoError(t, rows.Err())
		require.NotContains(t, raw, "Max")
		require.NotContains(t, raw, q.id.String())
		require.Contains(t, raw, `"withheld"`)
	})
	t.Run("no secret, declared or not", func(t *testing.T) {
		for _, secret := range []string{"argon2-", "token-", "note-", "password_hash"} {
			require.NotContains(t, raw, secret)
		}
	})
	t.Run("another tenant's scope finds nothing", func(t *testing.T) {
		d, _ := export(t, e, k.b, p.id)
		require.Zero(t, d.Rows)
	})
	t.Run("it is recorded, and nothing leaves without the entry", func(t *testing.T) {
		require.EqualValues(t, 1, k.entries(t, k.a, "person_exported"))
		k.recorder.failing("person_exported")
		defer k.recorder.working()
		var b bytes.Buffer
		_, err := e.ExportPerson(t.Context(), &b, k.a, p.id, erasure.By{})
		require.ErrorIs(t, err, errRecorder)
		require.Zero(t, b.Len())
	})
	t.Run("a writer that fails ends it", func(t *testing.T) {
		_, err := e.ExportPerson(t.Context(), broken{}, k.a, p.id, erasure.By{})
		require.ErrorIs(t, err, errBroken)
	})
	t.Run("nobody is no person", func(t *testing.T) {
		_, err := e.ExportPerson(t.Context(), discard{}, k.a, uuid.Nil, erasure.By{})
		require.ErrorIs(t, err, erasure.ErrInvalid)
	})
}

type broken struct{}

var errBroken = errors.New("disk full")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestErasePerson(t *testing.T) {
	k := newKit(t)
	p, q := k.person(t, k.a, "Erika"), k.person(t, k.a, "Max")
	other := k.person(t, k.b, "Moritz")
	e := k.eraser(t)
	others := func() [2]map[string]int64 {
		return [2]map[string]int64{k.mentioning(t, q.id), k.mentioning(t, other.id)}
	}
	before := others()
	t.Run("another tenant erases nothing", func(t *testing.T) {
		sums := k.checksums(t, "tomkit.audit_logs", "tomkit.ledger_heads", "tomkit.ledger_logs", "tomkit.ledger_keys", "tomkit.ledger_tiles", "tomkit.ledger_checkpoints")
		report, err := e.ErasePerson(t.Context(), k.b, p.id, erasure.By{})
		require.NoError(t, err)
		require.Empty(t, report.Lines)
		require.True(t, report.Complete())
		require.Equal(t, sums, k.checksums(t, "tomkit.audit_logs", "tomkit.ledger_heads", "tomkit.ledger_logs", "tomkit.ledger_keys", "tomkit.ledger_tiles", "tomkit.ledger_checkpoints"))
	})
	t.Run("without the entry, or with a ledger that cannot erase, nothing happens", func(t *testing.T) {
		sums := k.checksums(t)
		k.recorder.failing("person_erased")
		_, err := e.ErasePerson(t.Context(), k.a, p.id, erasure.By{})
		require.ErrorIs(t, err, errRecorder)
		k.recorder.working()
		ledger := k.eraser(t, func(c *erasure.Config) {
			c.Ledger = personEraser(func(uuid.UUID) (int64, error) { return 0, errRecorder })
		})
		_, err = ledger.ErasePerson(t.Context(), k.a, p.id, erasure.By{})
		require.ErrorIs(t, err, errRecorder)
		require.Equal(t, sums, k.checksums(t))
	})
	var erased uuid.UUID
	ledger := k.eraser(t, func(c *erasure.Config) {
		c.Ledger = personEraser(func(s uuid.UUID) (int64, error) { erased = s; return 3, nil })
	})
	report, err := ledger.ErasePerson(t.Context(), k.a, p.id, erasure.By{User: q.id})
	require.NoError(t, err)
	t.Run("only what the law keeps is left, and the report says so", func(t *testing.T) {
		require.Equal(t, map[string]int64{"desk.invoices": 1}, k.mentioning(t, p.id))
		require.False(t, report.Complete())
		for _, line := range report.Lines {
			if line.Table == "desk.invoices" {
				require.EqualValues(t, 1, line.Kept)
				require.Zero(t, line.Rows)
				continue
			}
			require.Positive(t, line.Rows, line.Table+" "+line.Column)
			require.Zero(t, line.Held+line.Kept, line.Table)
		}
		require.Equal(t, p.id, erased)
	})
	t.Run("anonymised rows stay, under one pseudonym", func(t *testing.T) {
		require.EqualValues(t, 2, k.count(t, `SELECT count(*) FROM desk.tickets WHERE id IN ($1, $2) AND (reporter_id IS NULL OR assignee_id IS NULL)`, p.ticket, p.assigned))
		require.EqualValues(t, 2, k.count(t, `SELECT count(*) FROM desk.comments WHERE body = '[gelöscht]'`))
		require.EqualValues(t, 1, k.count(t, `SELECT count(DISTINCT author_id) FROM desk.comments WHERE body = '[gelöscht]'`))
	})
	t.Run("nobody else lost anything", func(t *testing.T) { require.Equal(t, before, others()) })
	t.Run("it is recorded without a name", func(t *testing.T) {
		require.EqualValues(t, 1, k.entries(t, k.a, "person_erased"))
		require.Zero(t, k.count(t, `SELECT count(*) FROM tomkit.ledger_openings WHERE tenant_id = $1`, k.a))
	})
	t.Run("it takes a tenant's scope", func(t *testing.T) {
		err := k.db.System(t.Context(), "test", func(ctx context.Context, tx *rls.Tx) error {
			_, err := e.ErasePersonTx(ctx, tx, q.id, erasure.By{})
			return err
		})
		require.ErrorIs(t, err, erasure.ErrInvalid)
	})
}

// personEraser is a ledger that holds three values about everybody.
type personEraser func(uuid.UUID) (int64, error)

func (f personEraser) ErasePersonTx(_ context.Context, _ *rls.Tx, subject uuid.UUID, _ uuid.NullUUID) (int64, error) {
	return f(subject)
}

func (personEraser) PersonValuesTx(context.Context, *rls.Tx, uuid.UUID) (int64, error) { return 3, nil }

func TestTheLedgersValuesAreErasedWithThePerson(t *testing.T) {
	k := newKit(t)
	p, other := k.person(t, k.a, "Erika"), k.person(t, k.a, "Max")
	log, err := pgledger.Open(t.Context(), k.db, pgledger.Config{Domain: "log.example.org", Sealer: k.sealer, NoJournalUnsafe: true})
	require.NoError(t, err)
	defer log.Close()
	e := k.eraser(t, func(c *erasure.Config) { c.Record, c.Ledger = log, log })
	for range 2 {
		for _, who := range []person{p, other} {
			_, err := log.Append(t.Context(), record.Event{Tenant: k.a, Action: "login", EntityType: "user", EntityID: who.id.String(),
				Narrative: record.Narrative{Template: "logout", Args: map[string]any{
					"user": record.Personal{Subject: who.id, Value: "Erika Mustermann"}, "at": noon}}})
			require.NoError(t, err)
		}
	}
	values := func(who uuid.UUID) int64 {
		return k.count(t, `SELECT count(*) FROM tomkit.ledger_openings WHERE tenant_id = $1 AND subject = $2`, k.a, who)
	}
	hold, err := e.PlaceHold(t.Context(), erasure.Hold{Tenant: k.a, Subject: p.id, Reason: "litigation"}, erasure.By{})
	require.NoError(t, err)
	report, err := e.ErasePerson(t.Context(), k.a, p.id, erasure.By{})
	require.NoError(t, err)
	require.EqualValues(t, 2, report.ValuesHeld)
	require.False(t, report.Complete())
	require.EqualValues(t, 2, values(p.id), "a hold on everything keeps them")
	require.NoError(t, e.ReleaseHold(t.Context(), k.a, hold, erasure.By{}))

	report, err = e.ErasePerson(t.Context(), k.a, p.id, erasure.By{})
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Values)
	require.Zero(t, report.ValuesHeld)
	require.Zero(t, values(p.id))
	require.EqualValues(t, 2, values(other.id))
	require.EqualValues(t, 1, k.entries(t, k.a, "personal_data_erased"))
	chain, err := log.VerifyChain(t.Context(), k.a, pgledger.VerifyOptions{})
	require.NoError(t, err)
	require.True(t, chain.Intact(), "%+v", chain.Findings)

	t.Run("and a ledger that erases fewer than it holds fails the erasure", func(t *testing.T) {
		short := k.eraser(t, func(c *erasure.Config) {
			c.Ledger = personEraser(func(uuid.UUID) (int64, error) { return 2, nil })
		})
		_, err := short.ErasePerson(t.Context(), k.a, other.id, erasure.By{})
		require.ErrorIs(t, err, erasure.ErrLeftover)
	})
}

func TestHoldsWinOverAPersonsErasure(t *testing.T) {
	k := newKit(t)
	e := k.eraser(t)
	for name, hold := range map[string]func(p person) erasure.Hold{
		"on the person":     func(p person) erasure.Hold { return erasure.Hold{Subject: p.id} },
		"on everything":     func(person) erasure.Hold { return erasure.Hold{} },
		"on the sessions":   func(person) erasure.Hold { return erasure.Hold{Category: "sessions"} },
		"on somebody else":  func(person) erasure.Hold { return erasure.Hold{Subject: uuid.New()} },
		"in another tenant": func(person) erasure.Hold { return erasure.Hold{Tenant: k.b} },
	} {
		t.Run(name, func(t *testing.T) {
			p := k.person(t, k.a, "Erika")
			h := hold(p)
			if h.Tenant == uuid.Nil {
				h.Tenant = k.a
			}
			h.Reason = "litigation"
			id, err := e.PlaceHold(t.Context(), h, erasure.By{})
			require.NoError(t, err)
			before := k.mentioning(t, p.id)
			report, err := e.ErasePerson(t.Context(), k.a, p.id, erasure.By{})
			require.NoError(t, err)
			after := k.mentioning(t, p.id)
			switch name {
			case "on the person", "on everything":
				require.Equal(t, before, after)
				require.False(t, report.Complete())
			case "on the sessions": // the user would take them along
				require.Equal(t, before["desk.sessions"], after["desk.sessions"])
				require.EqualValues(t, 1, after["desk.users"])
			default:
				require.Equal(t, map[string]int64{"desk.invoices": 1}, after)
			}
			require.NoError(t, e.ReleaseHold(t.Context(), h.Tenant, id, erasure.By{}))
			_, err = e.ErasePerson(t.Context(), k.a, p.id, erasure.By{})
			require.NoError(t, err)
			require.Equal(t, map[string]int64{"desk.invoices": 1}, k.mentioning(t, p.id), "after the release")
		})
	}
}

func TestExportOfManyRowsIsStreamed(t *testing.T) {
	k := newKit(t)
	p := k.person(t, k.a, "Erika")
	const rows = 5_000
	k.exec(t, `INSERT INTO desk.visits SELECT $1, gen_random_uuid(), $3, $2, repeat('x', 500) FROM generate_series(1, `+fmt.Sprint(rows)+`)`, k.a, p.id, noon)
	w := &counting{}
	n, err := k.eraser(t).ExportPerson(t.Context(), w, k.a, p.id, erasure.By{})
	require.NoError(t, err)
	require.Greater(t, n, int64(rows))
	require.Less(t, w.largest, 64<<10, "one row at a time")
	require.Greater(t, w.writes, 300)
}

type counting struct{ writes, largest int }

func (c *counting) Write(p []byte) (int, error) {
	c.writes, c.largest = c.writes+1, max(c.largest, len(p))
	return len(p), nil
}
