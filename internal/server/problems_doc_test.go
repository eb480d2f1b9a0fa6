package server_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

// TestEveryProblemIsDescribed reads the codes from the source, since the type URI of a problem has to lead somewhere.
func TestEveryProblemIsDescribed(t *testing.T) {
	page, err := os.ReadFile("PROBLEMS.md")
	require.NoError(t, err)
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var codes []string
	for _, source := range append(sources, "../../abac/httpabac/problem.go") {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		for _, pattern := range []string{`(?:newProblem\(\w[\w.]*|http\.Status\w+), "([a-z_]+)"`, `return "([a-z_]+)"`, `Code\w+ = "([a-z_]+)"`} {
			for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
				codes = append(codes, m[1])
			}
		}
	}
	for r := abac.Reason(0); r.String() != "" && (r == 0 || r.String() != abac.NoDecision.String()); r++ {
		if r != abac.Allowed {
			codes = append(codes, r.String())
		}
	}
	require.Greater(t, len(codes), 30)
	for _, code := range codes {
		if code == "production" || code == "ok" {
			continue
		}
		require.Containsf(t, string(page), "\n## "+code+"\n", "the problem %s is not described", code)
	}
}
