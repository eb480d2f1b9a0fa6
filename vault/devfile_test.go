//go:build unix

package vault_test

import (
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
)

func development(env string, log *bytes.Buffer) vault.DevelopmentConfig {
	return vault.DevelopmentConfig{
		Getenv: func(name string) string {
			if name == "TOMKIT_ENV" {
				return env
			}
			return ""
		},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
}

func load(t *testing.T, path string) (*vault.Snapshot, error) {
	t.Helper()
	src, err := vault.DevelopmentFileUnsafe(path, development("", new(bytes.Buffer)))
	require.NoError(t, err)
	return vault.DefaultManifest().Load(t.Context(), src)
}

func reveal(t *testing.T, s *vault.Snapshot, k vault.Key) string {
	t.Helper()
	v, ok := s.Secret(k)
	require.True(t, ok)
	return string(v.Reveal())
}

func TestTheDevelopmentFileIsCreatedOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "keys.json")
	first, err := load(t, path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	dir, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), dir.Mode().Perm())
	second, err := load(t, path)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, k := range []vault.Key{vault.MFAKey, vault.JWTSeed, vault.LedgerKEK, vault.ContextMACKey} {
		require.Equal(t, reveal(t, first, k), reveal(t, second, k))
		require.Len(t, reveal(t, first, k), 32)
		seen[reveal(t, first, k)] = true
	}
	require.Len(t, seen, 4, "every key is its own")
	_, ok := first.Secret(vault.PasswordPepper)
	require.False(t, ok)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file is left")
}

func TestTheDevelopmentFileIsNoisy(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "keys.json")
	src, err := vault.DevelopmentFileUnsafe(path, development("development", &log))
	require.NoError(t, err)
	s, err := vault.DefaultManifest().Load(t.Context(), src)
	require.NoError(t, err)
	require.Contains(t, log.String(), "level=WARN")
	require.Contains(t, log.String(), "DEVELOPMENT KEYS IN USE")
	require.NotContains(t, log.String(), reveal(t, s, vault.MFAKey))
}

func TestTheDevelopmentFileIsRefusedInProduction(t *testing.T) {
	for _, env := range []string{"production", "Production", " PRODUCTION\n", "prod", "live"} {
		path := filepath.Join(t.TempDir(), "keys.json")
		_, err := vault.DevelopmentFileUnsafe(path, development(env, new(bytes.Buffer)))
		require.ErrorIs(t, err, vault.ErrProduction)
		require.NoFileExists(t, path)
	}
}

func TestAnEnvironmentThatTurnsIntoProductionStopsTheNextFetch(t *testing.T) {
	env := ""
	cfg := development("", new(bytes.Buffer))
	cfg.Getenv = func(string) string { return env }
	path := filepath.Join(t.TempDir(), "keys.json")
	src, err := vault.DevelopmentFileUnsafe(path, cfg)
	require.NoError(t, err)
	env = "production"
	_, err = src.Fetch(t.Context(), vault.DefaultManifest().Keys())
	require.ErrorIs(t, err, vault.ErrProduction)
	require.NoFileExists(t, path)
}

func TestWithoutGetenvTheProcessEnvironmentDecides(t *testing.T) {
	t.Setenv("TOMKIT_ENV", "production")
	_, err := vault.DevelopmentFileUnsafe(filepath.Join(t.TempDir(), "keys.json"), vault.DevelopmentConfig{})
	require.ErrorIs(t, err, vault.ErrProduction)
}

func TestADevelopmentFileOthersCouldTouchIsRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o660, 0o644, 0o666, 0o610, 0o601} {
		path := filepath.Join(t.TempDir(), "keys.json")
		_, err := load(t, path)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(path, mode))
		_, err = load(t, path)
		require.ErrorIs(t, err, vault.ErrPermissions, "mode %v", mode)
	}
}

func TestASymbolicLinkAFolderAndAFIFOAreRefused(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real.json")
	_, err := load(t, real)
	require.NoError(t, err)
	link := filepath.Join(dir, "link.json")
	require.NoError(t, os.Symlink(real, link))
	_, err = load(t, link)
	require.ErrorIs(t, err, vault.ErrPermissions)
	dangling := filepath.Join(dir, "dangling.json")
	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), dangling))
	_, err = load(t, dangling)
	require.ErrorIs(t, err, vault.ErrPermissions)
	folder := filepath.Join(dir, "folder")
	require.NoError(t, os.Mkdir(folder, 0o700))
	_, err = load(t, folder)
	require.ErrorIs(t, err, vault.ErrPermissions)
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	_, err = load(t, fifo)
	require.ErrorIs(t, err, vault.ErrPermissions)
}

func TestAForeignOwnersFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	_, err := load(t, path)
	require.NoError(t, err)
	if os.Geteuid() != 0 {
		return // only root can give a file away; CI runs this test as root too
	}
	require.NoError(t, os.Chown(path, 65534, 65534))
	_, err = load(t, path)
	require.ErrorIs(t, err, vault.ErrPermissions)
}

func TestAMalformedDevelopmentFileIsRefusedWithoutQuotingIt(t *testing.T) {
	for name, content := range map[string]string{
		"empty":               "",
		"not JSON":            "hunter2",
		"a list":              `["hunter2"]`,
		"a number as value":   `{"MFA_ENCRYPTION_KEY": 42}`,
		"a nested object":     `{"MFA_ENCRYPTION_KEY": {"hunter2": "x"}}`,
		"null":                `{"MFA_ENCRYPTION_KEY": null}`,
		"a repeated name":     `{"A":"hunter2","A":"hunter2"}`,
		"truncated":           `{"A":"hunter2"`,
		"something after":     `{"A":"hunter2"} {}`,
		"a missing colon":     `{"A" "hunter2"}`,
		"larger than allowed": `{"A":"` + strings.Repeat("hunter2 ", 10000) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys.json")
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			_, err := load(t, path)
			require.ErrorIs(t, err, vault.ErrFile)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestAKeyMissingInAnExistingFileIsNamedAndNotInvented(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"MFA_ENCRYPTION_KEY":"`+key256('a')+`"}`), 0o600))
	_, err := load(t, path)
	require.EqualError(t, err, "vault: load: missing JWT_ED25519_SEED LEDGER_KEK CONTEXT_MAC_KEY")
}

func TestProcessesThatStartTogetherShareOneFile(t *testing.T) {
	if path := os.Getenv("VAULT_TEST_CHILD"); path != "" {
		s, err := load(t, path)
		require.NoError(t, err)
		_, err = os.Stdout.WriteString("key:" + key256Text(reveal(t, s, vault.MFAKey)) + "\n")
		require.NoError(t, err)
		return
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestProcessesThatStartTogetherShareOneFile$", "-test.v")
			cmd.Env = append(os.Environ(), "VAULT_TEST_CHILD="+path)
			out, err := cmd.CombinedOutput()
			_, after, ok := strings.Cut(string(out), "key:")
			if err != nil || !ok {
				t.Errorf("child failed: %v", err)
				return
			}
			key, _, _ := strings.Cut(after, "\n")
			mu.Lock()
			seen[key] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	require.Len(t, seen, 1)
}

func TestGoroutinesThatStartTogetherShareOneFile(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "keys.json")
		src, err := vault.DevelopmentFileUnsafe(path, development("", new(bytes.Buffer)))
		require.NoError(t, err)
		var mu sync.Mutex
		seen := map[string]bool{}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				s, err := vault.DefaultManifest().Load(t.Context(), src)
				if err != nil {
					t.Error(err)
					return
				}
				k, _ := s.Secret(vault.JWTSeed)
				mu.Lock()
				seen[string(k.Reveal())] = true
				mu.Unlock()
			})
		}
		wg.Wait()
		require.Len(t, seen, 1)
	}
}

func FuzzDevelopmentFile(f *testing.F) {
	f.Add([]byte(`{"_notice":"x","MFA_ENCRYPTION_KEY":"` + key256('a') + `"}`))
	f.Add([]byte(`{"A":"b","A":"c"}`))
	f.Add([]byte(`{"\u0041":"b"}x`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(dir, "keys.json")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		s, err := load(t, path)
		if err == nil {
			require.Len(t, reveal(t, s, vault.MFAKey), 32)
		}
	})
}
