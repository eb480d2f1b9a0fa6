package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

const (
	verifyEntries = 100_000              // of 1,024 bytes, without critical signatures
	verifyTime    = 2 * time.Microsecond // of one core for an entry: 500,000 a second
	verifyMemory  = 64 << 20             // bytes resident in the whole process
)

// benchVerify verifies an export in a directory. What counts is processor time, the kernel's work for it included, since verifying
// uses one core and other work on the machine must not change the answer.
func benchVerify(ctx context.Context, r *reporter) error {
	dir, err := os.MkdirTemp("", "tomkit-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeStream(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak counts from here
		return err
	}
	samples := make([]float64, r.rounds)
	for i := range samples {
		start := processorTime()
		report, err := verify.Verify(ctx, root.FS(), verify.Config{})
		samples[i] = float64(processorTime()-start) / verifyEntries
		if err != nil {
			return err
		}
		if !report.Intact() || report.Entries != verifyEntries {
			return fmt.Errorf("%s, %d entries: %w", report.Verdict, report.Entries, report.Err())
		}
	}
	if err := r.within("ledger-verify", median(samples), float64(verifyTime), short); err != nil {
		return err
	}
	peak, err := peakMemory()
	if err != nil {
		return err
	}
	return r.within("ledger-verify-memory", peak, verifyMemory, mebibytes)
}

// writeStream writes a generated log into a directory.
func writeStream(dir string) error {
	s, err := ledgertest.NewStream(verifyEntries)
	if err != nil {
		return err
	}
	return s.Each(func(name string) error {
		content, err := fs.ReadFile(s, name)
		if err != nil {
			return err
		}
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		return os.WriteFile(name, content, 0o600)
	})
}

// processorTime returns the processor time that the process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // with these arguments it cannot fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory returns the most bytes the process was resident in since the peak was reset.
func peakMemory() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	kilobytes, err := strconv.ParseFloat(string(bytes.TrimSpace(rest[:max(0, bytes.IndexByte(rest, 'k'))])), 64)
	return kilobytes * 1024, err
}

// mebibytes prints bytes.
func mebibytes(b float64) string { return fmt.Sprintf("%.3gMiB", b/(1<<20)) }
