package pgsink

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pioneerdesk/tomkit/rls"
)

// WriteError says that a batch was not confirmed. Its text names the SQLSTATE only: PostgreSQL's own text may repeat
// values; Unwrap gives it to those who must know.
type WriteError struct {
	SQLState string // five characters, or empty when the connection failed
	cause    error
}

// Error returns the fact and the SQLSTATE.
func (e *WriteError) Error() string {
	if e.SQLState == "" {
		return "pgsink: write: connection failed"
	}
	return "pgsink: write: refused with SQLSTATE " + e.SQLState
}

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.cause }

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

const (
	codeForeignKey = "23503" // foreign_key_violation
	codeLock       = "55P03" // lock_not_available: lock_timeout
)

// rowFault reports whether err concerns some row of the batch rather than the transaction: data exception, integrity
// violation, size limit, lock timeout.
func rowFault(err error) bool {
	code := sqlState(err)
	if code == "" || errors.Is(err, rls.ErrCommitUnknown) {
		return false
	}
	return code == codeLock || code[:2] == "22" || code[:2] == "23" || code[:2] == "54"
}

// transient reports whether trying again may help: a lost connection, a deadlock, a server that restarts. Writing twice
// is harmless, so an unknown outcome is one of them.
func transient(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	switch code := sqlState(err); {
	case code == "":
		return true
	case errors.Is(err, rls.ErrCommitUnknown):
		return true
	default:
		return code[:2] == "08" || code[:2] == "40" || code[:2] == "57"
	}
}
