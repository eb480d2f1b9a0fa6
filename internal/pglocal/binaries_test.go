package pglocal_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
)

// fakeBinaries is a directory whose server only reports a version.
func fakeBinaries(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"initdb", "postgres"} {
		script := "#!/bin/sh\necho '" + version + "'\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
	}
	return dir
}

func TestFind(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // the fakes are shell scripts
	}
	t.Run("names the command that installs a server when there is none", func(t *testing.T) {
		empty := t.TempDir()
		t.Setenv(pglocal.BinEnv, empty)
		_, err := pglocal.Find(t.Context(), "")
		var missing *pglocal.NotInstalledError
		require.ErrorAs(t, err, &missing)
		require.Equal(t, []string{empty}, missing.Searched)
		require.NotEmpty(t, missing.Install)
		require.ErrorContains(t, err, missing.Install)
		_, err = pglocal.Start(t.Context(), pglocal.Config{})
		if runtime.GOOS == "linux" || runtime.GOOS == "darwin" {
			require.ErrorAs(t, err, &missing)
		}
	})
	t.Run("says that a server is too old", func(t *testing.T) {
		_, err := pglocal.Find(t.Context(), fakeBinaries(t, "postgres (PostgreSQL) 14.9"))
		var missing *pglocal.NotInstalledError
		require.ErrorAs(t, err, &missing)
		require.Len(t, missing.TooOld, 1)
		require.ErrorContains(t, err, "14.9")
	})
	for line, major := range map[string]int{
		"postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)": 15,
		"postgres (PostgreSQL) 17.2":                           17,
		"postgres (PostgreSQL) 19beta1":                        19,
	} {
		t.Run("reads "+line, func(t *testing.T) {
			t.Setenv(pglocal.BinEnv, fakeBinaries(t, line))
			found, err := pglocal.Find(context.Background(), "")
			require.NoError(t, err)
			require.Equal(t, major, found.Major)
		})
	}
	t.Run("takes the newest in PATH's place over nothing", func(t *testing.T) {
		t.Setenv(pglocal.BinEnv, "")
		dir := fakeBinaries(t, "postgres (PostgreSQL) 99.1")
		t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
		found, err := pglocal.Find(t.Context(), "")
		require.NoError(t, err)
		require.Equal(t, 99, found.Major)
	})
	t.Run("does not guess what a strange program is", func(t *testing.T) {
		_, err := pglocal.Find(t.Context(), fakeBinaries(t, "hello"))
		require.ErrorContains(t, err, "does not report a version")
	})
}

func TestInstallCommand(t *testing.T) {
	for _, c := range []struct{ goos, release, want string }{
		{"linux", "ID=debian\n", "apt-get install -y postgresql"},
		{"linux", "NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "apt-get install -y postgresql"},
		{"linux", "ID=ubuntu\nID_LIKE=debian\n", "apt-get install -y postgresql"},
		{"linux", "ID=fedora\n", "dnf install -y postgresql-server"},
		{"linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf install -y postgresql-server"},
		{"linux", "ID=alpine\n", "apk add postgresql"},
		{"linux", "", "the package manager's PostgreSQL server package"},
		{"darwin", "", "brew install postgresql@17"},
		{"windows", "", "winget install PostgreSQL.PostgreSQL.17"},
	} {
		t.Run(c.goos+" "+c.release, func(t *testing.T) {
			require.Equal(t, c.want, pglocal.InstallFor(c.goos, c.release))
		})
	}
}
