package pgledger_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

// requireIntact verifies the log and expects exactly size entries.
func requireIntact(t testing.TB, log *pgledger.Log, tenant uuid.UUID, size int) {
	t.Helper()
	report, err := log.VerifyChain(context.Background(), tenant, pgledger.VerifyOptions{})
	require.NoError(t, err)
	require.True(t, report.Intact(), "%+v", report.Findings)
	require.EqualValues(t, size, report.Entries)
}

func TestManyTenantsAtOnceStartTheirLogsOnce(t *testing.T) {
	k := newKit(t)
	logs := []*pgledger.Log{k.log, k.open(t, config()), k.open(t, config())}
	var all sync.WaitGroup
	tenants := make([]uuid.UUID, 6)
	for i := range tenants {
		tenants[i] = uuid.New()
		for j := range 9 {
			all.Go(func() {
				if _, err := logs[j%3].Append(context.Background(), system(tenants[i], j)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	origins := map[string]bool{}
	for _, tenant := range tenants {
		requireIntact(t, logs[0], tenant, 10)
		note, err := logs[0].LatestCheckpoint(t.Context(), tenant)
		require.NoError(t, err)
		origin, _, _ := strings.Cut(string(note), "\n")
		require.NotContains(t, origin, tenant.String()[:8], "a witness learns no tenant")
		origins[origin] = true
	}
	require.Len(t, origins, len(tenants))
}

func TestCancelling(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 1)
	t.Run("before the call writes nothing", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := k.log.Append(ctx, system(tenant, 0))
		require.ErrorIs(t, err, context.Canceled)
		requireIntact(t, k.log, tenant, 2)
	})
	t.Run("at any moment: an error means no entry, success means one", func(t *testing.T) {
		var mu sync.Mutex
		want := map[uuid.UUID]bool{}
		good, failed := 0, 0
		var all sync.WaitGroup
		for w := range 16 {
			all.Go(func() {
				for i := range 40 {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration((w*40+i)%60)*50*time.Microsecond)
					r, err := k.log.Append(ctx, system(tenant, i))
					cancel()
					mu.Lock()
					if err == nil {
						good++
						want[r.ID] = true
					} else if errors.Is(err, context.DeadlineExceeded) {
						failed++
					} else {
						t.Error(err)
					}
					mu.Unlock()
				}
			})
		}
		all.Wait()
		require.NotZero(t, good)
		requireIntact(t, k.log, tenant, 2+good)
		t.Logf("%d written, %d withdrawn", good, failed)
	})
	t.Run("a batch is there as a whole or not at all, and the error says which", func(t *testing.T) {
		size := func() uint64 {
			h, err := k.log.Head(t.Context(), tenant)
			require.NoError(t, err)
			return h.Size
		}
		for i := range 40 {
			before := size()
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Microsecond)
			events := []record.Event{system(tenant, 1), login(tenant, 2), approval(tenant, 3)}
			_, err := k.log.AppendBatch(ctx, events)
			cancel()
			want := before
			if err == nil {
				want += 3
			}
			require.Equal(t, want, size(), "%v", err)
		}
		requireIntact(t, k.log, tenant, int(size()))
	})
}

func TestLimits(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	with := func(change func(*record.Event)) record.Event {
		ev := system(tenant, 1)
		change(&ev)
		return ev
	}
	for _, c := range []struct {
		name string
		ev   record.Event
		want error
	}{
		{"no tenant", with(func(e *record.Event) { e.Tenant = uuid.Nil }), ledger.ErrInvalid},
		{"an empty action", with(func(e *record.Event) { e.Action = "" }), ledger.ErrInvalid},
		{"an action in capitals", with(func(e *record.Event) { e.Action = "Login" }), ledger.ErrInvalid},
		{"a long action", with(func(e *record.Event) { e.Action = strings.Repeat("a", 65) }), ledger.ErrTooLarge},
		{"an empty entity type", with(func(e *record.Event) { e.EntityType = "" }), ledger.ErrInvalid},
		{"a long entity id", with(func(e *record.Event) { e.EntityID = strings.Repeat("x", 257) }), ledger.ErrTooLarge},
		{"an entity id with U+0000", with(func(e *record.Event) { e.EntityID = "a\x00b" }), ledger.ErrInvalid},
		{"an entity id that is no UTF-8", with(func(e *record.Event) { e.EntityID = "\xff" }), ledger.ErrInvalid},
		{"details over 48 KiB", with(func(e *record.Event) { e.Details = map[string]any{"x": strings.Repeat("x", 48<<10)} }), ledger.ErrTooLarge},
		{"details with the ledger's own member", with(func(e *record.Event) { e.Details = map[string]any{"narrative": "x"} }), ledger.ErrInvalid},
		{"a float in details", with(func(e *record.Event) { e.Details = map[string]any{"x": 1.5} }), ledger.ErrInvalid},
		{"null in details", with(func(e *record.Event) { e.Details = map[string]any{"x": nil} }), ledger.ErrInvalid},
		{"a large integer in details", with(func(e *record.Event) { e.Details = map[string]any{"x": int64(1) << 53} }), ledger.ErrInvalid},
		{"a forged commitment in details", with(func(e *record.Event) {
			e.Details = map[string]any{"x": map[string]any{"c": strings.Repeat("ab", 32)}}
		}), ledger.ErrInvalid},
		{"a long personal value", with(func(e *record.Event) {
			e.Details = map[string]any{"x": record.Personal{Value: strings.Repeat("x", 1025)}}
		}), ledger.ErrTooLarge},
		{"a personal value with U+0000", with(func(e *record.Event) { e.Details = map[string]any{"x": record.Personal{Value: "a\x00"}} }), ledger.ErrInvalid},
		{"deep details", with(func(e *record.Event) {
			v := any("x")
			for range 20 {
				v = []any{v}
			}
			e.Details = map[string]any{"x": v}
		}), ledger.ErrInvalid},
		{"an unknown narrative", with(func(e *record.Event) { e.Narrative.Template = "nonsense" }), ledger.ErrInvalid},
		{"a missing argument", with(func(e *record.Event) { delete(e.Narrative.Args, "at") }), ledger.ErrInvalid},
		{"a long narrative", with(func(e *record.Event) { e.Narrative.Args["device"] = strings.Repeat("x", 5000) }), ledger.ErrTooLarge},
	} {
		t.Run(c.name+" is refused before anything is written", func(t *testing.T) {
			_, err := k.log.Append(t.Context(), c.ev)
			require.ErrorIs(t, err, c.want)
			_, err = k.log.AppendBatch(t.Context(), []record.Event{system(tenant, 1), c.ev})
			require.ErrorIs(t, err, c.want)
			_, err = k.log.Head(t.Context(), tenant)
			require.ErrorIs(t, err, ledger.ErrNoLog)
		})
	}
	t.Run("the largest entry goes in and verifies", func(t *testing.T) {
		ev := with(func(e *record.Event) {
			e.EntityID = strings.Repeat("ü", 128)
			form := len(`,"narrative":{"a":{"at":"2026-03-09T14:23:01Z","device":""},"t":"device_enrolled","v":1}`) + 4000
			e.Details = map[string]any{"x": strings.Repeat("x", 48<<10-8-form)}
			e.Narrative.Args["device"] = strings.Repeat("x", 4000)
		})
		_, err := k.log.Append(t.Context(), ev)
		require.NoError(t, err)
		requireIntact(t, k.log, tenant, 2)
	})
	t.Run("batches have limits too", func(t *testing.T) {
		_, err := k.log.AppendBatch(t.Context(), make([]record.Event, pgledger.MaxBatch+1))
		require.ErrorIs(t, err, ledger.ErrTooLarge)
		_, err = k.log.AppendBatch(t.Context(), []record.Event{system(tenant, 1), system(uuid.New(), 1)})
		require.ErrorIs(t, err, ledger.ErrInvalid)
		receipts, err := k.log.AppendBatch(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, receipts)
	})
	t.Run("a clock far ahead is refused, one that falls back is not followed", func(t *testing.T) {
		offset := 2 * time.Hour
		cfg := config()
		cfg.Now = func() time.Time { return time.Now().Add(offset) }
		log := k.open(t, cfg)
		_, err := log.Append(t.Context(), system(tenant, 1))
		require.ErrorIs(t, err, ledger.ErrClock)
		offset = -time.Hour
		head, err := log.Head(t.Context(), tenant)
		require.NoError(t, err)
		r, err := log.Append(t.Context(), system(tenant, 1))
		require.NoError(t, err)
		require.True(t, r.At.Equal(head.At))
		requireIntact(t, log, tenant, 3)
	})
}

func TestOverload(t *testing.T) {
	k := newKit(t)
	cfg := config()
	cfg.QueueEntries, cfg.Batchers, cfg.IdleAfter = 2, 1, 50*time.Millisecond
	log := k.open(t, cfg)
	tenant := uuid.New()
	k.fill(t, tenant, 1)

	// Another session holds the log's lock, so the batcher hangs in its transaction.
	tx, err := k.pg.Superuser(t).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock(x'746b6c67'::int, hashtext($1::text))`, tenant.String())
	require.NoError(t, err)
	results := make(chan error, 20)
	send := func() {
		_, err := log.Append(context.Background(), system(tenant, 1))
		results <- err
	}
	go send()
	require.Eventually(t, func() bool {
		var hanging bool
		err := tx.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)`).Scan(&hanging)
		return err == nil && hanging
	}, 10*time.Second, 5*time.Millisecond)
	for range 19 {
		go send()
	}
	for range 17 { // one on its way, two waiting
		require.ErrorIs(t, <-results, ledger.ErrOverloaded)
	}
	_, err = log.Append(t.Context(), system(uuid.New(), 0))
	require.ErrorIs(t, err, ledger.ErrOverloaded, "no batcher for another tenant")
	require.NoError(t, tx.Rollback(t.Context()))
	for range 3 {
		require.NoError(t, <-results)
	}
	requireIntact(t, log, tenant, 2+3)
	require.Eventually(t, func() bool { return log.Waiting() == 0 }, 10*time.Second, 10*time.Millisecond, "an idle batcher leaves")
	_, err = log.Append(t.Context(), system(uuid.New(), 0))
	require.NoError(t, err)
}

func TestClose(t *testing.T) {
	pg := pgtest.New(t, rls.Migrations(), pgledger.Migrations())
	k := kit{pg: pg, db: pg.Open(t)}
	before := goleak.IgnoreCurrent()
	log, err := pgledger.Open(t.Context(), k.db, config())
	require.NoError(t, err)
	tenant := uuid.New()
	var all sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for i := range 50 {
		all.Go(func() {
			_, err := log.Append(context.Background(), system(tenant, i))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				good++
			} else if !errors.Is(err, ledger.ErrClosed) {
				t.Error(err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- log.Run(ctx) }()
	time.Sleep(5 * time.Millisecond)
	cancel()
	require.NoError(t, <-ran)
	log.Close()
	all.Wait()
	_, err = log.Append(t.Context(), system(tenant, 0))
	require.ErrorIs(t, err, ledger.ErrClosed)
	_, err = log.AppendBatch(t.Context(), []record.Event{system(tenant, 0)})
	require.ErrorIs(t, err, ledger.ErrClosed)
	log.Close()
	goleak.VerifyNone(t, append(pgtest.LeakOptions(), before)...)
	if good > 0 {
		requireIntact(t, k.open(t, config()), tenant, good+1)
	}
}

func TestConfig(t *testing.T) {
	k := newKit(t)
	for name, change := range map[string]func(*pgledger.Config){
		"no domain":         func(c *pgledger.Config) { c.Domain = "" },
		"a domain in caps":  func(c *pgledger.Config) { c.Domain = "LOG.example" },
		"no sealer":         func(c *pgledger.Config) { c.Sealer = nil },
		"a negative queue":  func(c *pgledger.Config) { c.QueueEntries = -1 },
		"a negative wait":   func(c *pgledger.Config) { c.IdleAfter = -1 },
		"a negative size":   func(c *pgledger.Config) { c.GroupBytes = -1 },
		"a negative number": func(c *pgledger.Config) { c.CheckpointEntries = -1 },
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			cfg := config()
			change(&cfg)
			_, err := pgledger.Open(t.Context(), k.db, cfg)
			require.Error(t, err)
		})
	}
}

// brokenSealer cannot open what others sealed.
type brokenSealer struct{ sealer }

func (brokenSealer) Open(string, []byte) ([]byte, error) { return nil, errors.New("wrong key") }

func TestAWrongKeyWritesNothing(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 3)
	cfg := config()
	cfg.Sealer = brokenSealer{newSealer()}
	log := k.open(t, cfg)
	_, err := log.Append(t.Context(), system(tenant, 1))
	require.Error(t, err)
	_, err = log.Checkpoint(t.Context(), tenant)
	require.Error(t, err)
	requireIntact(t, k.log, tenant, 4)
	t.Run("a key moved from another tenant is refused", func(t *testing.T) {
		other := uuid.New()
		k.fill(t, other, 1)
		k.tamper(t, `UPDATE tomkit.ledger_keys a SET sealed = b.sealed FROM tomkit.ledger_keys b
WHERE a.tenant_id = $1 AND b.tenant_id = $2 AND a.purpose = b.purpose`, tenant, other)
		_, err := k.open(t, config()).Append(t.Context(), system(tenant, 1))
		require.Error(t, err)
	})
}

func TestPlacedEntriesAreCanonical(t *testing.T) {
	k := newKit(t)
	rapid.Check(t, func(t *rapid.T) {
		ev := login(uuid.New(), rapid.Int().Draw(t, "n")&0xffff)
		if rapid.Bool().Draw(t, "system") {
			ev = system(ev.Tenant, 1)
		}
		ev.Critical = rapid.Bool().Draw(t, "critical")
		at := time.UnixMicro(rapid.Int64Range(0, 1<<50).Draw(t, "at")).UTC()
		var prev [32]byte
		copy(prev[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "prev"))
		patched, encoded, err := k.log.Placed(ev, rapid.Uint64().Draw(t, "seq"), prev, at)
		if err != nil || string(patched) != string(encoded) {
			t.Fatalf("patched %x, encoded %x, %v", patched, encoded, err)
		}
		if _, err := verify.ParseEntry(patched); err != nil {
			t.Fatal(err)
		}
	})
}
