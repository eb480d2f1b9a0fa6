package migrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The advisory locks all runs of one database queue for, "tomkit" in ASCII and a number: the run's, and that of the
// connection which applies migrations.
const (
	lockID     int64 = 0x746f6d6b69740001
	workLockID int64 = 0x746f6d6b69740002
)

// acquire takes a lock for the rest of the session.
func acquire(ctx context.Context, conn *pgx.Conn, id int64, wait time.Duration) error {
	ms := min(max(wait.Milliseconds(), 1), math.MaxInt32)
	_, err := conn.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", ms))
	if err == nil {
		_, err = conn.Exec(ctx, "SELECT pg_catalog.pg_advisory_lock($1)", id)
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "55P03" { // lock_not_available
		return lockedError(ctx, conn, id, wait)
	}
	if err == nil {
		_, err = conn.Exec(ctx, "RESET lock_timeout")
	}
	if err != nil {
		return fmt.Errorf("migrate: lock: %w", err)
	}
	return nil
}

// lockedError says who holds the lock. PostgreSQL shows the names of other logins' sessions to few.
func lockedError(ctx context.Context, conn *pgx.Conn, id int64, waited time.Duration) error {
	e := &LockedError{Waited: waited}
	err := conn.QueryRow(ctx, `SELECT l.pid, coalesce(a.application_name, ''), coalesce(a.usename, '') FROM pg_catalog.pg_locks l
		LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
		WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::bigint = $1::bigint >> 32 AND l.objid::bigint = $1::bigint & 4294967295
		  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())`, id).Scan(&e.PID, &e.Application, &e.User)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) { // released just now
		return fmt.Errorf("migrate: lock: find its holder: %w", err)
	}
	return e
}
