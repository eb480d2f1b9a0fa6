//go:build unix && !aix && !solaris

package pglocal_test

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
)

// cacheHome redirects os.UserCacheDir and returns the directory of the templates.
func cacheHome(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", "")
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(cache, 0o700))
	return filepath.Join(cache, "tomkit", "pglocal")
}

func templates(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.tar"))
	require.NoError(t, err)
	return found
}

func TestTemplate(t *testing.T) {
	pgtest.NeedBinaries(t)
	cache := cacheHome(t)
	t.Run("is made once by starts that happen together", func(t *testing.T) {
		var all sync.WaitGroup
		errs := make([]error, 3)
		for i := range errs {
			all.Go(func() {
				srv, err := pglocal.Start(t.Context(), pglocal.Config{})
				if err == nil {
					err = srv.Stop(t.Context())
				}
				errs[i] = err
			})
		}
		all.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		require.Len(t, templates(t, cache), 1)
		entries, err := os.ReadDir(cache)
		require.NoError(t, err)
		require.Len(t, entries, 2, "the archive and its lock, nothing half made")
	})
	t.Run("that was cut short is not used and is made anew", func(t *testing.T) {
		archive := templates(t, cache)[0]
		whole, err := os.Stat(archive)
		require.NoError(t, err)
		for _, size := range []int64{0, 512, whole.Size() / 2, whole.Size() - 1} {
			require.NoError(t, os.Truncate(archive, size))
			srv := start(t, pglocal.Config{})
			require.Equal(t, 1, query[int](t, srv, `SELECT 1`))
			healed, err := os.Stat(archive)
			require.NoError(t, err)
			require.GreaterOrEqual(t, healed.Size(), whole.Size()-1)
		}
	})
	t.Run("that others could have written is not used", func(t *testing.T) {
		require.NoError(t, os.Chmod(cache, 0o777))
		archive := templates(t, cache)[0]
		require.NoError(t, os.WriteFile(archive, []byte("not touched"), 0o600))
		srv := start(t, pglocal.Config{})
		require.Equal(t, 1, query[int](t, srv, `SELECT 1`))
		text, err := os.ReadFile(archive)
		require.NoError(t, err)
		require.Equal(t, "not touched", string(text))
	})
	t.Run("is done without where there is no cache directory", func(t *testing.T) {
		blocked := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(blocked, nil, 0o600))
		t.Setenv("XDG_CACHE_HOME", blocked)
		if runtime.GOOS == "darwin" {
			t.Setenv("HOME", blocked)
		}
		srv := start(t, pglocal.Config{})
		require.Equal(t, 1, query[int](t, srv, `SELECT 1`))
	})
}
