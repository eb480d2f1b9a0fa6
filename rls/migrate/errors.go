package migrate

import (
	"fmt"
	"time"
)

// TooOldError reports a server older than PostgreSQL 15.
type TooOldError struct {
	// Version is server_version_num, such as 140011.
	Version int
}

// Error names the versions.
func (e *TooOldError) Error() string {
	return fmt.Sprintf("migrate: server version %d.%d is older than PostgreSQL 15", e.Version/10000, e.Version%10000)
}

// FailedError reports the migration that failed. It changed nothing, unless it runs outside a transaction.
type FailedError struct {
	// Source and File name the migration.
	Source, File string
	// Err is PostgreSQL's answer.
	Err error
}

// Error names the migration and the cause.
func (e *FailedError) Error() string {
	return fmt.Sprintf("migrate: %s: %s: %v", e.Source, e.File, e.Err)
}

// Unwrap returns Err.
func (e *FailedError) Unwrap() error { return e.Err }

// EditedError reports a migration whose file is not the one that was applied.
type EditedError struct {
	// Source, File and Version name the migration.
	Source, File string
	Version      int64
}

// Error names the migration.
func (e *EditedError) Error() string {
	return fmt.Sprintf("migrate: %s: %s was edited after it was applied; write a new migration instead", e.Source, e.File)
}

// MissingError reports a migration that was applied and is not among the files: the database is newer than the program.
type MissingError struct {
	// Source and Version name the migration.
	Source  string
	Version int64
}

// Error names the migration that is gone.
func (e *MissingError) Error() string {
	return fmt.Sprintf("migrate: %s: version %d was applied and is unknown here; the database is newer than this program", e.Source, e.Version)
}

// OrderError reports a pending migration that is older than one that was applied: it was added, or merged, too late.
type OrderError struct {
	// Source, File and Version name the migration, Newest is the newest version applied.
	Source, File    string
	Version, Newest int64
}

// Error names the migration.
func (e *OrderError) Error() string {
	return fmt.Sprintf("migrate: %s: %s was never applied and is older than version %d, which was; give it a newer number", e.Source, e.File, e.Newest)
}

// LockedError reports that another session held the lock for longer than Config.LockTimeout.
type LockedError struct {
	// PID is the server process that holds it; zero if it was released at that moment.
	PID uint32
	// User and Application are that session's login and application_name; empty if PostgreSQL does not show them.
	User, Application string
	// Waited is Config.LockTimeout.
	Waited time.Duration
}

// Error names the holder.
func (e *LockedError) Error() string {
	return fmt.Sprintf("migrate: lock: held for more than %s by server process %d (login %q, application_name %q)", e.Waited, e.PID, e.User, e.Application)
}
