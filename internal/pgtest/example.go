package pgtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
)

// ForExample returns what stands in for t in an Example, which has none. end runs the cleanups. What would end a test is a panic
// here.
func ForExample() (t testing.TB, end func()) {
	e := &example{}
	return e, func() {
		for i := len(e.cleanups) - 1; i >= 0; i-- {
			e.cleanups[i]()
		}
	}
}

// SkipExamples is for a TestMain, before m.Run: it leaves a package's Examples out where there is no PostgreSQL to be had, as
// New skips tests there. It changes nothing if TOMKIT_TEST_REQUIRE is 1.
func SkipExamples() {
	if _, err := acquire(); !errors.Is(err, errNone) || os.Getenv(EnvRequire) == "1" {
		return
	}
	if err := flag.Set("test.skip", "^Example"); err != nil {
		panic(err)
	}
}

// example implements the part of testing.TB that this package needs; the rest is the nil interface's.
type example struct {
	testing.TB
	cleanups []func()
}

func (*example) Helper()                   {}
func (e *example) Cleanup(fn func())       { e.cleanups = append(e.cleanups, fn) }
func (*example) Context() context.Context  { return context.Background() }
func (*example) Fatal(args ...any)         { panic(fmt.Sprint(args...)) }
func (*example) Fatalf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }
func (*example) Error(args ...any)         { panic(fmt.Sprint(args...)) }
func (*example) Errorf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }
func (*example) FailNow()                  { panic("failed") }
func (*example) Skip(args ...any)          { panic(fmt.Sprint(args...)) }
func (*example) Name() string              { return "example" }
func (*example) Logf(string, ...any)       {}
func (*example) Log(...any)                {}
