package pgledger_test

import (
	"os"
	"testing"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
)

// asChild does the work of a test's child process, where there are any, and reports whether this process is one.
var asChild = func() bool { return false }

func TestMain(m *testing.M) {
	if asChild() {
		os.Exit(0)
	}
	pgtest.SkipExamples()
	os.Exit(m.Run())
}
