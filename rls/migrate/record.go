package migrate

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/pressly/goose/v3/database"

	"github.com/pioneerdesk/tomkit/rls"
)

// recording is what goose sends for a source to an empty database.
type recording struct {
	versionTable []string
	migrations   []recorded
}

// recorded is one migration: body statements of its own, then those that note it as applied.
type recorded struct {
	file
	statements    []string
	body          int
	transactional bool
}

// record lets goose migrate a database that only notes what it is told, so that nobody else has to read goose's files.
func record(ctx context.Context, src rls.Source, files []file) (*recording, error) {
	inner, err := newStore(src, files)
	if err != nil {
		return nil, fmt.Errorf("migrate: %s: %w", src.Name, err)
	}
	t := &transcript{store: inner}
	db := sql.OpenDB(t)
	defer db.Close()
	p, err := gooseProvider(src, db, t)
	if err != nil {
		return nil, err
	}
	rec := &recording{}
	for _, f := range files {
		t.said, t.began = nil, false
		if _, err := p.UpByOne(ctx); err != nil {
			return nil, fmt.Errorf("migrate: %s: %s: %w", src.Name, f.name, err)
		}
		rec.migrations = append(rec.migrations, recorded{file: f, statements: t.said, body: t.body, transactional: t.began})
	}
	rec.versionTable = t.table
	return rec, nil
}

// transcript is goose's store and database at once. The rest of the store's methods are not called on the way up.
type transcript struct {
	*store
	table    []string // statements that make the version table
	said     []string // statements of the current migration
	body     int
	began    bool
	versions []*database.ListMigrationsResult // newest first
}

// TableExists says what goose would find.
func (t *transcript) TableExists(context.Context, database.DBTxConn) (bool, error) {
	return len(t.versions) > 0, nil
}

// Insert notes the version and the statements around it.
func (t *transcript) Insert(ctx context.Context, db database.DBTxConn, req database.InsertRequest) error {
	t.body = len(t.said)
	if err := t.store.Insert(ctx, db, req); err != nil {
		return err
	}
	t.versions = append([]*database.ListMigrationsResult{{Version: req.Version, IsApplied: true}}, t.versions...)
	if req.Version == 0 {
		t.table, t.said, t.began = t.said, nil, false
	}
	return nil
}

// GetLatestVersion returns the last version inserted.
func (t *transcript) GetLatestVersion(context.Context, database.DBTxConn) (int64, error) {
	if len(t.versions) == 0 {
		return 0, database.ErrVersionNotFound
	}
	return t.versions[0].Version, nil
}

// ListMigrations returns the versions inserted.
func (t *transcript) ListMigrations(context.Context, database.DBTxConn) ([]*database.ListMigrationsResult, error) {
	return t.versions, nil
}

// Connect makes the transcript a driver.Connector.
func (t *transcript) Connect(context.Context) (driver.Conn, error) { return (*recorder)(t), nil }

// Driver is part of driver.Connector and not called.
func (t *transcript) Driver() driver.Driver { return nil }

// recorder is the transcript's connection and its transactions.
type recorder transcript

var errDry = errors.New("migrate: a recording answers no queries")

func (r *recorder) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	for _, a := range args { // goose's own: a number and a boolean
		query = strings.ReplaceAll(query, fmt.Sprintf("$%d", a.Ordinal), fmt.Sprint(a.Value))
	}
	r.said = append(r.said, query)
	return driver.RowsAffected(0), nil
}

func (r *recorder) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	r.began = true
	return r, nil
}

func (r *recorder) Prepare(string) (driver.Stmt, error) { return nil, errDry }
func (r *recorder) Begin() (driver.Tx, error)           { return nil, errDry }
func (r *recorder) Close() error                        { return nil }
func (r *recorder) Commit() error                       { return nil }
func (r *recorder) Rollback() error                     { return nil }
