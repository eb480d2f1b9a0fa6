//go:build unix

package verify_test

import (
	"syscall"
	"time"
)

// processorTime returns the processor time that the process has used so far, the kernel's work for it included.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
