package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/rls"
)

// Variables that tests are run with.
const (
	// EnvURL names a superuser's URL of a server for tests.
	EnvURL = "TOMKIT_TEST_DATABASE_URL"
	// EnvRequire set to 1 makes a test fail that would be skipped for want of a server.
	EnvRequire = "TOMKIT_TEST_REQUIRE"
)

// settings make a private server small and quick: ten of them may run at once, and
// nothing on them outlives the process.
var settings = map[string]string{
	"shared_buffers":                  "16MB",
	"max_connections":                 "100",
	"max_wal_size":                    "256MB",
	"wal_level":                       "minimal",
	"max_wal_senders":                 "0",
	"checkpoint_timeout":              "1h",
	"autovacuum_naptime":              "10min",
	"jit":                             "off",
	"max_parallel_workers_per_gather": "0",
	"log_min_messages":                "warning",
}

// server is a PostgreSQL that tests may fill with databases.
type server struct {
	base  *url.URL // superuser's URL of the maintenance database
	local bool     // private to this process

	mu        sync.Mutex
	templates map[string]error // by name: made, or why not
}

// errNone means that there is no PostgreSQL on this machine.
var errNone = errors.New("pgtest: no PostgreSQL for tests")

// acquire returns the process's server and starts it the first time.
var acquire = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if text := os.Getenv(EnvURL); text != "" {
		return external(ctx, text)
	}
	srv, err := pglocal.Start(ctx, pglocal.Config{Settings: settings, TempDir: memoryDir()})
	var missing *pglocal.NotInstalledError
	switch {
	case errors.As(err, &missing), errors.Is(err, pglocal.ErrUnsupported):
		return nil, fmt.Errorf("%w: %s is not set and %w", errNone, EnvURL, err)
	case err != nil:
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	return prepare(ctx, srv.URL("postgres", pglocal.Superuser), true)
})

// NeedBinaries skips the test, or fails it if TOMKIT_TEST_REQUIRE is 1, when no
// PostgreSQL binaries are installed: for the tests of internal/pglocal itself.
func NeedBinaries(t testing.TB) {
	t.Helper()
	_, err := pglocal.Find(t.Context(), "")
	if err == nil && (runtime.GOOS == "windows" || runtime.GOOS == "js") {
		err = pglocal.ErrUnsupported
	}
	unavailable(t, err)
}

// unavailable is the project's only skip.
func unavailable(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv(EnvRequire) == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// external uses the server that EnvURL names.
func external(ctx context.Context, text string) (*server, error) {
	return prepare(ctx, text, false)
}

// prepare checks the server. A shared one gets its roles, which belong to the whole
// server, and loses what killed processes left.
func prepare(ctx context.Context, text string, local bool) (*server, error) {
	base, err := url.Parse(text)
	if err != nil || base.Scheme != "postgres" && base.Scheme != "postgresql" {
		return nil, fmt.Errorf("pgtest: %s is no URL of the form postgres://user:password@host/database", EnvURL)
	}
	s := &server{base: base, local: local, templates: map[string]error{}}
	err = s.locked(ctx, func(conn *pgx.Conn) error {
		if err := checkServer(ctx, conn); err != nil {
			return err
		}
		if local {
			return nil
		}
		if err := claimRoles(ctx, conn); err != nil {
			return err
		}
		if _, err := rls.ApplyRoles(ctx, s.base.String()); err != nil {
			return fmt.Errorf("pgtest: %w", err)
		}
		if err := markRoles(ctx, conn); err != nil {
			return err
		}
		return sweep(ctx, conn)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func checkServer(ctx context.Context, conn *pgx.Conn) error {
	var version int
	var super bool
	err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('is_superuser')::bool`).Scan(&version, &super)
	switch {
	case err != nil:
		return fmt.Errorf("pgtest: check server: %w", err)
	case version < pglocal.MinMajor*10000:
		return fmt.Errorf("pgtest: server is PostgreSQL %d, want %d or newer", version/10000, pglocal.MinMajor)
	case !super:
		return fmt.Errorf("pgtest: %s must name a superuser", EnvURL)
	}
	return nil
}

// superURL returns the superuser's connection string for a database.
func (s *server) superURL(database string) string {
	u := *s.base
	u.Path = "/" + database
	return u.String()
}

// connect opens the superuser's connection to the maintenance database.
func (s *server) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, s.base.String())
	if err != nil {
		return nil, fmt.Errorf("pgtest: connect: %w", err) // pgx leaves the password out
	}
	return conn, nil
}

// lockKey is one number for everything that pgtest does to a whole server.
const lockKey = 0x746f6d6b69740100

// locked runs fn while no other process changes roles or templates of the server.
// Advisory locks belong to a database: all processes use the maintenance database.
func (s *server) locked(ctx context.Context, fn func(*pgx.Conn) error) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) // ends the lock
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(lockKey)); err != nil {
		return fmt.Errorf("pgtest: lock: %w", err)
	}
	return fn(conn)
}
