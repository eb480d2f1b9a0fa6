package authn

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestStrangersAreForgottenBeforeTheyFillTheMemory(t *testing.T) {
	var s strangers
	for i := range 3 * maxStrangers {
		keys := make([]CounterKey, 3)
		for j := range keys {
			binary.BigEndian.PutUint64(keys[j][:], uint64(3*i+j)) // small
		}
		require.NoError(t, s.count(t.Context(), keys, func(c []Counter) error {
			c[0].Failures++
			return nil
		}))
		require.LessOrEqual(t, len(s.counters), maxStrangers)
	}
}

// Whatever the policy and the rhythm of an attacker, the waits follow the law, and attempts while waiting change nothing.
func TestBackoffLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Backoff{
			Free: rapid.IntRange(0, 20).Draw(t, "free"),
			Base: time.Duration(rapid.IntRange(1, 100).Draw(t, "base")) * time.Second,
		}
		b.Max = b.Base * time.Duration(rapid.IntRange(1, 1000).Draw(t, "max"))
		b.Forget = b.Max * time.Duration(rapid.IntRange(1, 10).Draw(t, "forget"))
		var c Counter
		now := time.Unix(1_800_000_000, 0)
		for range rapid.IntRange(1, 200).Draw(t, "attempts") {
			before := c
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*b.Max)).Draw(t, "pause")))
			if wait := b.take(&c, now); wait > 0 {
				if c != before || wait > b.Max || !now.Before(c.BlockedUntil) {
					t.Fatalf("refused: %v after %v, wait %v", c, before, wait)
				}
				continue
			}
			want := before.Failures + 1
			if now.Sub(before.LastAt) >= b.Forget {
				want = 1
			}
			if c.Failures != want {
				t.Fatalf("counted %d, want %d", c.Failures, want)
			}
			if blocked := c.BlockedUntil.After(now); blocked != (want > b.Free) {
				t.Fatalf("failures %d, free %d, blocked %v", want, b.Free, blocked)
			}
			if wait := c.BlockedUntil.Sub(now); want > b.Free && (wait < b.Base || wait > b.Max) {
				t.Fatalf("wait %v outside [%v, %v]", wait, b.Base, b.Max)
			}
		}
	})
}
