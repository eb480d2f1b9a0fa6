package erasure_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls/erasure"
)

// aged makes rows around the boundary of every category in a tenant and returns how many of each table are due at noon.
func (k *kit) aged(t testing.TB, tenant uuid.UUID) map[string]int64 {
	t.Helper()
	around := func(period string) []time.Time { // two due, one not
		edge := period2(period).Before(noon)
		return []time.Time{edge.Add(-time.Hour), edge, edge.Add(time.Microsecond)}
	}
	for _, at := range around("P1Y") {
		for _, status := range []string{"closed", "rejected", "open"} {
			ticket := uuid.New()
			k.exec(t, `INSERT INTO desk.tickets VALUES ($1, $2, null, null, 'aged', $3, $4)`, tenant, ticket, status, at)
			k.exec(t, `INSERT INTO desk.comments VALUES ($1, gen_random_uuid(), $2, gen_random_uuid(), 'aged')`, tenant, ticket)
		}
	}
	k.exec(t, `INSERT INTO desk.tickets VALUES ($1, gen_random_uuid(), null, null, 'never closed', 'closed', null)`, tenant)
	for _, at := range around("P30D") {
		user := uuid.New()
		k.exec(t, `INSERT INTO desk.users VALUES ($1, $2, 'aged', 'x', null)`, tenant, user)
		k.exec(t, `INSERT INTO desk.sessions VALUES ($1, gen_random_uuid(), $2, 'x', $3)`, tenant, user, at)
	}
	for i, at := range around("P10D") {
		order := uuid.New()
		k.exec(t, `INSERT INTO desk.orders VALUES ($1, $2, $3)`, tenant, order, at)
		k.exec(t, `INSERT INTO desk.order_lines VALUES ($1, gen_random_uuid(), $2, $3)`, tenant, order, at)
		if i == 0 { // a line that stays keeps its order
			k.exec(t, `INSERT INTO desk.order_lines VALUES ($1, gen_random_uuid(), $2, $3)`, tenant, order, noon)
		}
	}
	for _, at := range around("P90D") {
		k.exec(t, `INSERT INTO desk.events VALUES ($1, $2, gen_random_uuid(), 'aged')`, tenant, at)
	}
	k.exec(t, `INSERT INTO desk.scores SELECT $1, ($2::timestamptz AT TIME ZONE 'UTC')::date + i, i FROM generate_series(-2, 1) i`, tenant, period2("P90D").Before(noon))
	for _, at := range around("PT36H") {
		k.exec(t, `INSERT INTO desk.visits VALUES ($1, gen_random_uuid(), $2, gen_random_uuid(), '192.0.2.9')`, tenant, at)
	}
	for _, at := range around("P7D") {
		k.exec(t, `INSERT INTO desk."a;DROP TABLE desk.users;--""" VALUES ($1, gen_random_uuid(), $2)`, tenant, at)
	}
	return map[string]int64{
		"desk.tickets": 4, "desk.sessions": 2, "desk.orders": 1, "desk.order_lines": 2, "desk.events": 2, "desk.scores": 2, "desk.visits": 2, odd: 2,
	}
}

func rowsOf(r erasure.Report, tenant uuid.UUID) map[string]int64 {
	rows := map[string]int64{}
	for _, line := range r.Lines {
		if line.Tenant == tenant && line.Rows > 0 {
			rows[line.Table] = line.Rows
		}
	}
	return rows
}

func TestRetentionDeletesExactlyWhatHasExpired(t *testing.T) {
	k := newKit(t)
	dueA, dueB := k.aged(t, k.a), k.aged(t, k.b)
	e := k.eraser(t)
	before := k.checksums(t)
	plan, err := e.Plan(t.Context())
	require.NoError(t, err)
	t.Run("a dry run counts and changes nothing", func(t *testing.T) {
		require.True(t, plan.DryRun)
		require.Equal(t, dueA, rowsOf(plan, k.a))
		require.Equal(t, dueB, rowsOf(plan, k.b))
		require.Equal(t, before, k.checksums(t))
		require.Equal(t, 3, plan.Tenants) // the operator is one
	})
	report, err := e.Apply(t.Context())
	require.NoError(t, err)
	t.Run("the run does what the plan said, and the oldest kept is the same", func(t *testing.T) {
		require.Equal(t, plan.Rows, report.Rows)
		require.Equal(t, len(plan.Lines), len(report.Lines))
		for i, line := range plan.Lines {
			if line.Table == "desk.visits" { // anonymised rows stay
				line.OldestKept = report.Lines[i].OldestKept
			}
			require.Equal(t, line, report.Lines[i])
		}
	})
	t.Run("rows at the boundary are gone, rows a microsecond younger are there", func(t *testing.T) {
		for _, tenant := range []uuid.UUID{k.a, k.b} {
			require.EqualValues(t, 6, k.count(t, `SELECT count(*) FROM desk.tickets WHERE tenant_id = $1`, tenant))
			require.EqualValues(t, 5, k.count(t, `SELECT count(*) FROM desk.comments WHERE tenant_id = $1`, tenant), "comments go with their tickets")
			require.EqualValues(t, 1, k.count(t, `SELECT count(*) FROM desk.sessions WHERE tenant_id = $1`, tenant))
			require.EqualValues(t, 2, k.count(t, `SELECT count(*) FROM desk.orders WHERE tenant_id = $1`, tenant), "one is referenced by a line that stays")
			require.EqualValues(t, 1, k.count(t, `SELECT count(*) FROM desk.events WHERE tenant_id = $1 AND at = $2`, tenant, period2("P90D").Before(noon).Add(time.Microsecond)))
			require.EqualValues(t, 2, k.count(t, `SELECT count(*) FROM desk.scores WHERE tenant_id = $1`, tenant))
			require.EqualValues(t, 1, k.count(t, `SELECT count(*) FROM desk.visits WHERE tenant_id = $1 AND visitor IS NOT NULL AND address <> ''`, tenant))
			require.EqualValues(t, 3, k.count(t, `SELECT count(*) FROM desk.visits WHERE tenant_id = $1`, tenant))
		}
	})
	t.Run("each tenant has one entry, with numbers", func(t *testing.T) {
		require.EqualValues(t, 1, k.entries(t, k.a, "retention_applied"))
		require.EqualValues(t, 1, k.entries(t, k.b, "retention_applied"))
		require.Zero(t, k.entries(t, k.operator, "retention_applied"))
		require.EqualValues(t, 17, k.count(t, `SELECT (details->>'rows')::int FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = 'retention_applied'`, k.a))
		require.EqualValues(t, 4, k.count(t, `SELECT (details->'categories'->>'tickets')::int FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = 'retention_applied'`, k.a))
	})
	t.Run("a second run finds nothing and records nothing", func(t *testing.T) {
		again, err := e.Apply(t.Context())
		require.NoError(t, err)
		require.Zero(t, again.Rows)
		require.EqualValues(t, 1, k.entries(t, k.a, "retention_applied"))
	})
}

func TestRetentionInSmallBatches(t *testing.T) {
	k := newKit(t)
	k.exec(t, `INSERT INTO desk.events SELECT $1, $2::timestamptz - i % 7 * interval '100 days', gen_random_uuid(), 'x' FROM generate_series(1, 2500) i`, k.a, noon)
	k.exec(t, `INSERT INTO desk.visits SELECT $1, gen_random_uuid(), $2::timestamptz - interval '3 days', gen_random_uuid(), 'x' FROM generate_series(1, 1200) i`, k.a, noon)
	var steps []int64
	e := k.eraser(t, func(c *erasure.Config) {
		c.BatchRows, c.Batches = 100, 4
		c.Progress = func(rows int64) { steps = append(steps, rows) }
	})
	plan, err := e.Plan(t.Context())
	require.NoError(t, err)
	report, err := e.Apply(t.Context())
	require.NoError(t, err)
	require.Equal(t, plan.Rows, report.Rows)
	require.EqualValues(t, 357, k.count(t, `SELECT count(*) FROM desk.events`))
	require.Zero(t, k.count(t, `SELECT count(*) FROM desk.visits WHERE address <> '' OR visitor IS NOT NULL`))
	require.IsNonDecreasing(t, steps)
	require.Equal(t, report.Rows, steps[len(steps)-1])
	recorded := k.count(t, `SELECT sum((details->>'rows')::int) FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = 'retention_applied'`, k.a)
	require.Equal(t, report.Rows, recorded, "the entries add up")
	require.LessOrEqual(t, k.entries(t, k.a, "retention_applied"), int64(10))
}

func TestACancelledRunLeavesWhatItDidRecorded(t *testing.T) {
	k := newKit(t)
	k.exec(t, `INSERT INTO desk.events SELECT $1, $2::timestamptz - interval '100 days', gen_random_uuid(), 'x' FROM generate_series(1, 1000) i`, k.a, noon)
	for stop := int64(100); stop < 1000; stop += 300 {
		ctx, cancel := context.WithCancel(t.Context())
		e := k.eraser(t, func(c *erasure.Config) {
			c.BatchRows, c.Batches = 50, 2
			c.Progress = func(rows int64) {
				if rows >= stop {
					cancel()
				}
			}
		})
		_, err := e.Apply(ctx)
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		gone := 1000 - k.count(t, `SELECT count(*) FROM desk.events`)
		require.Equal(t, gone, k.count(t, `SELECT coalesce(sum((details->>'rows')::int), 0) FROM tomkit.audit_logs WHERE action = 'retention_applied'`))
		cancel()
	}
	_, err := k.eraser(t).Apply(t.Context())
	require.NoError(t, err)
	require.Zero(t, k.count(t, `SELECT count(*) FROM desk.events`))
	require.Zero(t, k.count(t, `SELECT count(*) FROM tomkit.retention_runs WHERE finished_at IS NULL`))
}

func TestWhatCannotBeRecordedStays(t *testing.T) {
	k := newKit(t)
	k.aged(t, k.a)
	k.aged(t, k.b)
	before := k.checksums(t, "tomkit.retention_runs")
	e := k.eraser(t, func(c *erasure.Config) { c.BatchRows, c.Batches = 1, 3 })
	t.Run("a recorder that refuses", func(t *testing.T) {
		k.recorder.failing("retention_applied")
		_, err := e.Apply(t.Context())
		require.ErrorIs(t, err, errRecorder)
		var failed *erasure.TenantError
		require.ErrorAs(t, err, &failed)
		require.NotContains(t, err.Error(), k.a.String())
		require.Equal(t, before, k.checksums(t, "tomkit.retention_runs"))
		k.recorder.working()
	})
	t.Run("a ledger that fails at the commit", func(t *testing.T) {
		k.exec(t, `ALTER FUNCTION tomkit.ledger_lock(uuid) RENAME TO ledger_lock_away`)
		k.exec(t, `ALTER FUNCTION tomkit.ledger_state(uuid) RENAME TO ledger_state_away`)
		_, err := e.Apply(t.Context())
		require.Error(t, err)
		require.Equal(t, before, k.checksums(t, "tomkit.retention_runs"))
		k.exec(t, `ALTER FUNCTION tomkit.ledger_lock_away(uuid) RENAME TO ledger_lock`)
		k.exec(t, `ALTER FUNCTION tomkit.ledger_state_away(uuid) RENAME TO ledger_state`)
	})
	t.Run("a tenant that fails does not keep the others from it", func(t *testing.T) {
		k.exec(t, `INSERT INTO tomkit.retention_overrides VALUES ($1, 'tickets', 'no period', now())`, k.a)
		report, err := e.Apply(t.Context())
		require.ErrorIs(t, err, erasure.ErrInvalid)
		require.Empty(t, rowsOf(report, k.a))
		require.NotEmpty(t, rowsOf(report, k.b))
	})
}

func TestConcurrentRunnersDeleteOnceAndRecordOnce(t *testing.T) {
	k := newKit(t)
	k.exec(t, `INSERT INTO desk.events SELECT t, $3::timestamptz - interval '100 days', gen_random_uuid(), 'x' FROM unnest(ARRAY[$1, $2]::uuid[]) t, generate_series(1, 400)`, k.a, k.b, noon)
	var mu sync.Mutex
	var observed int64
	e := k.eraser(t, func(c *erasure.Config) {
		c.BatchRows = 50
		c.Observe = func(line erasure.Line) { mu.Lock(); observed += line.Rows; mu.Unlock() }
	})
	var wg sync.WaitGroup
	sums := make([]int64, 8)
	errs := make([]error, 8)
	for i := range sums {
		wg.Go(func() {
			report, err := e.Apply(t.Context())
			sums[i], errs[i] = report.Rows, err
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	var sum int64
	for _, n := range sums {
		sum += n
	}
	require.EqualValues(t, 800, sum)
	require.EqualValues(t, 800, observed)
	require.EqualValues(t, 1, k.entries(t, k.a, "retention_applied"))
	require.EqualValues(t, 1, k.entries(t, k.b, "retention_applied"))
	require.EqualValues(t, 800, k.count(t, `SELECT sum((details->>'rows')::int) FROM tomkit.audit_logs WHERE action = 'retention_applied'`))
}

func TestRunnersAgreeOnALeader(t *testing.T) {
	k := newKit(t)
	k.aged(t, k.a)
	now := noon
	e := k.eraser(t, func(c *erasure.Config) { c.Now = func() time.Time { return now } })
	runner, err := erasure.NewRunner(erasure.RunnerConfig{Eraser: e})
	require.NoError(t, err)
	round := func() (leaders int) {
		var wg sync.WaitGroup
		led := make([]bool, 8)
		errs := make([]error, 8)
		for i := range led {
			wg.Go(func() { led[i], errs[i] = runner.Once(t.Context()) })
		}
		wg.Wait()
		require.NoError(t, errors.Join(errs...))
		for _, l := range led {
			if l {
				leaders++
			}
		}
		return leaders
	}
	require.Equal(t, 1, round())
	require.Zero(t, round(), "not again in the same interval")
	now = now.Add(time.Hour)
	require.Equal(t, 1, round())
	require.EqualValues(t, 2, k.count(t, `SELECT count(*) FROM tomkit.retention_runs WHERE finished_at IS NOT NULL`))
	t.Run("Run ends with its context", func(t *testing.T) {
		now = now.Add(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		e := k.eraser(t, func(c *erasure.Config) {
			c.Now = func() time.Time { return now }
			c.Progress = func(int64) { cancel() }
		})
		runner, err := erasure.NewRunner(erasure.RunnerConfig{Eraser: e})
		require.NoError(t, err)
		require.ErrorIs(t, runner.Run(ctx), context.Canceled)
	})
}

func TestLockedRowsAreLeftForTheNextRun(t *testing.T) {
	k := newKit(t)
	k.exec(t, `INSERT INTO desk.events SELECT $1, $2::timestamptz - interval '100 days', gen_random_uuid(), 'x' FROM generate_series(1, 10)`, k.a, noon)
	conn, err := k.super.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = conn.Rollback(context.Background()) }()
	_, err = conn.Exec(t.Context(), `SELECT FROM desk.events LIMIT 3 FOR UPDATE`)
	require.NoError(t, err)
	e := k.eraser(t)
	report, err := e.Apply(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 7, report.Rows)
	require.NoError(t, conn.Rollback(t.Context()))
	report, err = e.Apply(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, report.Rows)
}

func TestOverrides(t *testing.T) {
	k := newKit(t)
	e := k.eraser(t)
	for _, days := range []int{20, 40, 200, 400, 800, 1200} {
		for _, tenant := range []uuid.UUID{k.a, k.b} {
			k.exec(t, `INSERT INTO desk.tickets VALUES ($1, gen_random_uuid(), null, null, $2, 'closed', $3)`, tenant, fmt.Sprint(days), noon.AddDate(0, 0, -days))
		}
	}
	due := func(tenant uuid.UUID) int64 {
		plan, err := e.Plan(t.Context())
		require.NoError(t, err)
		return rowsOf(plan, tenant)["desk.tickets"]
	}
	require.EqualValues(t, 3, due(k.a))
	t.Run("a shorter and a longer period count for their tenant alone", func(t *testing.T) {
		require.NoError(t, e.Override(t.Context(), k.a, "tickets", period2("P30D"), erasure.By{}))
		require.EqualValues(t, 5, due(k.a))
		require.EqualValues(t, 3, due(k.b))
		require.NoError(t, e.Override(t.Context(), k.a, "tickets", period2("P3Y"), erasure.By{User: uuid.New()}))
		require.EqualValues(t, 1, due(k.a))
		require.EqualValues(t, 2, k.entries(t, k.a, "retention_changed"))
	})
	t.Run("the bounds hold", func(t *testing.T) {
		for _, p := range []string{"P29D", "P3Y1D", "P37M", "PT719H"} {
			require.ErrorIs(t, e.Override(t.Context(), k.a, "tickets", period2(p), erasure.By{}), erasure.ErrBounds, p)
		}
		require.ErrorIs(t, e.Override(t.Context(), k.a, "people", period2("P1D"), erasure.By{}), erasure.ErrUnknown)
		require.ErrorIs(t, e.Override(t.Context(), k.a, "nothing", period2("P1D"), erasure.By{}), erasure.ErrUnknown)
		require.ErrorIs(t, e.Override(t.Context(), k.a, "tickets", erasure.Period{Days: -1}, erasure.By{}), erasure.ErrInvalid)
	})
	t.Run("what got into the table past them is drawn into them", func(t *testing.T) {
		k.exec(t, `UPDATE tomkit.retention_overrides SET period = 'P1D'`)
		require.EqualValues(t, 5, due(k.a))
		k.exec(t, `UPDATE tomkit.retention_overrides SET period = 'P90Y'`)
		require.EqualValues(t, 1, due(k.a))
	})
	t.Run("none is the standard again", func(t *testing.T) {
		require.NoError(t, e.Override(t.Context(), k.a, "tickets", erasure.Period{}, erasure.By{}))
		require.EqualValues(t, 3, due(k.a))
	})
	t.Run("a tenant sees its own", func(t *testing.T) {
		require.NoError(t, e.Override(t.Context(), k.a, "tickets", period2("P30D"), erasure.By{}))
		_, err := k.db.Tenant(k.b).Exec(t.Context(), `INSERT INTO tomkit.retention_overrides VALUES ($1, 'events', 'P1D', now())`, k.a)
		require.Error(t, err)
		tag, err := k.db.Tenant(k.b).Exec(t.Context(), `DELETE FROM tomkit.retention_overrides`)
		require.NoError(t, err)
		require.Zero(t, tag.RowsAffected())
	})
	t.Run("without its entry there is no override", func(t *testing.T) {
		k.recorder.failing("retention_changed")
		defer k.recorder.working()
		before := k.checksums(t)
		require.ErrorIs(t, e.Override(t.Context(), k.b, "tickets", period2("P30D"), erasure.By{}), errRecorder)
		require.Equal(t, before, k.checksums(t))
	})
}
