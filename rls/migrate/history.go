package migrate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"

	"github.com/pioneerdesk/tomkit/rls"
)

// file is one migration of a source.
type file struct {
	name    string
	version int64
	sum     [sha256.Size]byte
}

// readFiles lists a source's migrations in order of their versions.
func readFiles(src rls.Source) ([]file, error) {
	names, err := fs.Glob(src.FS, "*.sql")
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("migrate: source %q: no *.sql files", src.Name)
	}
	var files []file
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("migrate: %s: %s: %w", src.Name, name, err)
		}
		data, err := fs.ReadFile(src.FS, name)
		if err != nil {
			return nil, fmt.Errorf("migrate: %s: %w", src.Name, err)
		}
		files = append(files, file{name: name, version: version, sum: sha256.Sum256(data)})
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.version, b.version) })
	return files, nil
}

// asOwner runs fn in a transaction as the role owner on the connection that holds the lock.
func (r *run) asOwner(ctx context.Context, owner string, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SET LOCAL ROLE "+pgx.Identifier{owner}.Sanitize())
		var pg *pgconn.PgError
		if errors.As(err, &pg) {
			return fmt.Errorf("become %s: %w (see `tomkit roles`)", owner, err)
		}
		if err != nil {
			return err
		}
		return fn(tx)
	})
}

// history returns when each version of src was applied.
func (r *run) history(ctx context.Context, src rls.Source) (map[int64]time.Time, error) {
	applied := make(map[int64]time.Time)
	var version int64
	var at time.Time
	err := r.read(ctx, src.Owner, "migrations_"+src.Name, "SELECT version_id, tstamp FROM "+versionTable(src)+" WHERE is_applied AND version_id > 0",
		[]any{&version, &at}, func() { applied[version] = at.UTC() })
	if err != nil {
		return nil, fmt.Errorf("migrate: %s: read history: %w", src.Name, err)
	}
	return applied, nil
}

// checkedHistory is history, and refuses one that is not what the files tell.
func (r *run) checkedHistory(ctx context.Context, src rls.Source, files []file) (map[int64]time.Time, error) {
	applied, err := r.history(ctx, src)
	if err != nil {
		return nil, err
	}
	sums, err := r.checksums(ctx, src)
	if err != nil {
		return nil, err
	}
	var known []int64
	for _, f := range files {
		known = append(known, f.version)
		if sum, ok := sums[f.version]; ok && sum != f.sum {
			return nil, &EditedError{Source: src.Name, File: f.name, Version: f.version}
		}
	}
	var newest int64
	for _, version := range slices.Sorted(maps.Keys(applied)) {
		newest = version
		if !slices.Contains(known, version) {
			return nil, &MissingError{Source: src.Name, Version: version}
		}
	}
	for _, f := range files {
		if _, ok := applied[f.version]; !ok && f.version < newest {
			return nil, &OrderError{Source: src.Name, File: f.name, Version: f.version, Newest: newest}
		}
	}
	return applied, nil
}

func (r *run) checksums(ctx context.Context, src rls.Source) (map[int64][sha256.Size]byte, error) {
	sums := make(map[int64][sha256.Size]byte)
	var version int64
	var sum []byte
	err := r.read(ctx, rls.RoleOwner, "migration_checksums", "SELECT version, sha256 FROM tomkit.migration_checksums WHERE source = '"+src.Name+"'",
		[]any{&version, &sum}, func() {
			var s [sha256.Size]byte
			copy(s[:], sum)
			sums[version] = s
		})
	if err != nil {
		return nil, fmt.Errorf("migrate: %s: read checksums: %w", src.Name, err)
	}
	return sums, nil
}

// read runs a query on a table of schema tomkit, if it exists.
func (r *run) read(ctx context.Context, owner, table, sql string, into []any, row func()) error {
	return r.asOwner(ctx, owner, func(tx pgx.Tx) error {
		var exists bool
		err := tx.QueryRow(ctx, "SELECT "+tableExists("$1"), table).Scan(&exists)
		if err != nil || !exists {
			return err
		}
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			return err
		}
		_, err = pgx.ForEachRow(rows, into, func() error { row(); return nil })
		return err
	})
}
