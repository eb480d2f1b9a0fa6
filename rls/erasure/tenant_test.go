package erasure_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
)

// cache is an outside store that may be out of order.
type cache struct {
	calls, fail, remain atomic.Int64 // fail and remain: for how many further calls
}

func (c *cache) Purge(context.Context, uuid.UUID) (erasure.Purged, error) {
	c.calls.Add(1)
	if c.fail.Add(-1) >= 0 {
		return erasure.Purged{}, errors.New("connection refused: redis://:hunter2@cache")
	}
	if c.remain.Add(-1) >= 0 {
		return erasure.Purged{Deleted: 1, Remaining: 3}, nil
	}
	return erasure.Purged{Deleted: 1}, nil
}

func stores(caches ...*cache) func(*erasure.Config) {
	return func(cfg *erasure.Config) {
		for i, c := range caches {
			cfg.Stores = append(cfg.Stores, erasure.Store{Name: fmt.Sprintf("cache-%d", i), Purger: c})
		}
	}
}

// tenant makes a tenant with rows everywhere.
func (k *kit) tenant(t testing.TB, slug string) uuid.UUID {
	t.Helper()
	id := k.pg.Tenant(t, slug)
	k.aged(t, id)
	k.person(t, id, "somebody")
	k.exec(t, `INSERT INTO desk.loose VALUES ($1, gen_random_uuid())`, id)
	k.exec(t, `INSERT INTO tomkit.retention_overrides VALUES ($1, 'tickets', 'P2Y', now())`, id)
	return id
}

func deletion(id uuid.UUID, slug string) erasure.Deletion {
	return erasure.Deletion{Tenant: id, Confirm: slug, Reason: "contract_ended"}
}

func TestDeleteTenant(t *testing.T) {
	k := newKit(t)
	k.tenant(t, "alpha")
	k.tenant(t, "beta")
	var c cache
	e := k.eraser(t, stores(&c), func(cfg *erasure.Config) { cfg.BatchRows = 3 })
	_, err := e.ExportPerson(t.Context(), discard{}, k.a, uuid.New(), erasure.By{}) // the ledger has an entry of the tenant
	require.NoError(t, err)
	rowsOfB := func() (n int64) {
		for _, table := range k.tables(t) {
			n += k.count(t, `SELECT count(*) FROM `+table+` x WHERE x::text LIKE '%' || $1 || '%'`, k.b.String())
		}
		return n
	}
	before, checked := rowsOfB(), k.checksums(t)
	plan, err := e.PlanTenant(t.Context(), k.a)
	require.NoError(t, err)
	t.Run("a dry run counts and changes nothing", func(t *testing.T) {
		require.Equal(t, checked, k.checksums(t))
		require.Equal(t, "alpha", plan.Slug)
		require.Equal(t, []string{"cache-0"}, plan.Stores)
		require.NotEmpty(t, plan.Stay)
		require.Zero(t, c.calls.Load())
	})
	t.Run("it wants the slug, a reason, and not the operator", func(t *testing.T) {
		for _, d := range []erasure.Deletion{deletion(k.a, "beta"), deletion(k.a, ""), deletion(k.a, "ALPHA")} {
			_, err := e.DeleteTenant(t.Context(), d)
			require.ErrorIs(t, err, erasure.ErrConfirm)
		}
		_, err := e.DeleteTenant(t.Context(), erasure.Deletion{Tenant: k.a, Confirm: "alpha", Reason: "no code"})
		require.ErrorIs(t, err, erasure.ErrInvalid)
		_, err = e.DeleteTenant(t.Context(), deletion(k.operator, "test-operator"))
		require.ErrorIs(t, err, erasure.ErrOperator)
		_, err = e.DeleteTenant(t.Context(), deletion(uuid.New(), "alpha"))
		require.ErrorIs(t, err, erasure.ErrUnknown)
		require.Equal(t, checked, k.checksums(t))
	})
	t.Run("a hold forbids it", func(t *testing.T) {
		id, err := e.PlaceHold(t.Context(), erasure.Hold{Tenant: k.a, Reason: "litigation", Category: "events"}, erasure.By{})
		require.NoError(t, err)
		_, err = e.DeleteTenant(t.Context(), deletion(k.a, "alpha"))
		require.ErrorIs(t, err, erasure.ErrHeld)
		require.Zero(t, k.count(t, `SELECT count(*) FROM tomkit.erasure_jobs`))
		require.NoError(t, e.ReleaseHold(t.Context(), k.a, id, erasure.By{}))
	})
	t.Run("without its first entry nothing happens", func(t *testing.T) {
		k.recorder.failing("tenant_erasure_started")
		defer k.recorder.working()
		checked := k.checksums(t)
		_, err := e.DeleteTenant(t.Context(), deletion(k.a, "alpha"))
		require.ErrorIs(t, err, errRecorder)
		require.Equal(t, checked, k.checksums(t))
	})
	plan, err = e.PlanTenant(t.Context(), k.a)
	require.NoError(t, err)
	job, err := e.DeleteTenant(t.Context(), deletion(k.a, "alpha"))
	require.NoError(t, err)
	t.Run("it does what the plan said", func(t *testing.T) {
		require.Equal(t, erasure.StepDone, job.Step)
		planned := map[string]int64{}
		for _, c := range plan.Go {
			planned[c.Table] = c.Rows
		}
		require.Equal(t, planned, job.Counts)
		require.EqualValues(t, 1, c.calls.Load())
		require.Equal(t, []string{"cache-0"}, job.Stores)
	})
	t.Run("nothing remains but the ledger and the job, and the other tenant is whole", func(t *testing.T) {
		require.NoError(t, e.ProveErased(t.Context(), k.a))
		for _, table := range k.tables(t) {
			n := k.count(t, `SELECT count(*) FROM `+table+` x WHERE x::text LIKE '%' || $1 || '%'`, k.a.String())
			switch table {
			case "tomkit.erasure_jobs":
				require.EqualValues(t, 1, n)
			case "tomkit.audit_logs", "tomkit.ledger_heads", "tomkit.ledger_logs", "tomkit.ledger_keys":
				require.Positive(t, n, table)
			default:
				require.Zero(t, n, table)
			}
		}
		require.Equal(t, before, rowsOfB())
	})
	t.Run("the operator's log has start and end", func(t *testing.T) {
		require.EqualValues(t, 1, k.entries(t, k.operator, "tenant_erasure_started"))
		require.EqualValues(t, 1, k.entries(t, k.operator, "tenant_erased"))
	})
	t.Run("asking again changes nothing", func(t *testing.T) {
		checked := k.checksums(t)
		again, err := e.DeleteTenant(t.Context(), deletion(k.a, "alpha"))
		require.NoError(t, err)
		require.Equal(t, job, again)
		_, err = e.DeleteTenant(t.Context(), deletion(k.a, "beta"))
		require.ErrorIs(t, err, erasure.ErrConfirm)
		require.Equal(t, checked, k.checksums(t))
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func TestADeletionThatIsKilledAnywhereIsResumed(t *testing.T) {
	var uses atomic.Int64
	var kill atomic.Pointer[func(int64)]
	k := newKitConfig(t, rls.Config{MaxConns: 4, Account: func(context.Context, rls.SystemUse) {
		if f := kill.Load(); f != nil {
			(*f)(uses.Add(1))
		}
	}})
	var want map[string]int64
	stride := int64(4) // every transaction in the long form
	if os.Getenv("TOMKIT_SOAK") == "1" {
		stride = 1
	}
	for step, round := int64(1), int64(1); ; step, round = step+stride, round+1 {
		slug := fmt.Sprintf("t-%d", step)
		id := k.tenant(t, slug)
		var c cache
		e := k.eraser(t, stores(&c), func(cfg *erasure.Config) { cfg.BatchRows = 10 })
		ctx, cancel := context.WithCancel(t.Context())
		stop := func(n int64) {
			if n == step {
				cancel()
			}
		}
		uses.Store(0)
		kill.Store(&stop)
		_, err := e.DeleteTenant(ctx, deletion(id, slug))
		kill.Store(nil)
		cancel()
		finished := err == nil
		if !finished {
			require.ErrorIs(t, err, context.Canceled)
			resumed, err := e.Resume(t.Context())
			require.NoError(t, err)
			require.LessOrEqual(t, len(resumed), 1, "none if only the answer was lost")
		}
		jobs, err := e.Jobs(t.Context())
		require.NoError(t, err)
		require.Equal(t, erasure.StepDone, jobs[0].Step)
		for _, j := range jobs {
			if j.Tenant != id {
				continue
			}
			if want == nil {
				want = j.Counts
			}
			require.Equal(t, want, j.Counts, "killed after transaction %d", step)
		}
		require.NoError(t, e.ProveErased(t.Context(), id))
		require.EqualValues(t, round, k.entries(t, k.operator, "tenant_erased"))
		require.EqualValues(t, round, k.entries(t, k.operator, "tenant_erasure_started"))
		if finished && step > 5 {
			t.Logf("killed at %d places in %d transactions", round-1, step)
			return
		}
	}
}

func TestStoresThatFail(t *testing.T) {
	k := newKit(t)
	id := k.tenant(t, "gone")
	var good, bad cache
	e := k.eraser(t, stores(&good, &bad), func(cfg *erasure.Config) { cfg.Attempts = 3 })
	bad.fail.Store(4)
	job, err := e.DeleteTenant(t.Context(), deletion(id, "gone"))
	require.ErrorIs(t, err, erasure.ErrStores)
	require.Equal(t, erasure.StepStores, job.Step)
	require.Equal(t, 3, job.Attempts)
	require.Equal(t, []string{"cache-0"}, job.Stores)
	t.Run("the job does not keep the store's words", func(t *testing.T) {
		require.Zero(t, k.count(t, `SELECT count(*) FROM tomkit.erasure_jobs j WHERE j::text LIKE '%hunter2%'`))
		require.Zero(t, k.entries(t, k.operator, "tenant_erased"))
	})
	bad.remain.Store(1)
	jobs, err := e.Resume(t.Context())
	require.NoError(t, err)
	require.Equal(t, erasure.StepDone, jobs[0].Step)
	require.EqualValues(t, 6, bad.calls.Load(), "four errors, a remainder, a confirmation")
	require.EqualValues(t, 1, good.calls.Load(), "who confirmed is not asked again")
	jobs, err = e.Resume(t.Context())
	require.NoError(t, err)
	require.Empty(t, jobs)
}

func TestTheProofFindsALeftover(t *testing.T) {
	k := newKit(t)
	id := k.tenant(t, "gone")
	e := k.eraser(t)
	job, err := e.DeleteTenant(t.Context(), deletion(id, "gone"))
	require.NoError(t, err)
	require.Equal(t, erasure.StepDone, job.Step)
	for name, c := range map[string]struct{ make, table string }{
		"in a table that nobody protected":             {`CREATE TABLE desk.forgotten AS SELECT '%s'::uuid AS tenant_id; GRANT SELECT ON desk.forgotten TO tomkit_system`, "desk.forgotten"},
		"in a table that the system login cannot read": {`CREATE TABLE desk.closed AS SELECT '%s'::uuid AS tenant_id`, "desk.closed"},
		"behind policies of somebody else":             {`CREATE TABLE desk.veiled AS SELECT '%s'::uuid AS tenant_id; GRANT SELECT ON desk.veiled TO tomkit_system; ALTER TABLE desk.veiled ENABLE ROW LEVEL SECURITY`, "desk.veiled"},
		"as text":                                      {`CREATE TABLE desk.worded AS SELECT '%s'::text AS tenant_id; GRANT SELECT ON desk.worded TO tomkit_system`, "desk.worded"},
		"in a materialised view":                       {`CREATE MATERIALIZED VIEW desk.summary AS SELECT '%s'::uuid AS tenant_id; GRANT SELECT ON desk.summary TO tomkit_system`, "desk.summary"},
		"in a table without a foreign key":             {`INSERT INTO desk.loose VALUES ('%s', gen_random_uuid())`, "desk.loose"},
	} {
		t.Run(name, func(t *testing.T) {
			k.exec(t, fmt.Sprintf(c.make, id))
			err := e.ProveErased(t.Context(), id)
			require.ErrorIs(t, err, erasure.ErrLeftover)
			require.ErrorContains(t, err, c.table)
			var left *erasure.LeftoverError
			require.ErrorAs(t, err, &left)
		})
	}
	t.Run("a job does not end on one", func(t *testing.T) {
		k.exec(t, `DROP TABLE desk.forgotten, desk.closed, desk.veiled, desk.worded`)
		k.exec(t, `DROP MATERIALIZED VIEW desk.summary; DELETE FROM desk.loose`)
		id := k.tenant(t, "next")
		var planted atomic.Bool
		plant := plantingStore(func(ctx context.Context) error {
			if planted.CompareAndSwap(false, true) {
				_, err := k.super.Exec(ctx, `INSERT INTO desk.loose VALUES ($1, gen_random_uuid())`, id)
				return err
			}
			return nil
		})
		e := k.eraser(t, func(cfg *erasure.Config) { cfg.Stores = []erasure.Store{{Name: "planter", Purger: plant}} })
		job, err := e.DeleteTenant(t.Context(), deletion(id, "next"))
		require.ErrorIs(t, err, erasure.ErrLeftover)
		require.Equal(t, erasure.StepRows, job.Step)
		require.Equal(t, "proof", job.Failed)
		jobs, err := e.Resume(t.Context())
		require.NoError(t, err)
		require.Equal(t, erasure.StepDone, jobs[0].Step)
		require.EqualValues(t, 2, jobs[0].Counts["desk.loose"])
	})
	t.Run("nor without its last entry", func(t *testing.T) {
		id := k.tenant(t, "last")
		k.recorder.failing("tenant_erased")
		job, err := e.DeleteTenant(t.Context(), deletion(id, "last"))
		require.ErrorIs(t, err, errRecorder)
		require.Equal(t, erasure.StepProof, job.Step)
		k.recorder.working()
		_, err = e.Resume(t.Context())
		require.NoError(t, err)
	})
}

// plantingStore leaves something behind while it is asked to clean up.
type plantingStore func(context.Context) error

func (p plantingStore) Purge(ctx context.Context, _ uuid.UUID) (erasure.Purged, error) {
	return erasure.Purged{}, p(ctx)
}

func TestAHoldPlacedMeanwhileStopsADeletion(t *testing.T) {
	k := newKit(t)
	id := k.tenant(t, "held")
	var e *erasure.Eraser
	ctx, cancel := context.WithCancel(t.Context())
	e = k.eraser(t, func(cfg *erasure.Config) { cfg.BatchRows, cfg.Progress = 3, func(int64) { cancel() } })
	_, err := e.DeleteTenant(ctx, deletion(id, "held"))
	require.ErrorIs(t, err, context.Canceled)
	hold, err := e.PlaceHold(t.Context(), erasure.Hold{Tenant: id, Reason: "litigation"}, erasure.By{})
	require.NoError(t, err)
	before := k.checksums(t, "tomkit.erasure_jobs")
	_, err = e.Resume(t.Context())
	require.ErrorIs(t, err, erasure.ErrHeld)
	require.Equal(t, before, k.checksums(t, "tomkit.erasure_jobs"))
	require.NoError(t, e.ReleaseHold(t.Context(), id, hold, erasure.By{}))
	_, err = e.Resume(t.Context())
	require.NoError(t, err)
	require.NoError(t, e.ProveErased(t.Context(), id))
}
