package erasure_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
)

const order = `INSERT INTO desk.orders VALUES ($1, gen_random_uuid(), now())`

// TestAWriterThatIsNotDoneIsWaitedFor holds a row back until the deletion has come to the tenant itself.
func TestAWriterThatIsNotDoneIsWaitedFor(t *testing.T) {
	k := newKit(t)
	id := k.tenant(t, "gone")
	e := k.eraser(t)
	before := k.count(t, `SELECT count(*) FROM desk.orders WHERE tenant_id = $1`, id)
	type outcome struct {
		job erasure.Job
		err error
	}
	done := make(chan outcome, 1)
	var once sync.Once
	require.NoError(t, k.db.Tenant(id).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
		if _, err := tx.Exec(ctx, order, id); err != nil {
			return err
		}
		once.Do(func() {
			go func() {
				job, err := e.DeleteTenant(context.Background(), deletion(id, "gone"))
				done <- outcome{job, err}
			}()
			for waiting := int64(0); waiting == 0 && len(done) == 0; {
				waiting = k.count(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
			}
		})
		return nil
	}))
	o := <-done
	require.NoError(t, o.err)
	require.Equal(t, before+1, o.job.Counts["desk.orders"], "the row of the writer that was not done is among them")
	require.NoError(t, e.ProveErased(t.Context(), id))
	_, err := k.db.Tenant(id).Exec(t.Context(), order, id)
	requireNoParent(t, err)
}

// TestRowsThatComeDuringADeletionAreCounted has writers that go on until there is no tenant any more.
func TestRowsThatComeDuringADeletionAreCounted(t *testing.T) {
	k := newKit(t)
	id, neighbour := k.tenant(t, "gone"), k.tenant(t, "stays")
	const each = 100
	written := make([]int64, 4)
	begun := make(chan struct{}, len(written))
	var wg sync.WaitGroup
	errs := make([]error, len(written))
	for i := range written {
		wg.Go(func() {
			for n := range each {
				if _, errs[i] = k.db.Tenant(id).Exec(context.Background(), order, id); errs[i] != nil {
					break
				}
				written[i]++
				if n == 0 {
					begun <- struct{}{}
				}
			}
		})
	}
	for range written {
		<-begun
	}
	job, err := k.eraser(t).DeleteTenant(t.Context(), deletion(id, "gone"))
	wg.Wait()
	require.NoError(t, err)
	want := k.count(t, `SELECT count(*) FROM desk.orders WHERE tenant_id = $1`, neighbour) // two tenants began alike
	for i := range written {
		want += written[i]
		if errs[i] != nil {
			requireNoParent(t, errs[i])
		}
	}
	require.Equal(t, want, job.Counts["desk.orders"])
	require.NoError(t, k.eraser(t).ProveErased(t.Context(), id))
}

func requireNoParent(t *testing.T, err error) {
	t.Helper()
	var pg *pgconn.PgError
	require.True(t, errors.As(err, &pg), err)
	require.Equal(t, "23503", pg.Code, err)
}
