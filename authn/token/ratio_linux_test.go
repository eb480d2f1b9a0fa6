package token_test

import (
	"crypto/ed25519"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkVerifyRatio reports Verify over bare ed25519.Verify of the same bytes, by CPU time of this thread and in
// alternating batches, since wall times on a shared machine say little about a few per cent.
func BenchmarkVerifyRatio(b *testing.B) {
	pub := private.Public().(ed25519.PublicKey)
	v := newVerifier(b, base, newKey(b, seed).Public())
	for name, s := range benchTokens(b) {
		dot := strings.LastIndexByte(s, '.')
		message := []byte(s[:dot])
		signature, err := b64.DecodeString(s[dot+1:])
		require.NoError(b, err)
		b.Run(name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var ratios []float64
			var bare, ours time.Duration
			for b.Loop() {
				bare = threadTime(b, func() { ed25519.Verify(pub, message, signature) })
				ours = threadTime(b, func() { _, _ = v.Verify(s) })
				ratios = append(ratios, float64(ours)/float64(bare))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "x-bare")
			b.ReportMetric(float64(bare)/batch, "bare-cpu-ns")
			b.ReportMetric(float64(ours)/batch, "ours-cpu-ns")
		})
	}
}

const batch = 200

func threadTime(b *testing.B, fn func()) time.Duration {
	const rusageThread = 1
	var before, after syscall.Rusage
	require.NoError(b, syscall.Getrusage(rusageThread, &before))
	for range batch {
		fn()
	}
	require.NoError(b, syscall.Getrusage(rusageThread, &after))
	return time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
}
