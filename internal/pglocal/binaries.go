package pglocal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// BinEnv names the environment variable with the directory of the PostgreSQL binaries.
const BinEnv = "TOMKIT_POSTGRES_BIN"

// Binaries are installed server programs of one version.
type Binaries struct {
	Dir     string // holds initdb and postgres
	Version string // as reported by the server, such as "15.13 (Debian 15.13-0+deb12u1)"
	Major   int
}

// NotInstalledError reports that no usable PostgreSQL server is installed.
type NotInstalledError struct {
	Searched []string   // directories that were looked at
	TooOld   []Binaries // servers older than MinMajor
	Install  string     // command that installs one on this platform
}

// Error says what is missing and which command installs it.
func (e *NotInstalledError) Error() string {
	var old string
	for _, b := range e.TooOld {
		old += fmt.Sprintf(", %s in %s is too old", b.Version, b.Dir)
	}
	return fmt.Sprintf("pglocal: find: no PostgreSQL server %d or newer is installed%s: install one with `%s` or set %s to the directory of initdb and postgres",
		MinMajor, old, e.Install, BinEnv)
}

// Find returns the newest server of at least MinMajor: in dir if it is given,
// else in the directory that BinEnv names, else in PATH and in the places where
// packages of Debian, Fedora, Alpine, Homebrew and the PostgreSQL project put it.
// The error is a *NotInstalledError if there is none.
func Find(ctx context.Context, dir string) (Binaries, error) {
	return find(ctx, dir, 0)
}

// find prefers a server of the given major version if there is one; zero prefers the newest.
func find(ctx context.Context, dir string, major int) (Binaries, error) {
	dirs := searchDirs(dir)
	var good, old []Binaries
	for _, d := range dirs {
		b, err := inspect(ctx, d)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return Binaries{}, err
		case b.Major < MinMajor:
			old = append(old, b)
		default:
			good = append(good, b)
		}
	}
	if len(good) == 0 {
		return Binaries{}, &NotInstalledError{Searched: dirs, TooOld: old, Install: installCommand()}
	}
	return slices.MaxFunc(good, func(a, b Binaries) int {
		if (a.Major == major) != (b.Major == major) {
			if a.Major == major {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.Major, b.Major)
	}), nil
}

// searchDirs lists where binaries may be; an explicit choice is the only one.
func searchDirs(dir string) []string {
	if dir == "" {
		dir = os.Getenv(BinEnv)
	}
	if dir != "" {
		return []string{dir}
	}
	var dirs []string
	add := func(d string) {
		if !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	if p, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			p = real
		}
		add(filepath.Dir(p))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // postgresql.org for Red Hat
		"/usr/libexec/postgresql*",          // Alpine
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew, Apple silicon
		"/usr/local/opt/postgresql*/bin",    // Homebrew, Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"/Library/PostgreSQL/*/bin", // macOS installer
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		"/usr/local/pgsql/bin", // built from source
	} {
		found, _ := filepath.Glob(pattern)
		for _, d := range found {
			add(d)
		}
	}
	return dirs
}

var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) ((\d+).*)$`)

// inspect asks the server in dir for its version. The error is os.ErrNotExist
// if one of the two programs is missing.
func inspect(ctx context.Context, dir string) (Binaries, error) {
	for _, name := range []string{"initdb", "postgres"} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.IsDir() {
			return Binaries{}, os.ErrNotExist
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version")
	cmd.Env = cleanEnv("/")
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // rather than the signal that it caused
		}
		return Binaries{}, fmt.Errorf("pglocal: find: %s: %w", cmd.Path, err)
	}
	m := versionLine.FindStringSubmatch(strings.TrimSpace(string(out)))
	if m == nil {
		return Binaries{}, fmt.Errorf("pglocal: find: %s does not report a version", cmd.Path)
	}
	major, err := strconv.Atoi(m[2])
	if err != nil {
		return Binaries{}, fmt.Errorf("pglocal: find: %s: %w", cmd.Path, err)
	}
	return Binaries{Dir: dir, Version: m[1], Major: major}, nil
}

// cleanEnv is the environment of the server's programs: nothing of ours that
// would change them (PGDATA, PGPORT, LC_ALL …) and no secrets.
func cleanEnv(home string) []string {
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "TZ=UTC", "LC_ALL=C"}
	for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// installCommand names the command that installs a server here.
func installCommand() string {
	release, _ := os.ReadFile("/etc/os-release")
	command := installFor(runtime.GOOS, string(release))
	if runtime.GOOS != "darwin" && runtime.GOOS != "windows" && os.Geteuid() != 0 {
		return "sudo " + command
	}
	return command
}

func installFor(goos, osRelease string) string {
	switch goos {
	case "darwin":
		return "brew install postgresql@17"
	case "freebsd":
		return "pkg install -y postgresql17-server"
	case "windows":
		return "winget install PostgreSQL.PostgreSQL.17"
	}
	ids := osReleaseIDs(osRelease)
	for _, known := range []struct{ id, command string }{
		{"debian", "apt-get install -y postgresql"},
		{"ubuntu", "apt-get install -y postgresql"},
		{"fedora", "dnf install -y postgresql-server"},
		{"rhel", "dnf install -y postgresql-server"},
		{"alpine", "apk add postgresql"},
		{"arch", "pacman -S postgresql"},
		{"suse", "zypper install postgresql-server"},
		{"opensuse", "zypper install postgresql-server"},
	} {
		if slices.Contains(ids, known.id) {
			return known.command
		}
	}
	return "the package manager's PostgreSQL server package"
}

// osReleaseIDs returns the words of ID and ID_LIKE, os-release(5).
func osReleaseIDs(osRelease string) []string {
	var ids []string
	for line := range strings.Lines(osRelease) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if name == "ID" || name == "ID_LIKE" {
			ids = append(ids, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	return ids
}
