package seal

import "testing"

// SetNonceBudget makes keys wear out after n values until the test ends.
func SetNonceBudget(t testing.TB, n uint64) {
	old := nonceBudget
	nonceBudget = n
	t.Cleanup(func() { nonceBudget = old })
}
