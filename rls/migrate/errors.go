package migrate

import "fmt"

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
