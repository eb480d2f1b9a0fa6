package pgledger_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// kilobyte is an event of about 1 KiB in canonical form.
func kilobyte(tenant uuid.UUID, n int) record.Event {
	ev := system(tenant, n)
	ev.Details = map[string]any{"n": n, "report": strings.Repeat("abcdefgh", 88)}
	return ev
}

// writers runs b.N operations in n goroutines.
func writers(b *testing.B, n int, op func(worker, i int) error) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for w := range n { // opens connections and prepares statements
		all.Go(func() {
			if err := op(w, -w); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	b.ReportAllocs()
	b.ResetTimer()
	for w := range n {
		all.Go(func() {
			for {
				i := int(next.Add(1))
				if i > b.N {
					return
				}
				if err := op(w, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 32, 1024} {
		b.Run(fmt.Sprintf("writers=%d", n), func(b *testing.B) {
			k := newKit(b)
			tenant := uuid.New()
			k.fill(b, tenant, 1)
			writers(b, n, func(_, i int) error {
				_, err := k.log.Append(context.Background(), kilobyte(tenant, i))
				return err
			})
		})
	}
}

func BenchmarkAppendBatch500(b *testing.B) {
	k := newKit(b)
	tenant := uuid.New()
	k.fill(b, tenant, 1)
	events := make([]record.Event, 500)
	for i := range events {
		events[i] = kilobyte(tenant, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.log.AppendBatch(context.Background(), events); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "entries/s")
}

// naive is the documented path without a batcher: lock, read the head, insert, commit, each a round trip, into a table
// without protection.
type naive struct {
	pool   *pgxpool.Pool
	tenant uuid.UUID
}

func newNaive(b *testing.B, k kit) naive {
	pool := k.pg.Superuser(b)
	cfg := pool.Config()
	cfg.MaxConns = 32
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	_, err = pool.Exec(b.Context(), `CREATE TABLE naive (LIKE tomkit.audit_logs INCLUDING INDEXES);
CREATE TABLE business (id uuid PRIMARY KEY, n int)`)
	require.NoError(b, err)
	return naive{pool, uuid.New()}
}

func (n naive) record(ctx context.Context, i int, business bool) error {
	return pgx.BeginFunc(ctx, n.pool, func(tx pgx.Tx) error {
		if business {
			if _, err := tx.Exec(ctx, `INSERT INTO business VALUES ($1, $2)`, uuid.New(), i); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(1, hashtext($1::text))`, n.tenant.String()); err != nil {
			return err
		}
		var seq int64
		var previous string
		err := tx.QueryRow(ctx, `SELECT seq, current_hash FROM naive WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1`, n.tenant).Scan(&seq, &previous)
		if err == pgx.ErrNoRows {
			seq, previous = -1, strings.Repeat("0", 64)
		} else if err != nil {
			return err
		}
		at := time.Now().UTC().Truncate(time.Microsecond)
		sum := sha256.Sum256([]byte(previous + "login" + "x" + "y" + at.Format(time.RFC3339Nano)))
		_, err = tx.Exec(ctx, `INSERT INTO naive (tenant_id, seq, id, action, entity_type, entity_id, details, nis2_narrative, previous_hash,
current_hash, created_at, class, scheme, leaf_hash) VALUES ($1, $2, $3, 'login', 'user', 'x', $4, 'y', $5, $6, $7, 'normal', 'bound', '')`,
			n.tenant, seq+1, uuid.New(), `{"report":"`+strings.Repeat("abcdefgh", 88)+`"}`, previous, hex.EncodeToString(sum[:]), at)
		return err
	})
}

func BenchmarkNaive(b *testing.B) {
	for _, n := range []int{1, 32} {
		b.Run(fmt.Sprintf("writers=%d", n), func(b *testing.B) {
			naive := newNaive(b, newKit(b))
			writers(b, n, func(_, i int) error { return naive.record(context.Background(), i, false) })
		})
	}
}

func BenchmarkRecordTx(b *testing.B) {
	b.Run("naive", func(b *testing.B) {
		naive := newNaive(b, newKit(b))
		writers(b, 32, func(_, i int) error { return naive.record(context.Background(), i, true) })
	})
	b.Run("tomkit", func(b *testing.B) {
		k := newKit(b)
		tenant := uuid.New()
		k.fill(b, tenant, 1)
		super := k.pg.Superuser(b)
		_, err := super.Exec(b.Context(), `CREATE TABLE public.business (id uuid PRIMARY KEY, n int); GRANT INSERT ON public.business TO tomkit_app`)
		require.NoError(b, err)
		db := k.pg.OpenConfig(b, rls.Config{MaxConns: 32})
		k.db = db
		log := k.open(b, config())
		writers(b, 32, func(_, i int) error {
			return db.Tenant(tenant).InTx(context.Background(), func(ctx context.Context, tx *rls.Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO public.business VALUES ($1, $2)`, uuid.New(), i); err != nil {
					return err
				}
				return log.RecordTx(ctx, tx, kilobyte(tenant, i))
			})
		})
	})
}

// BenchmarkCopy is the yardstick of AppendBatch: raw COPY of rows of the same size into an unprotected table.
func BenchmarkCopy500(b *testing.B) {
	k := newKit(b)
	naive := newNaive(b, k)
	details := `{"report":"` + strings.Repeat("abcdefgh", 88) + `"}`
	hash := strings.Repeat("ab", 32)
	seq := int64(0)
	for b.Loop() {
		rows := make([][]any, 500)
		for i := range rows {
			rows[i] = []any{naive.tenant, seq, uuid.New(), "device_enrolled", "device", "device-1", details,
				"Gerät ward-1 wurde am 2026-11-23T07:28:54Z registriert.", hash, hash, time.Now(), "normal", "bound", make([]byte, 32)}
			seq++
		}
		_, err := naive.pool.CopyFrom(b.Context(), pgx.Identifier{"naive"}, []string{"tenant_id", "seq", "id", "action", "entity_type",
			"entity_id", "details", "nis2_narrative", "previous_hash", "current_hash", "created_at", "class", "scheme", "leaf_hash"}, pgx.CopyFromRows(rows))
		require.NoError(b, err)
	}
	b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "entries/s")
}
