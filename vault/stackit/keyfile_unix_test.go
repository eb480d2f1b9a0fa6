//go:build unix

package stackit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
)

// write puts a key file into a new directory and returns its path.
func write(t *testing.T, data []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

func TestAKeyFileIsReadOnlyWhereNobodyElseCouldHaveTouchedIt(t *testing.T) {
	data := vaulttest.New(t, vaulttest.Config{}).KeyFile()
	for _, mode := range []os.FileMode{0o600, 0o400} {
		k, err := stackit.ReadKey(write(t, data, mode), "")
		require.NoError(t, err)
		require.Equal(t, 2048, k.Bits)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", k, k, k, k), "PRIVATE")
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o700, 0o666} {
		_, err := stackit.ReadKey(write(t, data, mode), "")
		require.ErrorIs(t, err, stackit.ErrKeyFile, "%o", mode)
	}
	t.Run("a symbolic link", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "link")
		require.NoError(t, os.Symlink(write(t, data, 0o600), link))
		_, err := stackit.ReadKey(link, "")
		require.ErrorIs(t, err, stackit.ErrKeyFile)
	})
	t.Run("a FIFO, without waiting for a writer", func(t *testing.T) {
		fifo := filepath.Join(t.TempDir(), "fifo")
		require.NoError(t, syscall.Mkfifo(fifo, 0o600))
		_, err := stackit.ReadKey(fifo, "")
		require.ErrorIs(t, err, stackit.ErrKeyFile)
	})
	t.Run("a directory", func(t *testing.T) {
		_, err := stackit.ReadKey(t.TempDir(), "")
		require.ErrorIs(t, err, stackit.ErrKeyFile)
	})
	t.Run("a giant", func(t *testing.T) {
		path := write(t, data, 0o600)
		require.NoError(t, os.Truncate(path, 1<<40)) // sparse
		_, err := stackit.ReadKey(path, "")
		require.ErrorIs(t, err, stackit.ErrKeyFile)
	})
	t.Run("another user's", func(t *testing.T) {
		if os.Geteuid() != 0 {
			return // only root can give a file away; CI runs this test as root too
		}
		path := write(t, data, 0o600)
		require.NoError(t, os.Chown(path, 65534, 65534))
		_, err := stackit.ReadKey(path, "")
		require.ErrorIs(t, err, stackit.ErrKeyFile)
	})
	t.Run("nothing", func(t *testing.T) {
		_, err := stackit.ReadKey(filepath.Join(t.TempDir(), "none"), "")
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("with the private key in a file of its own", func(t *testing.T) {
		var private string
		document := edit(t, data, func(_, c map[string]any) { private = c["privateKey"].(string); delete(c, "privateKey") })
		_, err := stackit.ReadKey(write(t, document, 0o600), write(t, []byte(private), 0o600))
		require.NoError(t, err)
		_, err = stackit.ReadKey(write(t, document, 0o600), write(t, []byte(private), 0o644))
		require.ErrorIs(t, err, stackit.ErrKeyFile)
		_, err = stackit.ReadKey(write(t, document, 0o600), "")
		require.ErrorIs(t, err, stackit.ErrKey)
		_, err = stackit.ReadKey(write(t, data, 0o600), write(t, []byte(private), 0o600))
		require.ErrorIs(t, err, stackit.ErrKey, "two private keys")
	})
}
