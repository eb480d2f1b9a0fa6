package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/auditor/sample"
)

func TestTheVerdictIsTheExitCode(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	log := sample.New(300, sample.Options{Rotation: 100, Recovery: 200})
	text, err := log.Keys.Marshal()
	require.NoError(t, err)
	keys := file("keys.json", text)
	intact := file("intact.zip", log.Zip(nil))
	broken := file("broken.zip", log.Zip(func(e [][]byte) { e[77][len(e[77])-9] ^= 1 }))
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{0, "intact: 300 entries", []string{intact, keys}}, {1, "entry 77: ", []string{broken, keys}},
		{2, "zip", []string{keys, keys}}, {2, "malformed", []string{intact, intact}}, {2, "", []string{"", ""}}, {2, "", []string{intact, ""}},
	} {
		var out bytes.Buffer
		require.Equal(t, c.code, run(t.Context(), c.args, &out), out.String())
		require.Contains(t, out.String(), c.want)
	}
}

func TestItStaysUnderFortyLines(t *testing.T) {
	text, err := os.ReadFile("main.go")
	require.NoError(t, err)
	require.Less(t, strings.Count(string(text), "\n"), 40)
}
