package password_test

import (
	"bufio"
	"context"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn/password"
)

// BenchmarkParallelLogins verifies with 64 callers at once and a budget of two hashes, and reports by how much the process
// grew at its peak.
func BenchmarkParallelLogins(b *testing.B) {
	h := hasher(b, password.Config{MemoryKiB: 2 * 64 << 10, MaxWait: time.Minute})
	stored, err := h.Hash(context.Background(), "pw")
	require.NoError(b, err)
	var peak int64
	for b.Loop() {
		debug.FreeOSMemory()
		require.NoError(b, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)) // resets VmHWM
		before := status(b, "VmRSS:")
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for range 3 {
					if _, err := h.Verify(context.Background(), stored, "pw"); err != nil {
						b.Error(err)
					}
				}
			})
		}
		wg.Wait()
		peak = max(peak, status(b, "VmHWM:")-before)
	}
	b.ReportMetric(float64(peak)/1024, "MiB-peak-growth")
}

// status returns a line of /proc/self/status in KiB.
func status(b *testing.B, name string) int64 {
	f, err := os.Open("/proc/self/status")
	require.NoError(b, err)
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), name); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			require.NoError(b, err)
			return kib
		}
	}
	b.Fatal("no such line")
	return 0
}
