package arch_test

import (
	"go/ast"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSecretsAreComparedInConstantTime reads the rooms that compare what an attacker sends with what is secret: they call
// subtle.ConstantTimeCompare and none of the comparisons that stop at the first difference.
func TestSecretsAreComparedInConstantTime(t *testing.T) {
	early := []string{"bytes.Equal", "bytes.Compare", "slices.Equal", "strings.Compare", "strings.EqualFold", "reflect.DeepEqual"}
	for _, p := range rooms(t) {
		if !slices.Contains([]string{"authn/password", "authn/totp"}, p.room()) {
			continue
		}
		constant := 0
		_, files := parse(t, p, p.GoFiles)
		for _, f := range files {
			ast.Inspect(f, func(n ast.Node) bool {
				selector, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if from, ok := selector.X.(*ast.Ident); ok {
					name := from.Name + "." + selector.Sel.Name
					require.NotContainsf(t, early, name, "%s calls %s", p.room(), name)
					if name == "subtle.ConstantTimeCompare" {
						constant++
					}
				}
				return true
			})
		}
		require.Positivef(t, constant, "%s compares nothing in constant time", p.room())
	}
}
