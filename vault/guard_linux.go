package vault

import (
	"os"
	"sync"
	"syscall"
)

const madviseDontDump = 16 // MADV_DONTDUMP in linux/mman-common.h

// mapping is memory outside the Go heap: a page without access, the bytes, a page without access.
type mapping struct {
	once       sync.Once
	all, bytes []byte
	protection Protection
}

// mapBytes returns a mapping for n bytes, or nil if n is 0 or there is none to be had.
func mapBytes(n int) *mapping {
	page := os.Getpagesize()
	if n == 0 {
		return nil
	}
	inner := (n + page - 1) / page * page
	all, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	pages := all[page : page+inner]
	if err := syscall.Mprotect(pages, syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		_ = syscall.Munmap(all)
		return nil
	}
	m := &mapping{all: all, bytes: pages[inner-n : inner : inner]} // at the end: an overrun meets the page behind
	m.protection.OffHeap = true
	m.protection.NoDump = syscall.Madvise(pages, madviseDontDump) == nil
	m.protection.Locked = syscall.Mlock(pages) == nil
	return m
}

// release zeroes and unmaps the memory. It may be called again.
func (m *mapping) release() {
	m.once.Do(func() {
		clear(m.bytes)
		_ = syscall.Munmap(m.all) // also unlocks; it can only fail for a range that is none
	})
}

func hardenProcess() Hardening {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
	return Hardening{
		NoCoreDump:  syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) == nil,
		NotDumpable: errno == 0,
	}
}
