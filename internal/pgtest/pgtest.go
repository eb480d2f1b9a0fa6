package pgtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pioneerdesk/tomkit/rls"
)

// patience bounds each step of making and dropping a database; a machine that needs
// longer is stuck.
const patience = 2 * time.Minute

// DB is a test's own database.
type DB struct {
	server *server
	name   string
	logins rls.Logins
}

// New returns a new database with the migrations of sources applied in their order.
// It is dropped when the test and its subtests have ended. New skips the test, or
// fails it if TOMKIT_TEST_REQUIRE is 1, when there is no PostgreSQL to be had.
func New(t testing.TB, sources ...rls.Source) *DB {
	t.Helper()
	s, err := acquire()
	if errors.Is(err, errNone) {
		unavailable(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	db, err := s.newDB(ctx, sources)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.drop(ctx, db.name); err != nil {
			t.Error(err)
		}
	})
	return db
}

// newDB clones the template of sources.
func (s *server) newDB(ctx context.Context, sources []rls.Source) (*DB, error) {
	template, err := s.template(ctx, sources)
	if err != nil {
		return nil, err
	}
	name, err := s.clone(ctx, template)
	if err != nil {
		return nil, err
	}
	// Rights on a database are no part of its template.
	logins, err := rls.ApplyRoles(ctx, s.superURL(name))
	if err != nil {
		return nil, errors.Join(err, s.drop(ctx, name))
	}
	return &DB{server: s, name: name, logins: logins}, nil
}

// Name returns the database's name.
func (db *DB) Name() string { return db.name }

// URL returns the connection string of a login: rls.RoleApp, RoleMSP, RoleSystem,
// RoleMigrator or RoleBackup.
func (db *DB) URL(role string) string { return db.logins.URL(role) }

// SuperuserURL returns the connection string of a superuser, for fixtures and attacks.
func (db *DB) SuperuserURL() string { return db.server.superURL(db.name) }

// Superuser returns a pool of superuser connections, which no policy binds: for
// fixtures and attacks. It is closed when the test ends.
func (db *DB) Superuser(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return db.pool(t, db.SuperuserURL())
}

// Pool returns a pool of a login's own connections without any tenant context, for
// attacks. It is closed when the test ends.
func (db *DB) Pool(t testing.TB, role string) *pgxpool.Pool {
	t.Helper()
	return db.pool(t, db.URL(role))
}

func (db *DB) pool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = maxConns
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// maxConns bounds each pool: parallel tests of several processes may share 100 connections.
const maxConns = 4

// Open returns scopes over the logins app, msp and system with the test context key.
// It is closed when the test ends.
func (db *DB) Open(t testing.TB) *rls.DB {
	t.Helper()
	return db.OpenConfig(t, rls.Config{})
}

// OpenConfig is Open with the caller's settings; what cfg leaves empty of URLs, key and
// size is filled in.
func (db *DB) OpenConfig(t testing.TB, cfg rls.Config) *rls.DB {
	t.Helper()
	if cfg.AppURL == "" && cfg.MSPURL == "" && cfg.SystemURL == "" {
		cfg.AppURL, cfg.MSPURL, cfg.SystemURL = db.URL(rls.RoleApp), db.URL(rls.RoleMSP), db.URL(rls.RoleSystem)
	}
	if cfg.ContextKey.ID == "" && !cfg.UnsignedContextUnsafe {
		cfg.ContextKey = ContextKey()
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = maxConns
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	scopes, err := rls.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(scopes.Close)
	return scopes
}

// ContextKey returns the key that signs tenant contexts in every test database. It is
// public and the same everywhere.
func ContextKey() rls.ContextKey {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	return rls.ContextKey{ID: "test", Key: key}
}
