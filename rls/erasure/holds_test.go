package erasure_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
)

func TestHoldsWinOverRetention(t *testing.T) {
	k := newKit(t)
	k.aged(t, k.a)
	k.aged(t, k.b)
	e := k.eraser(t)
	due := func() map[string]int64 {
		plan, err := e.Plan(t.Context())
		require.NoError(t, err)
		return rowsOf(plan, k.a)
	}
	all := due()
	place := func(h erasure.Hold) uuid.UUID {
		t.Helper()
		h.Tenant, h.Reason = k.a, "litigation-14"
		id, err := e.PlaceHold(t.Context(), h, erasure.By{User: uuid.New()})
		require.NoError(t, err)
		return id
	}
	release := func(id uuid.UUID) { t.Helper(); require.NoError(t, e.ReleaseHold(t.Context(), k.a, id, erasure.By{})) }
	t.Run("on a category", func(t *testing.T) {
		id := place(erasure.Hold{Category: "events"})
		have := due()
		require.NotContains(t, have, "desk.events")
		require.NotContains(t, have, "desk.scores")
		require.Equal(t, all["desk.tickets"], have["desk.tickets"])
		release(id)
		require.Equal(t, all, due())
	})
	t.Run("on everything of the tenant, and of no other", func(t *testing.T) {
		id := place(erasure.Hold{})
		require.Empty(t, due())
		plan, err := e.Plan(t.Context())
		require.NoError(t, err)
		require.Equal(t, all, rowsOf(plan, k.b))
		release(id)
	})
	t.Run("on a person, also in rows that would go with others", func(t *testing.T) {
		var author uuid.UUID
		require.NoError(t, k.super.QueryRow(t.Context(), `SELECT c.author_id FROM desk.comments c JOIN desk.tickets t ON t.id = c.ticket_id
			WHERE t.tenant_id = $1 AND t.status = 'closed' ORDER BY t.closed_at LIMIT 1`, k.a).Scan(&author))
		id := place(erasure.Hold{Subject: author})
		have := due()
		require.Equal(t, all["desk.tickets"]-1, have["desk.tickets"])
		delete(have, "desk.tickets")
		for table, n := range have {
			require.Equal(t, all[table], n, table)
		}
		plan, err := e.Plan(t.Context())
		require.NoError(t, err)
		var held int64
		for _, line := range plan.Lines {
			held += line.Held
		}
		require.EqualValues(t, 1, held)
		release(id)
	})
	t.Run("until it is over", func(t *testing.T) {
		place(erasure.Hold{Until: noon.Add(time.Hour)})
		require.Empty(t, due())
		later := k.eraser(t, func(c *erasure.Config) { c.Now = func() time.Time { return noon.Add(time.Hour) } })
		plan, err := later.Plan(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, rowsOf(plan, k.a))
		report, err := e.Apply(t.Context())
		require.NoError(t, err)
		require.Empty(t, rowsOf(report, k.a))
		require.NotEmpty(t, rowsOf(report, k.b))
		var held int64
		for _, line := range report.Lines {
			held += line.Held
		}
		require.Positive(t, held)
	})
	require.EqualValues(t, 4, k.entries(t, k.a, "legal_hold_placed"))
	require.EqualValues(t, 3, k.entries(t, k.a, "legal_hold_released"))
}

func TestHoldsAreRefusedAndProtected(t *testing.T) {
	k := newKit(t)
	e := k.eraser(t)
	for name, h := range map[string]erasure.Hold{
		"no reason":                 {Tenant: k.a},
		"a reason that is a text":   {Tenant: k.a, Reason: "Frau Müller"},
		"an unknown category":       {Tenant: k.a, Reason: "x", Category: "nothing"},
		"one that is over":          {Tenant: k.a, Reason: "x", Until: noon},
		"a category that wants SQL": {Tenant: k.a, Reason: "x", Category: "a' OR '1'='1"},
	} {
		_, err := e.PlaceHold(t.Context(), h, erasure.By{})
		require.Error(t, err, name)
	}
	id, err := e.PlaceHold(t.Context(), erasure.Hold{Tenant: k.a, Reason: "x"}, erasure.By{})
	require.NoError(t, err)
	t.Run("another tenant neither sees nor releases it", func(t *testing.T) {
		holds, err := e.Holds(t.Context(), k.b)
		require.NoError(t, err)
		require.Empty(t, holds)
		require.ErrorIs(t, e.ReleaseHold(t.Context(), k.b, id, erasure.By{}), erasure.ErrUnknown)
		err = k.db.Tenant(k.b).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			_, err := e.PlaceHoldTx(ctx, tx, erasure.Hold{Tenant: k.a, Reason: "x"}, erasure.By{})
			return err
		})
		require.Error(t, err)
	})
	t.Run("the request login cannot delete or rewrite it", func(t *testing.T) {
		for _, sql := range []string{`DELETE FROM tomkit.legal_holds`, `UPDATE tomkit.legal_holds SET until = now()`, `UPDATE tomkit.legal_holds SET category = 'events'`} {
			_, err := k.db.Tenant(k.a).Exec(t.Context(), sql)
			require.ErrorContains(t, err, "permission denied", sql)
		}
	})
	t.Run("without its entry there is no hold, and no release", func(t *testing.T) {
		k.recorder.failing("legal_hold_released")
		require.ErrorIs(t, e.ReleaseHold(t.Context(), k.a, id, erasure.By{}), errRecorder)
		k.recorder.failing("legal_hold_placed")
		_, err := e.PlaceHold(t.Context(), erasure.Hold{Tenant: k.b, Reason: "x"}, erasure.By{})
		require.ErrorIs(t, err, errRecorder)
		k.recorder.working()
		require.EqualValues(t, 1, k.count(t, `SELECT count(*) FROM tomkit.legal_holds WHERE released_at IS NULL`))
	})
	t.Run("it is released once", func(t *testing.T) {
		require.NoError(t, e.ReleaseHold(t.Context(), k.a, id, erasure.By{}))
		require.ErrorIs(t, e.ReleaseHold(t.Context(), k.a, id, erasure.By{}), erasure.ErrUnknown)
	})
}
