package migrate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
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
	slices.SortFunc(files, func(a, b file) int { return int(a.version - b.version) })
	return files, nil
}

// prepare makes the schema, the table of checksums and the owners' default privileges, where they are missing.
func (r *run) prepare(ctx context.Context) error {
	err := r.asOwner(ctx, rls.RoleOwner, func(tx pgx.Tx) error {
		var exists bool
		err := tx.QueryRow(ctx, "SELECT to_regclass('tomkit.migration_checksums') IS NOT NULL").Scan(&exists)
		if err != nil || exists {
			return err
		}
		_, err = tx.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS tomkit;
			CREATE TABLE tomkit.migration_checksums (
				source text NOT NULL, version bigint NOT NULL, sha256 bytea NOT NULL, PRIMARY KEY (source, version));
			REVOKE ALL ON tomkit.migration_checksums FROM PUBLIC;
			GRANT SELECT ON tomkit.migration_checksums TO tomkit_backup`)
		return err
	})
	if err != nil {
		return fmt.Errorf("migrate: prepare schema: %w", err)
	}
	var owners []string
	for _, src := range r.sources {
		if !slices.Contains(owners, src.Owner) {
			owners = append(owners, src.Owner)
		}
	}
	for _, owner := range owners {
		if err := r.defaultPrivileges(ctx, owner); err != nil {
			return fmt.Errorf("migrate: default privileges of %s: %w", owner, err)
		}
	}
	return nil
}

// defaultPrivileges takes what PostgreSQL gives to everybody and lets dumps read what owner creates.
func (r *run) defaultPrivileges(ctx context.Context, owner string) error {
	return r.asOwner(ctx, owner, func(tx pgx.Tx) error {
		var exists bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_default_acl
			WHERE defaclrole = current_user::regrole AND defaclnamespace = 'tomkit'::regnamespace)`).Scan(&exists)
		if err != nil || exists {
			return err
		}
		_, err = tx.Exec(ctx, `ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
			ALTER DEFAULT PRIVILEGES IN SCHEMA tomkit GRANT SELECT ON TABLES TO tomkit_backup;
			ALTER DEFAULT PRIVILEGES IN SCHEMA tomkit GRANT SELECT ON SEQUENCES TO tomkit_backup`)
		return err
	})
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
	err := r.asOwner(ctx, src.Owner, func(tx pgx.Tx) error {
		var exists bool
		err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", versionTable(src)).Scan(&exists)
		if err != nil || !exists {
			return err
		}
		rows, err := tx.Query(ctx, "SELECT version_id, tstamp FROM "+versionTable(src)+" WHERE is_applied AND version_id > 0")
		if err != nil {
			return err
		}
		var version int64
		var at time.Time
		_, err = pgx.ForEachRow(rows, []any{&version, &at}, func() error {
			applied[version] = at.UTC()
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("migrate: %s: read history: %w", src.Name, err)
	}
	return applied, nil
}

// checkHistory refuses to go on from a history that is not the one the files tell.
func (r *run) checkHistory(ctx context.Context, src rls.Source, files []file) error {
	applied, err := r.history(ctx, src)
	if err != nil {
		return err
	}
	sums, err := r.checksums(ctx, src)
	if err != nil {
		return err
	}
	for _, f := range files {
		if sum, ok := sums[f.version]; ok && sum != f.sum {
			return &EditedError{Source: src.Name, File: f.name, Version: f.version}
		}
		delete(applied, f.version)
	}
	for version := range applied {
		return &MissingError{Source: src.Name, Version: version}
	}
	return nil
}

func (r *run) checksums(ctx context.Context, src rls.Source) (map[int64][sha256.Size]byte, error) {
	sums := make(map[int64][sha256.Size]byte)
	err := r.asOwner(ctx, rls.RoleOwner, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT version, sha256 FROM tomkit.migration_checksums WHERE source = $1", src.Name)
		if err != nil {
			return err
		}
		var version int64
		var sum []byte
		_, err = pgx.ForEachRow(rows, []any{&version, &sum}, func() error {
			var s [sha256.Size]byte
			copy(s[:], sum)
			sums[version] = s
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("migrate: %s: read checksums: %w", src.Name, err)
	}
	return sums, nil
}

// remember stores the checksums of a source that is up to date.
func (r *run) remember(ctx context.Context, src rls.Source, files []file) error {
	err := r.asOwner(ctx, rls.RoleOwner, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		for _, f := range files {
			b.Queue("INSERT INTO tomkit.migration_checksums VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", src.Name, f.version, f.sum[:])
		}
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return fmt.Errorf("migrate: %s: store checksums: %w", src.Name, err)
	}
	return nil
}
