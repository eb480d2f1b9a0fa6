package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is given for a file: one line, exit code 2, and nothing written.
func TestFilesThatCannotBeUsed(t *testing.T) {
	plain(t)
	dir := t.TempDir()
	put := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	policy := put("policy.json", tomkit(t, "", "policy", "init").done(t))
	for name, file := range map[string]string{
		"missing": filepath.Join(dir, "missing"), "empty": put("empty", ""), "a directory": t.TempDir(), "cut off": put("cut", "{"),
		"another document": put("list", "[[]]"), "large": put("large", strings.Repeat("0", 3<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			for _, args := range [][]string{
				{"policy", "check", file}, {"policy", "diff", policy, file}, {"policy", "explain", file, "a", "b"},
				{"policy", "check", policy, "--key=a=" + file}, {"policy", "sign", file, "--id=a", "--key=" + file, "--output=" + out},
				{"policy", "sign", policy, "--id=a", "--key=" + file, "--output=" + out},
				{"audit", "--accept=" + file}, {"vault-fake", "--listen=127.0.0.1:0", "--secrets=" + file},
				{"ledger", "import", file, "--dilithium-key=" + file, "--importer-key=" + out, "--domain=a.example", "--out=" + out},
				{"ledger", "verify", "--tenant=a", "--from=" + file},
			} {
				tomkit(t, "", args...).failed(t, 2, "")
				require.NoFileExists(t, out)
			}
		})
	}
	t.Run("a data directory that is a file", func(t *testing.T) {
		for _, command := range []string{"ledger health", "erasure jobs", "admin tenant list"} {
			tomkit(t, "", append(strings.Fields(command), "--data="+policy)...).failed(t, 2, "not a directory")
		}
	})
	t.Run("addresses", func(t *testing.T) {
		tomkit(t, "", "demo", "--once", "--listen=x").failed(t, 2, "--listen")
		tomkit(t, "", "vault-fake", "--listen=x").failed(t, 2, "x")
		for name, args := range map[string][]string{"MIGRATOR": {"migrate"}, "SUPERUSER": {"roles", "--apply"}} {
			t.Setenv("TOMKIT_DATABASE_"+name+"_URL", "postgres://a:"+secretWord+"@%zz/b")
			tomkit(t, "", args...).failed(t, 2, "malformed")
		}
	})
}

func TestWhatIsReadIsNotWrittenOver(t *testing.T) {
	plain(t)
	path := filepath.Join(t.TempDir(), "policy.json")
	require.NoError(t, os.WriteFile(path, []byte(tomkit(t, "", "policy", "init").done(t)), 0o600))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	key := privateKeyFile(t)
	tomkit(t, "", "policy", "sign", path, "--id=a", "--key="+key, "--output="+path).failed(t, 2, "is what is read")
	tomkit(t, "", "policy", "sign", path, "--id=a", "--key="+key, "--output="+key).failed(t, 2, "is what is read")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(before, after))
}

// privateKeyFile writes a new Ed25519 key as openssl genpkey does.
func privateKeyFile(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return path
}
