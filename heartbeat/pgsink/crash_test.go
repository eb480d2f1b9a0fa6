package pgsink_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/pgsink"
	"github.com/pioneerdesk/tomkit/rls"
)

func TestKilledBackends(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	ids := f.devices(t, tenant, 64)
	s := f.running(t, pgsink.Config{})

	stop := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(15 * time.Millisecond):
				_, _ = f.super.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
					WHERE usename = $1 AND datname = current_database() AND state <> 'idle'`, rls.RoleSystem)
			}
		}
	})
	var wg sync.WaitGroup
	var confirmed, refused atomic.Int64
	acknowledged := make([]time.Time, len(ids))
	for i, id := range ids {
		wg.Go(func() {
			for n := range 60 {
				at := noon.Add(time.Duration(n) * time.Second)
				switch err := s.Accept(context.Background(), beat(tenant, id, at)); {
				case err == nil:
					confirmed.Add(1)
					acknowledged[i] = at
				case errors.Is(err, heartbeat.ErrUnavailable):
					refused.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	killer.Wait()
	for i, id := range ids {
		if !acknowledged[i].IsZero() {
			require.False(t, f.lastSeen(t, id).Before(acknowledged[i]), "an acknowledged beat is there")
		}
	}
	require.Positive(t, confirmed.Load())
	t.Logf("confirmed %d, not confirmed %d", confirmed.Load(), refused.Load())
}

func TestABackendThatDiesInTheMiddle(t *testing.T) {
	// The sequence survives rollbacks: each try dies until it has counted up to $1.
	const fixture = `
CREATE SEQUENCE public.tries;
GRANT USAGE ON SEQUENCE public.tries TO PUBLIC;
CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	IF nextval('public.tries') <= %d THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60); END IF;
	RETURN NULL;
END$$;
CREATE %s ON tomkit.heartbeats %s EXECUTE FUNCTION public.die()`
	points := map[string][2]string{
		"during the statement": {"TRIGGER die AFTER INSERT", "FOR EACH STATEMENT"},
		"during COMMIT":        {"CONSTRAINT TRIGGER die AFTER INSERT", "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"},
	}
	for name, point := range points {
		t.Run(name+" twice is overcome", func(t *testing.T) {
			f := newFixture(t)
			tenant := f.Tenant(t, "ward")
			device := f.devices(t, tenant, 1)[0]
			_, err := f.super.Exec(t.Context(), fmt.Sprintf(fixture, 2, point[0], point[1]))
			require.NoError(t, err)
			s := f.running(t, pgsink.Config{})
			require.NoError(t, s.Accept(t.Context(), beat(tenant, device, noon)))
			require.Equal(t, noon, f.lastSeen(t, device))
		})
		t.Run(name+" again and again is not confirmed", func(t *testing.T) {
			f := newFixture(t)
			tenant := f.Tenant(t, "ward")
			device := f.devices(t, tenant, 1)[0]
			_, err := f.super.Exec(t.Context(), fmt.Sprintf(fixture, 1000, point[0], point[1]))
			require.NoError(t, err)
			s := f.running(t, pgsink.Config{})
			require.ErrorIs(t, s.Accept(t.Context(), beat(tenant, device, noon)), heartbeat.ErrUnavailable)
			require.Zero(t, f.count(t, `SELECT count(*) FROM tomkit.heartbeats`))
		})
	}
}

func TestAnUnreachableDatabaseConfirmsNothing(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	device := f.devices(t, tenant, 1)[0]
	scopes := f.OpenConfig(t, rls.Config{})
	s, err := pgsink.New(scopes, pgsink.Config{})
	require.NoError(t, err)
	scopes.Close()
	_, err = s.Write(t.Context(), []heartbeat.Beat{beat(tenant, device, noon)})
	var e *pgsink.WriteError
	require.ErrorAs(t, err, &e)
	require.Zero(t, f.count(t, `SELECT count(*) FROM tomkit.heartbeats`))
}

func TestACancelledWriteConfirmsNothing(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	device := f.devices(t, tenant, 1)[0]
	s := f.sink(t, pgsink.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Write(ctx, []heartbeat.Beat{beat(tenant, device, noon)})
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, f.count(t, `SELECT count(*) FROM tomkit.heartbeats`))
}

func TestErrorsRepeatNoData(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	device := f.devices(t, tenant, 1)[0]
	s := f.sink(t, pgsink.Config{})
	_, err := f.super.Exec(t.Context(), `CREATE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN RAISE EXCEPTION 'tenant % device %', NEW.tenant_id, NEW.device_id; END$$;
		CREATE TRIGGER tell BEFORE INSERT ON tomkit.heartbeats FOR EACH ROW EXECUTE FUNCTION public.tell()`)
	require.NoError(t, err)
	_, err = s.Write(t.Context(), []heartbeat.Beat{beat(tenant, device, noon)})
	var e *pgsink.WriteError
	require.ErrorAs(t, err, &e)
	require.Equal(t, "P0001", e.SQLState)
	require.NotContains(t, err.Error(), tenant.String())
	require.NotContains(t, err.Error(), device.String())
}

func TestOverloadAndDepartures(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	ids := f.devices(t, tenant, 40)
	s := f.running(t, pgsink.Config{
		LockWait: time.Minute,
		Commit:   heartbeat.CommitConfig{InFlight: 1, MaxBatch: 1, Queue: 8},
	})
	tx, err := f.super.Begin(t.Context()) // somebody holds the table
	require.NoError(t, err)
	defer tx.Rollback(context.Background())
	_, err = tx.Exec(t.Context(), `LOCK TABLE tomkit.heartbeats IN SHARE MODE`)
	require.NoError(t, err)

	leaving, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- s.Accept(leaving, beat(tenant, ids[0], noon)) }()
	require.Eventually(t, func() bool {
		return f.count(t, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = $1`, rls.RoleSystem) == 1
	}, time.Minute, time.Millisecond)

	answers := make(chan error, len(ids))
	for _, id := range ids[1:] {
		go func() { answers <- s.Accept(context.Background(), beat(tenant, id, noon)) }()
	}
	for range len(ids) - 1 - 8 {
		require.ErrorIs(t, <-answers, heartbeat.ErrOverloaded, "the queue holds eight")
	}
	leave()
	require.ErrorIs(t, <-first, context.Canceled, "who leaves need not wait")
	require.NoError(t, tx.Rollback(t.Context()))
	for range 8 {
		require.NoError(t, <-answers, "who was queued is served")
	}
	require.Equal(t, noon, f.lastSeen(t, ids[0]), "what was received is written all the same")
	require.EqualValues(t, len(ids)-1-8, s.Stats().Overloaded)
}

func TestRunLeavesNoGoroutine(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	device := f.devices(t, tenant, 1)[0]
	warm := f.sink(t, pgsink.Config{}) // the pool's own goroutines
	_, err := warm.Write(t.Context(), []heartbeat.Beat{beat(tenant, device, noon)})
	require.NoError(t, err)
	before := goleak.IgnoreCurrent()

	s := f.sink(t, pgsink.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	require.NoError(t, s.Accept(t.Context(), beat(tenant, device, noon.Add(time.Second))))
	cancel()
	require.NoError(t, <-done)
	require.ErrorIs(t, s.Accept(t.Context(), beat(tenant, uuid.New(), noon)), heartbeat.ErrOverloaded)
	goleak.VerifyNone(t, before, goleak.IgnoreTopFunction("github.com/jackc/puddle/v2.(*Pool[...]).initResourceValue"))
}
