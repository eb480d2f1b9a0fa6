package ledgertest_test

import (
	"context"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// metered tells the processor time that making the entries takes from that of verifying them. Both happen in one thread.
type metered struct {
	fs.FS
	making time.Duration
}

// Open makes a file.
func (m *metered) Open(name string) (fs.File, error) {
	start := threadTime()
	defer func() { m.making += threadTime() - start }()
	return m.FS.Open(name)
}

// threadTime returns the processor time of this thread. Unlike getrusage, the clock does not wait for the next tick.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// peakMemory returns the most memory the process was ever resident in, as text.
func peakMemory(t *testing.T) string {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// TestALongLogIsVerifiedAsAStream is 10 million entries in its long form.
func TestALongLogIsVerifiedAsAStream(t *testing.T) {
	size := uint64(20_000)
	if os.Getenv("TOMKIT_SOAK") != "" {
		size = 10_000_000
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := ledgertest.NewStream(size)
	require.NoError(t, err)
	m := &metered{FS: s}
	start, wall := threadTime(), time.Now()
	r, err := verify.Verify(context.Background(), m, verify.Config{})
	took := threadTime() - start - m.making
	require.NoError(t, err)
	require.True(t, r.Intact(), r.Findings)
	require.Equal(t, size, r.Entries)
	t.Logf("%d entries of %d bytes: %.0f per second of one core's time, %.1fs in all, of which %.1fs made the entries; peak memory of the process %s",
		size, ledgertest.StreamEntry, float64(size)/took.Seconds(), time.Since(wall).Seconds(), m.making.Seconds(), peakMemory(t))
}
