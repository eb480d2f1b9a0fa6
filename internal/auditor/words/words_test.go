package words

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// spoken collects what the program may say: the texts that are looked up, and the reasons that package verify gives.
func spoken(t *testing.T) map[string]string {
	texts := map[string]string{}
	for pattern, calls := range map[string][]string{
		"../*.go": {"T", "row", "data"}, "*.go": {"T"}, "../page/*.go": {"T", "add", "row"}, "../../../ledger/verify/*.go": {"malformed", "fault"},
		"../../../examples/verify-in-browser/*.go": {"T"},
	} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range files {
			if !strings.HasSuffix(name, "_test.go") {
				collect(t, name, calls, texts)
			}
		}
	}
	templates, err := filepath.Glob("../page/*.tmpl")
	require.NoError(t, err)
	for _, name := range templates {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\bt "([^"]*)"`).FindAllStringSubmatch(string(b), -1) {
			texts[m[1]] = name
		}
	}
	return texts
}

// collect adds the string literals given to the calls, those of fields called Reason, and Kinds.
func collect(t *testing.T, name string, calls []string, texts map[string]string) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	require.NoError(t, err)
	add := func(e ast.Expr) {
		if b, ok := e.(*ast.BinaryExpr); ok { // a beginning and what varies
			if _, whole := literal(b); !whole {
				e = b.X
			}
		}
		if text, ok := literal(e); ok && text != "" {
			texts[text] = name
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			for _, want := range calls {
				switch name := callee(n); {
				case name != want:
				case name == "malformed" && len(n.Args) == 2:
					add(n.Args[1])
				case name == "fault":
					add(n.Args[len(n.Args)-1])
				case name == "row" && len(n.Args) > 1:
					add(n.Args[0])
					add(n.Args[1])
				default:
					add(n.Args[0])
				}
			}
		case *ast.KeyValueExpr:
			if id, ok := n.Key.(*ast.Ident); ok && id.Name == "Reason" && strings.Contains(name, "ledger/verify") {
				add(n.Value)
			}
		case *ast.ValueSpec:
			if id, ok := n.Type.(*ast.Ident); ok && id.Name == "Kind" {
				add(n.Values[0])
			}
		}
		return true
	})
}

func callee(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// literal is the value of a string literal or of several, joined with +.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		a, ok := literal(e.X)
		b, ok2 := literal(e.Y)
		return a + b, ok && ok2
	}
	return "", false
}

// same are the texts that are the same in both languages.
var same = regexp.MustCompile(`^[a-z]+_[a-z0-9_]+$|^%s$|^[0-9.]+$`)

func TestEverythingIsSaidInGerman(t *testing.T) {
	texts := spoken(t)
	require.Greater(t, len(texts), 100)
	for text, where := range texts {
		if _, ok := translation(text); !ok && !same.MatchString(text) {
			t.Errorf("%s: german.go lacks %q", where, text)
		}
	}
	for _, m := range []map[string]string{german, pages, reasons} {
		for text, translated := range m {
			require.Equalf(t, verbs(text), verbs(translated), "%q", text)
		}
	}
}

func translation(text string) (string, bool) {
	for _, m := range []map[string]string{german, pages, reasons} {
		if s, ok := m[text]; ok {
			return s, true
		}
	}
	return "", false
}

// verbs lists what fmt fills in, by position.
func verbs(text string) []string {
	return regexp.MustCompile(`%[a-z0-9.]*[a-z]`).FindAllString(text, -1)
}
