package pgledger_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// business adds a table of a product.
func (k kit) business(t testing.TB) {
	_, err := k.pg.Superuser(t).Exec(context.Background(), `CREATE TABLE public.business (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
GRANT SELECT, INSERT ON public.business TO tomkit_app, tomkit_system`)
	require.NoError(t, err)
}

func (k kit) rows(t testing.TB) (n int) {
	require.NoError(t, k.pg.Superuser(t).QueryRow(context.Background(), `SELECT count(*) FROM public.business`).Scan(&n))
	return n
}

func TestRecordTx(t *testing.T) {
	k := newKit(t)
	k.business(t)
	tenant := uuid.New()
	change := func(log *pgledger.Log, n int, events ...record.Event) error {
		return k.db.Tenant(tenant).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO public.business (n) VALUES ($1)`, n); err != nil {
				return err
			}
			for _, ev := range events {
				if err := log.RecordTx(ctx, tx, ev); err != nil {
					return err
				}
			}
			return nil
		})
	}
	t.Run("opens the log in the same transaction", func(t *testing.T) {
		require.NoError(t, change(k.log, 1, approval(tenant, 1)))
		requireIntact(t, k.log, tenant, 2)
	})
	t.Run("keeps the order of the calls", func(t *testing.T) {
		require.NoError(t, change(k.log, 2, system(tenant, 1), system(tenant, 2), approval(tenant, 3), system(tenant, 4)))
		page, err := k.log.Entries(t.Context(), tenant, ledger.Filter{Newest: true, Limit: 4})
		require.NoError(t, err)
		require.Equal(t, "device-4", page[0].EntityID)
		require.Equal(t, "r-3", page[1].EntityID)
		require.Equal(t, "device-1", page[3].EntityID)
	})
	head := func() ledger.Head {
		h, err := k.log.Head(t.Context(), tenant)
		require.NoError(t, err)
		return h
	}
	t.Run("a rollback leaves neither row nor entry", func(t *testing.T) {
		before, rows := head(), k.rows(t)
		err := k.db.Tenant(tenant).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO public.business (n) VALUES (77)`); err != nil {
				return err
			}
			if err := k.log.RecordTx(ctx, tx, system(tenant, 9)); err != nil {
				return err
			}
			return errors.New("changed my mind")
		})
		require.Error(t, err)
		require.Equal(t, before, head())
		require.Equal(t, rows, k.rows(t))
	})
	t.Run("an entry that cannot be written takes the row with it", func(t *testing.T) {
		rows := k.rows(t)
		cfg := config()
		cfg.Now = func() time.Time { return time.Now().Add(time.Hour) }
		require.ErrorIs(t, change(k.open(t, cfg), 78, system(tenant, 1)), ledger.ErrClock)
		ev := system(tenant, 1)
		ev.Action = "BAD"
		require.ErrorIs(t, change(k.log, 79, ev), ledger.ErrInvalid)
		require.Equal(t, rows, k.rows(t))
	})
	t.Run("a row that COMMIT refuses takes the entry with it", func(t *testing.T) {
		before := head()
		require.Error(t, change(k.log, 1, system(tenant, 1)), "n = 1 is there, and the constraint is deferred")
		require.Equal(t, before, head())
		require.NoError(t, change(k.log, 80, system(tenant, 1)), "the log goes on")
		requireIntact(t, k.log, tenant, int(before.Size)+1)
	})
	t.Run("another tenant's event is refused", func(t *testing.T) {
		require.ErrorIs(t, change(k.log, 81, system(uuid.New(), 1)), ledger.ErrInvalid)
	})
	t.Run("a cancelled context writes nothing", func(t *testing.T) {
		before := head()
		ctx, cancel := context.WithCancel(t.Context())
		err := k.db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
			if err := k.log.RecordTx(ctx, tx, system(tenant, 1)); err != nil {
				return err
			}
			cancel()
			return nil
		})
		require.Error(t, err)
		require.Equal(t, before, head())
	})
	t.Run("two logs do not share a transaction", func(t *testing.T) {
		other := k.open(t, config())
		err := k.db.Tenant(tenant).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			if err := k.log.RecordTx(ctx, tx, system(tenant, 1)); err != nil {
				return err
			}
			return other.RecordTx(ctx, tx, system(tenant, 1))
		})
		require.ErrorIs(t, err, ledger.ErrInvalid)
	})
}

func TestRecordTxInASystemScope(t *testing.T) {
	k := newKit(t)
	k.business(t)
	tenants := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	sweep := func(log *pgledger.Log, order []int) error {
		return k.db.System(t.Context(), "sweep", func(ctx context.Context, tx *rls.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO public.business DEFAULT VALUES`); err != nil {
				return err
			}
			for _, i := range order {
				if err := log.RecordTx(ctx, tx, system(tenants[i], i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, sweep(k.log, []int{2, 0, 1, 0}))
	other := k.open(t, config())
	var all sync.WaitGroup
	for i := range 12 { // opposite orders must not wait for each other
		all.Go(func() {
			order := []int{0, 1, 2}
			log := k.log
			if i%2 == 0 {
				slices.Reverse(order)
				log = other
			}
			for range 5 {
				if err := sweep(log, order); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	requireIntact(t, k.log, tenants[0], 1+2+60)
	requireIntact(t, k.log, tenants[1], 1+1+60)
	requireIntact(t, other, tenants[2], 1+1+60)
	require.Equal(t, 61, k.rows(t))
}

func TestAppendAndRecordTxShareALog(t *testing.T) {
	k := newKit(t)
	k.business(t)
	// As many writers as connections: a batcher that held its turn while waiting for a connection would hang here.
	k.db = k.pg.OpenConfig(t, rls.Config{MaxConns: 4})
	logs := []*pgledger.Log{k.open(t, config()), k.open(t, config())}
	tenant := uuid.New()
	var all sync.WaitGroup
	for w := range 16 {
		all.Go(func() {
			for i := range 10 {
				var err error
				if w%2 == 0 {
					_, err = logs[w/2%2].Append(context.Background(), login(tenant, i))
				} else {
					err = k.db.Tenant(tenant).InTx(context.Background(), func(ctx context.Context, tx *rls.Tx) error {
						if _, err := tx.Exec(ctx, `INSERT INTO public.business DEFAULT VALUES`); err != nil {
							return err
						}
						return logs[w/2%2].RecordTx(ctx, tx, approval(tenant, i))
					})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.Equal(t, 80, k.rows(t))
	requireIntact(t, logs[0], tenant, 161)
}

// foreign is somebody else's sealer.
type foreign struct{}

func (foreign) Seal(_ context.Context, _ pgx.Tx, commit rls.Commit) error {
	return commit(&pgx.Batch{}, nil)
}

func TestRecordTxRefusesAForeignSealer(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	err := k.db.Tenant(tenant).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
		tx.Sealer(func() rls.Sealer { return foreign{} })
		return k.log.RecordTx(ctx, tx, system(tenant, 1))
	})
	require.ErrorIs(t, err, ledger.ErrInvalid)
}

func TestPersonalValuesAreNowhereInPlain(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 20)
	var dump bytes.Buffer
	conn, err := k.pg.Superuser(t).Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	for _, table := range ledgerTables {
		if table != "ledger_openings" {
			_, err = conn.Conn().PgConn().CopyTo(t.Context(), &dump, "COPY tomkit."+table+" TO STDOUT")
			require.NoError(t, err)
		}
	}
	require.NotContains(t, dump.String(), "klinikum.de")
	require.NotContains(t, dump.String(), "192.0.2.7")
}
