package pglocal

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"
	"time"
)

// MinMajor is the oldest major version of PostgreSQL that Start accepts.
const MinMajor = 15

// Superuser is the name of the server's first role.
const Superuser = "postgres"

// port is nothing but a part of the socket's name.
const port = "5432"

// defaultStartTimeout bounds a start on a slow and busy machine, initdb included.
const defaultStartTimeout = 60 * time.Second

// Config says where and how a server runs. The zero value is a temporary
// server from the newest binaries found.
type Config struct {
	// Dir keeps the server's data. It is made with mode 0700 if it does not
	// exist. Empty means a temporary directory that is removed when the server ends.
	Dir string
	// TempDir is where temporary directories are made. Empty means TMPDIR or, where
	// the server's account cannot reach that, /tmp or /var/tmp.
	TempDir string
	// BinDir is the directory that holds initdb and postgres. Empty means
	// that Find looks for it.
	BinDir string
	// Settings are server parameters by name, as in postgresql.conf. Those
	// that decide who can reach the server are refused.
	Settings map[string]string
	// Durable makes a temporary server wait for the disk as a persistent one
	// does. A server with a Dir is always durable, unless Settings turn fsync off.
	Durable bool
	// Log receives the server's log. Nil means the file server.log in the
	// server's directory, which holds the messages since the last start.
	Log io.Writer
	// StartTimeout bounds Start. Zero means 60s; negative is an error.
	StartTimeout time.Duration

	watcherOnly bool // leaves out the kernel's death signal, for tests of the watcher
}

// Errors that callers branch on.
var (
	// ErrUnsupported means that this platform cannot run a private server.
	ErrUnsupported = errors.New("pglocal: start: a private PostgreSQL is not supported on this platform")
	// ErrInUse means that another process runs a server in the same directory.
	ErrInUse = errors.New("pglocal: start: directory is in use by another server")
	// ErrForeignDir means that the directory holds something that this package did not make,
	// or that others may write to it.
	ErrForeignDir = errors.New("pglocal: start: not a directory for a private PostgreSQL")
)

// VersionError reports a data directory that the installed binaries cannot serve.
type VersionError struct {
	Dir  string // server directory
	Data string // major version that wrote the data
	Have int    // major version of the binaries
}

// Error names both versions and what to do.
func (e *VersionError) Error() string {
	return fmt.Sprintf("pglocal: start: %s holds data of PostgreSQL %s and the binaries are %d: install PostgreSQL %s or use another directory",
		e.Dir, e.Data, e.Have, e.Data)
}

// StartError reports a server that did not come up, with the end of its log.
type StartError struct {
	Verb string // "initdb" or "postgres"
	Err  error
	Log  string // last lines of the program's output
}

// Error is the cause with the end of the log.
func (e *StartError) Error() string {
	s := fmt.Sprintf("pglocal: start: %s: %v", e.Verb, e.Err)
	if e.Log != "" {
		s += ": " + e.Log
	}
	return s
}

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// fixed are the parameters that keep the server private; Settings may not name them.
var fixed = map[string]bool{
	"listen_addresses": true, "port": true,
	"unix_socket_directories": true, "unix_socket_permissions": true, "unix_socket_group": true,
	"hba_file": true, "ident_file": true, "config_file": true, "data_directory": true,
	"external_pid_file": true, "logging_collector": true, "log_destination": true,
}

var settingName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$`)

func (c Config) validate() error {
	if c.StartTimeout < 0 {
		return errors.New("pglocal: start: StartTimeout is negative")
	}
	for name, value := range c.Settings {
		switch {
		case !settingName.MatchString(name):
			return fmt.Errorf("pglocal: start: %q is no parameter name", name)
		case fixed[name]:
			return fmt.Errorf("pglocal: start: parameter %s is set by pglocal", name)
		case strings.ContainsAny(value, "\x00"):
			return fmt.Errorf("pglocal: start: parameter %s holds a zero byte", name)
		}
	}
	return nil
}

// settingArgs returns the postmaster's arguments: ours first, then the caller's in name order.
func (c Config) settingArgs(socketDir string) []string {
	all := []string{
		"listen_addresses=", "port=" + port,
		"unix_socket_directories=" + quoteListItem(socketDir),
		"unix_socket_permissions=0700", "unix_socket_group=",
		"external_pid_file=", "logging_collector=off", "log_destination=stderr",
		"timezone=UTC", "log_timezone=UTC",
	}
	if c.Dir == "" {
		// Shared memory as files in the data directory: no segment can be left behind.
		all = append(all, "dynamic_shared_memory_type=mmap")
		if !c.Durable {
			all = append(all, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
		}
	}
	names := make([]string, 0, len(c.Settings))
	for name := range c.Settings {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		all = append(all, name+"="+c.Settings[name])
	}
	args := make([]string, 0, 2*len(all))
	for _, s := range all {
		args = append(args, "-c", s)
	}
	return args
}

// quoteListItem quotes one element of a parameter that is a list of identifiers,
// so that commas, spaces and capitals in a path stay what they are.
func quoteListItem(s string) string {
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
