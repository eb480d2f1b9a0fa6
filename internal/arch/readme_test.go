package arch_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var fence = regexp.MustCompile("(?s)```([a-z]*)\n(.*?)```")

// blocks returns the fenced blocks of a root document in the given language.
func blocks(t *testing.T, document, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), document))
	require.NoError(t, err)
	var found []string
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			found = append(found, m[2])
		}
	}
	return found
}

// TestReadmeCommandsRun runs every command of the README's shell blocks as far as it can be run without side effects:
// make targets are resolved, programs of this module are built and asked for their help.
func TestReadmeCommandsRun(t *testing.T) {
	shell := blocks(t, "README.md", "sh")
	require.NotEmpty(t, shell)
	for _, block := range shell {
		for line := range strings.Lines(block) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
			words := strings.Fields(line)
			if len(words) == 0 {
				continue
			}
			t.Run(line, func(t *testing.T) {
				switch words[0] {
				case "make":
					run(t, append([]string{"make", "-n"}, words[1:]...))
				case "go":
					runGo(t, words)
				default:
					t.Fatalf("the README names a command this test cannot check: %s", line)
				}
			})
		}
	}
}

func runGo(t *testing.T, words []string) {
	switch words[1] {
	case "run":
		command := append([]string{}, words[:3]...)
		for _, word := range words[3:] { // subcommands stay, flags and operands go
			if strings.HasPrefix(word, "-") || strings.ContainsAny(word, "./") || strings.ToUpper(word) == word {
				break
			}
			command = append(command, word)
		}
		run(t, append(command, "--help"))
	case "get":
		require.True(t, strings.HasPrefix(words[2], module), "go get of another module")
	default:
		t.Fatalf("unexpected go command: %v", words)
	}
}

func run(t *testing.T, words []string) {
	t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = root(t)
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
}

// TestSnippetsCompile type-checks every Go block of the root documents as a program of its own inside the module.
func TestSnippetsCompile(t *testing.T) {
	dir := t.TempDir()
	overlay := map[string]string{}
	var packages []string
	for _, document := range []string{"README.md", "ARCHITECTURE.md"} {
		for i, block := range blocks(t, document, "go") {
			name := fmt.Sprintf("snippet%d%s", i, strings.ToLower(strings.TrimSuffix(document, ".md")))
			file := filepath.Join(dir, name+".go")
			require.NoError(t, os.WriteFile(file, []byte(block), 0o600))
			overlay[filepath.Join(root(t), "internal", "arch", name, "main.go")] = file
			packages = append(packages, "./internal/arch/"+name)
		}
	}
	require.NotEmpty(t, packages)
	config, err := json.Marshal(map[string]any{"Replace": overlay})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, config, 0o600))
	run(t, append([]string{"go", "build", "-overlay", file, "-o", os.DevNull}, packages...))
}
