package rls

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// RawConn borrows a connection of a login's pool, as the last caller left it, until the end of the test. With a pool of
// one, the test must not use the login meanwhile, so the connection goes back at once and is only looked at.
func RawConn(t testing.TB, db *DB, role string) *pgx.Conn {
	pool := map[string]*pgxpool.Pool{RoleApp: db.app, RoleMSP: db.msp, RoleSystem: db.system}[role]
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	return conn.Conn()
}

// Context returns the setting a scope would send, for attacks.
func Context(s Scope) string {
	_, _, value, err := s.login()
	if err != nil {
		panic(err)
	}
	return value
}

// SignContext makes a context with any key, kind letter and clock.
func SignContext(cfg Config, k byte, id uuid.UUID) string {
	block, err := cfg.ContextKey.block(kind(k))
	if err != nil {
		panic(err)
	}
	return signed(&block, id, cfg.Now())
}

// MAC authenticates any message with a key.
func MAC(key ContextKey, k byte, message string) string {
	block, err := key.block(kind(k))
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(append(block[:], message...)))
}

// Judge judges a blameless login of a server of that version.
func Judge(role string, version int) *ProbeError {
	return (&probeResult{Version: version, Session: role, Current: role}).judge(role)
}

// AsLogin is asLogin.
func AsLogin(dsn, role, password string) (string, error) { return asLogin(dsn, role, password) }

// ValidKey validates a key.
func ValidKey(k ContextKey) error { return k.validate() }

// Signer returns a function that makes contexts as scopes do.
func Signer(cfg Config) func(kind byte, id uuid.UUID) string {
	s, err := newSigner(cfg)
	if err != nil {
		panic(err)
	}
	return func(k byte, id uuid.UUID) string { return s.context(kind(k), id) }
}
