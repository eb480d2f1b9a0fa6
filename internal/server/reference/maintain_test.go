package reference_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/server/reference"
	"github.com/pioneerdesk/tomkit/rls"
)

func (k *kit) maintain(now time.Time, keep int) (m reference.Maintained, err error) {
	err = k.db.System(context.Background(), "test", func(ctx context.Context, tx *rls.Tx) error {
		m, err = reference.Maintain(ctx, tx, now, keep)
		return err
	})
	return m, err
}

const partitions = `SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'tomkit.device_events'::regclass ORDER BY 1`

func month(now time.Time, n int) string {
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, n, 0).Format("device_events_2006_01")
}

func TestPartitionsAreMadeAndDropped(t *testing.T) {
	k := newKit(t)
	now := time.Now().UTC()
	const event = `INSERT INTO tomkit.device_events (tenant_id, device_id, kind, occurred_at) VALUES (@tenant, @device, 'boot', @at)`
	at := func(n int) pgx.NamedArgs {
		return pgx.NamedArgs{"at": time.Date(now.Year(), now.Month(), 15, 12, 0, 0, 0, time.UTC).AddDate(0, n, 0)}
	}
	t.Run("the schema comes with last month to six months ahead", func(t *testing.T) {
		var want []string
		for n := -1; n <= 6; n++ {
			want = append(want, month(now, n))
			k.ward.do(t, event, at(n))
			k.lab.do(t, event, at(n))
		}
		require.Equal(t, want, k.list(t, partitions))
		k.ward.refused(t, noSuchPlace, event, at(7))
		k.ward.refused(t, noSuchPlace, event, at(-2))
	})
	t.Run("nothing is made twice", func(t *testing.T) {
		m, err := k.maintain(now, 24)
		require.NoError(t, err)
		require.Zero(t, m.Made)
		require.Empty(t, m.Dropped)
	})
	t.Run("time goes on: months ahead are made, old ones go, the rest stays", func(t *testing.T) {
		later := time.Date(now.Year(), now.Month(), 28, 23, 0, 0, 0, time.UTC).AddDate(0, 3, 0)
		var wg sync.WaitGroup
		made, errs := make([]int, 4), make([]error, 4)
		for i := range made { // four processes at once
			wg.Go(func() {
				m, err := k.maintain(later, 24)
				made[i], errs[i] = m.Made, err
			})
		}
		wg.Wait()
		total := 0
		for i := range made {
			require.NoError(t, errs[i])
			total += made[i]
		}
		require.Equal(t, 3, total)
		k.ward.do(t, event, at(9))
		require.Equal(t, 9, k.ward.count(t, "device_events", nil))
	})
	t.Run("every partition is shut, and seen through the table only", func(t *testing.T) {
		for _, name := range k.list(t, partitions) {
			for _, s := range []rls.Scope{k.ward.Scope, k.db.MSP(k.ward.msp)} {
				for _, sql := range []string{"SELECT * FROM tomkit." + name, "INSERT INTO tomkit." + name + " DEFAULT VALUES", "DELETE FROM tomkit." + name} {
					_, err := s.Exec(t.Context(), sql)
					requireCode(t, denied, err, sql)
				}
			}
			require.Equal(t, []string{"t"}, k.list(t, "SELECT CASE WHEN relrowsecurity AND relforcerowsecurity THEN 't' END FROM pg_class WHERE oid = to_regclass('tomkit.' || $1)", name))
		}
		require.Equal(t, 8, k.lab.count(t, "device_events", nil))
	})
	t.Run("old months go with all tenants' rows, at their time and not before", func(t *testing.T) {
		old := month(now, -4)
		require.NoError(t, k.system(t, func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Exec(ctx, "SELECT tomkit.device_events_prepare($1, 1)", at(-4)["at"])
			return err
		}))
		k.ward.do(t, event, at(-4))
		m, err := k.maintain(now, 5)
		require.NoError(t, err)
		require.Empty(t, m.Dropped)
		m, err = k.maintain(now, 2)
		require.NoError(t, err)
		require.Equal(t, []string{old}, m.Dropped)
		require.Equal(t, 9, k.ward.count(t, "device_events", nil))
		require.NotContains(t, k.list(t, partitions), old)
	})
	t.Run("a hold of any tenant keeps them all", func(t *testing.T) {
		old := month(now, -4)
		require.NoError(t, k.system(t, func(ctx context.Context, tx *rls.Tx) error {
			_, err := tx.Exec(ctx, "SELECT tomkit.device_events_prepare($1, 1)", at(-4)["at"])
			return err
		}))
		for _, held := range []struct {
			sql  string
			gone []string
		}{
			{`INSERT INTO tomkit.legal_holds (tenant_id, id, reason, placed_at) VALUES ($1, gen_random_uuid(), 'litigation', now())`, nil},
			{`UPDATE tomkit.legal_holds SET until = now() + interval '1 hour' WHERE tenant_id = $1`, nil},
			{`UPDATE tomkit.legal_holds SET released_at = now() WHERE tenant_id = $1`, []string{old}},
		} {
			_, err := k.super.Exec(t.Context(), held.sql, k.lab.tenant)
			require.NoError(t, err)
			m, err := k.maintain(now, 2)
			require.NoError(t, err)
			require.Equal(t, held.gone, m.Dropped, held.sql)
		}
	})
	t.Run("recent events cannot be dropped by mistake", func(t *testing.T) {
		before := k.list(t, partitions)
		for _, keep := range []int{-1, 0, 121} {
			_, err := k.maintain(now, keep)
			require.ErrorIs(t, err, reference.ErrKeep)
		}
		_, err := k.maintain(now.AddDate(3, 0, 0), 1) // a clock that runs ahead
		requireCode(t, invalidValue, err)
		for _, sql := range []string{"SELECT tomkit.device_events_drop(now())", "SELECT tomkit.device_events_drop(NULL)", "SELECT tomkit.device_events_drop('infinity')",
			"SELECT tomkit.device_events_prepare(current_date, 0)", "SELECT tomkit.device_events_prepare(current_date, 37)", "SELECT tomkit.device_events_prepare(NULL, 1)"} {
			err := k.system(t, func(ctx context.Context, tx *rls.Tx) error {
				_, err := tx.Exec(ctx, sql)
				return err
			})
			requireCode(t, invalidValue, err, sql)
		}
		require.Equal(t, before, k.list(t, partitions))
	})
	t.Run("only the system login maintains", func(t *testing.T) {
		for _, s := range []rls.Scope{k.ward.Scope, k.db.MSP(k.ward.msp), k.db.Anonymous()} {
			require.Error(t, s.InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				_, err := reference.Maintain(ctx, tx, now, 24)
				return err
			}))
		}
	})
}

func ExampleTables() {
	for _, table := range reference.Tables()[:3] {
		fmt.Println(table.Name, "|", table.Category, "|", table.Holds.DE, "|", table.Holds.EN)
	}
	// Output:
	// tomkit.ai_knowledge_base | knowledge | Wissen aus gelösten Tickets | knowledge from solved tickets
	// tomkit.alert_history | monitoring | ausgelöste Alarme und ihre Bearbeitung | alerts raised and their handling
	// tomkit.alert_rule_channels | monitoring | welche Regel wen benachrichtigt | which rule notifies whom
}
