package rls

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config names the logins and the key of a [DB]. At least one URL is needed.
type Config struct {
	// AppURL, MSPURL and SystemURL are the connection strings of RoleApp, RoleMSP and RoleSystem, as URL or as
	// keyword list. An empty one leaves the scopes of that login unusable (ErrNoLogin).
	//
	// They may lead through a pooler, see [DB.Pooled]. Every default_query_exec_mode is accepted. In the mode
	// simple_protocol pgx would write arguments, among them the context, into the texts of statements; it is taken as
	// cache_describe, which binds them. In the mode exec pgx guesses the types of arguments and refuses some that the
	// others take, such as arrays of UUIDs; nothing needs it.
	AppURL, MSPURL, SystemURL string
	// ContextKey signs the contexts of AppURL and MSPURL. The database must know it, see [InstallContextKey].
	ContextKey ContextKey
	// UnsignedContextUnsafe sends the bare id instead of a signed context. Whoever can inject SQL then reaches every
	// tenant. It needs a database switched by [UsePlainContextUnsafe].
	UnsignedContextUnsafe bool
	// MaxConns is the size of each login's pool. Zero means the greater of 4 and the number of CPUs; negative is an
	// error.
	MaxConns int32
	// Check looks at each login's first connection while the DB is opened, after the built-in probe; an error refuses the
	// DB. The package rls/audit has one that reads the whole catalogue. Nil means no further check.
	Check func(context.Context, *pgx.Conn) error
	// Account is called after each System scope, also after a failed one. It must not block for long. Nil means
	// nobody is told.
	Account func(context.Context, SystemUse)
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Reason names the purpose of a System scope by a stable code such as "heartbeat_flush": 1 to 64 of a-z, 0-9, '_', '.'
// and '-'.
type Reason string

func (r Reason) valid() bool {
	if len(r) == 0 || len(r) > 64 {
		return false
	}
	for _, c := range []byte(r) {
		if !codeByte(c) {
			return false
		}
	}
	return true
}

// codeByte reports whether c may be part of a code or of a key id.
func codeByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
}

// SystemUse reports one finished System scope.
type SystemUse struct {
	// Reason is what the caller gave.
	Reason Reason
	// At is the time the scope was opened, UTC, microseconds.
	At time.Time
	// Took is the time until it was closed.
	Took time.Duration
	// Err is nil if the transaction was committed.
	Err error
}

func (cfg *Config) validate() error {
	if cfg.AppURL == "" && cfg.MSPURL == "" && cfg.SystemURL == "" {
		return errors.New("rls: open: no connection string")
	}
	if cfg.MaxConns < 0 {
		return errors.New("rls: open: MaxConns is negative")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.UnsignedContextUnsafe {
		if cfg.ContextKey.ID != "" || len(cfg.ContextKey.Key) != 0 {
			return errors.New("rls: open: ContextKey given together with UnsignedContextUnsafe")
		}
		return nil
	}
	if cfg.AppURL == "" && cfg.MSPURL == "" {
		return nil // the system login uses no key
	}
	return cfg.ContextKey.validate()
}

// poolConfig parses url, whose text must not reach an error since it may hold a password.
func (cfg *Config) poolConfig(role, url string) (*pgxpool.Config, error) {
	pc, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("rls: open: connection string of %s is malformed", role)
	}
	if cfg.MaxConns > 0 {
		pc.MaxConns = cfg.MaxConns
	}
	return pc, nil
}
