package pgtest

import (
	"errors"
	"testing"
)

// Missing ends a test that needs a program this machine does not have: a skip, which TOMKIT_TEST_REQUIRE=1 turns into a
// failure.
func Missing(t testing.TB, what string) {
	t.Helper()
	unavailable(t, errors.New(what))
}
