package rls_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
)

// TestTenantsHammerAPooler has 64 connections of two tenants share four of the server, while some of them leave behind on
// those whatever a session can keep.
func TestTenantsHammerAPooler(t *testing.T) {
	const clients, rounds = 64, 30
	f := newPooled(t, nil, rls.Config{MaxConns: clients})
	var foreign, reads atomic.Int64
	var mu sync.Mutex
	served := map[int]map[uuid.UUID]bool{} // by server process
	stolen := rls.Context(f.db.Tenant(f.b))
	one := func(ctx context.Context, id uuid.UUID, n int) error {
		s := f.db.Tenant(id)
		seen := func(pid int, id uuid.UUID, others int) {
			reads.Add(1)
			foreign.Add(int64(others))
			mu.Lock()
			defer mu.Unlock()
			if served[pid] == nil {
				served[pid] = map[uuid.UUID]bool{}
			}
			served[pid][id] = true
		}
		const look = "SELECT pg_backend_pid(), count(*) FILTER (WHERE tenant_id <> $1) FROM tomkit.devices"
		var pid, others int
		switch n % 8 {
		case 0:
			if err := s.QueryRow(ctx, look, id).Scan(&pid, &others); err != nil {
				return err
			}
			seen(pid, id, others)
		case 1:
			return s.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
				for range 3 {
					if err := tx.QueryRow(ctx, look, id).Scan(&pid, &others); err != nil {
						return err
					}
					seen(pid, id, others)
				}
				return nil
			})
		case 2:
			b := &pgx.Batch{}
			for range 5 {
				b.Queue(look, id).QueryRow(func(row pgx.Row) error {
					err := row.Scan(&pid, &others)
					seen(pid, id, others)
					return err
				})
			}
			br, err := s.Batch(ctx, b)
			if err != nil {
				return err
			}
			return br.Close()
		case 3: // nobody sees anything, whatever was left behind
			if err := f.db.Anonymous().QueryRow(ctx, look, uuid.Nil).Scan(&pid, &others); err != nil {
				return err
			}
			seen(pid, uuid.Nil, others)
		case 4: // a stolen context and one's own, left for the session
			_, err := s.Exec(ctx, "SELECT set_config('app.tenant_id', $1, false), set_config('app.bypass_rls', 'on', false)", stolen)
			return err
		case 5:
			_, err := s.Exec(ctx, "SELECT set_config('app.tenant_id', current_setting('app.tenant_id'), false)")
			return err
		case 6:
			_, err := s.Exec(ctx, "RESET ALL")
			return err
		case 7: // an error in the middle, after a setting for the session that it undoes
			_, err := s.Exec(ctx, "SELECT set_config('app.tenant_id', $1, false), 1/0", stolen)
			if err == nil {
				return errors.New("no error")
			}
		}
		return nil
	}
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			id := []uuid.UUID{f.a, f.b}[c%2]
			for n := range rounds {
				if err := one(t.Context(), id, c/2+n); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	require.Zero(t, foreign.Load())
	require.Greater(t, reads.Load(), int64(clients*rounds/2))
	require.LessOrEqual(t, len(served), 4)
	shared := 0
	for _, who := range served {
		shared = max(shared, len(who))
	}
	require.Equal(t, 3, shared, "no process served A, B and nobody")
}

// left returns what a client without a scope finds in app.tenant_id, and how many rows it sees.
func left(t *testing.T, pool *pgxpool.Pool) (setting string, rows int) {
	t.Helper()
	err := pool.QueryRow(t.Context(), "SELECT COALESCE(current_setting('app.tenant_id', true), ''), count(*) FROM tomkit.devices",
		pgx.QueryExecModeExec).Scan(&setting, &rows)
	require.NoError(t, err)
	return setting, rows
}

func TestSettingsLeftInAPooler(t *testing.T) {
	one := map[string]string{"default_pool_size": "1"}
	t.Run("a stolen context that a client sets for its session reaches no scope", func(t *testing.T) {
		f := newPooled(t, one, rls.Config{})
		raw := f.pooler.Pool(t, rls.RoleApp)
		stolen := rls.Context(f.db.Tenant(f.b))
		for _, steal := range []string{"SET app.tenant_id = '" + stolen + "'", "SELECT set_config('app.tenant_id', '" + stolen + "', false)"} {
			_, err := raw.Exec(t.Context(), steal)
			require.NoError(t, err)
			setting, rows := left(t, raw)
			require.Equal(t, stolen, setting, "the next client without a scope has it: this is what the test is about")
			require.Equal(t, rowsB, rows)
			require.Equal(t, rowsA, count(t, f.db.Tenant(f.a), countDevices))
			require.Zero(t, count(t, f.db.Tenant(f.a), countDevices+" WHERE tenant_id = $1", f.b))
			require.Zero(t, count(t, f.db.Anonymous(), countDevices))
			require.Zero(t, count(t, f.db.Tenant(uuid.New()), countDevices))
			require.NoError(t, f.db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				var n int
				err := tx.Conn().QueryRow(ctx, countDevices).Scan(&n)
				require.Equal(t, rowsA, n, "on the bare connection of a transaction")
				return err
			}))
			setting, _ = left(t, raw)
			require.Equal(t, stolen, setting, "and it comes back when the scopes are gone")
			_, err = raw.Exec(t.Context(), "RESET app.tenant_id")
			require.NoError(t, err)
			setting, rows = left(t, raw)
			require.Empty(t, setting)
			require.Zero(t, rows)
		}
	})
	t.Run("a scope leaves nothing for a client without one", func(t *testing.T) {
		f := newPooled(t, one, rls.Config{})
		raw := f.pooler.Pool(t, rls.RoleApp)
		for range 3 {
			everyScope(t, f.fixture, f.db)
			setting, rows := left(t, raw)
			require.Empty(t, setting)
			require.Zero(t, rows)
		}
	})
	t.Run("the bypass that a client sets for its session is nothing on the request login", func(t *testing.T) {
		f := newPooled(t, one, rls.Config{})
		_, err := f.pooler.Pool(t, rls.RoleApp).Exec(t.Context(), "SET app.bypass_rls = 'on'")
		require.NoError(t, err)
		require.Equal(t, rowsA, count(t, f.db.Tenant(f.a), countDevices))
		require.Zero(t, count(t, f.db.Anonymous(), countDevices))
	})
	t.Run("server_reset_query_always takes it away after each transaction", func(t *testing.T) {
		f := newPooled(t, map[string]string{"default_pool_size": "1", "server_reset_query": "DISCARD ALL", "server_reset_query_always": "1"}, rls.Config{})
		raw := f.pooler.Pool(t, rls.RoleApp)
		_, err := raw.Exec(t.Context(), "SET app.tenant_id = '"+rls.Context(f.db.Tenant(f.b))+"'")
		require.NoError(t, err)
		setting, rows := left(t, raw)
		require.Empty(t, setting)
		require.Zero(t, rows)
		everyScope(t, f.fixture, f.db)
	})
	t.Run("DISCARD and RESET inside a scope end in no rows, not in others'", func(t *testing.T) {
		f := newPooled(t, one, rls.Config{})
		_, err := f.pooler.Pool(t, rls.RoleApp).Exec(t.Context(), "SET app.tenant_id = '"+rls.Context(f.db.Tenant(f.b))+"'")
		require.NoError(t, err)
		_, err = f.db.Tenant(f.a).Exec(t.Context(), "DISCARD ALL")
		requireCode(t, "25001", err)
		for _, reset := range []string{"RESET app.tenant_id", "RESET ALL", "SET app.tenant_id TO DEFAULT"} {
			require.NoError(t, f.db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				_, err := tx.Exec(ctx, reset)
				require.NoError(t, err)
				var n int
				require.NoError(t, tx.QueryRow(ctx, countDevices).Scan(&n))
				require.Zero(t, n, reset)
				return nil
			}))
		}
		require.Equal(t, rowsA, count(t, f.db.Tenant(f.a), countDevices))
	})
}
