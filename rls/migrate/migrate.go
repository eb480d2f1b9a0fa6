package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/pioneerdesk/tomkit/rls"
)

// lockID is the advisory lock all runs of one database queue for: "tomkit" in ASCII, then a number.
const lockID int64 = 0x746f6d6b69740001

// minServerVersion is PostgreSQL 15.
const minServerVersion = 150000

var sourceName = regexp.MustCompile(`^[a-z0-9_]{1,40}$`)

// Report says what a run did.
type Report struct {
	// Applied lists the migrations this run applied, in order; empty if the database was up to date.
	Applied []Applied
	// Took is the whole run, waiting for other processes included.
	Took time.Duration
}

// Applied is one migration that was applied.
type Applied struct {
	// Source is the name of its rls.Source, File its name there and Version the number it starts with.
	Source, File string
	Version      int64
	// Took is its own time.
	Took time.Duration
}

// Up applies what is missing of sources to the database behind migratorURL, in order. The login must be rls.RoleMigrator
// or another member of the sources' owners. Any number of processes may call it at once: one applies, the others wait
// and find nothing to do. On an error the report lists what was applied before; each migration is a transaction of its
// own unless it says otherwise.
func Up(ctx context.Context, migratorURL string, sources ...rls.Source) (Report, error) {
	start := time.Now()
	var rep Report
	err := locked(ctx, migratorURL, sources, func(r *run) error {
		for _, src := range r.sources {
			if err := r.up(ctx, src, &rep); err != nil {
				return err
			}
		}
		return nil
	})
	rep.Took = time.Since(start)
	return rep, err
}

// run is one locked run.
type run struct {
	conn    *pgx.Conn // holds the lock
	cfg     *pgx.ConnConfig
	sources []rls.Source
}

// locked checks the arguments and the server, takes the lock and prepares the schema.
func locked(ctx context.Context, url string, sources []rls.Source, fn func(*run) error) error {
	r, err := connect(ctx, url, sources)
	if err != nil {
		return err
	}
	defer r.conn.Close(context.WithoutCancel(ctx)) // which releases the lock
	if _, err := r.conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lockID); err != nil {
		return fmt.Errorf("migrate: lock: %w", err)
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	return fn(r)
}

func connect(ctx context.Context, url string, sources []rls.Source) (*run, error) {
	srcs, err := checkSources(sources)
	if err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil { // not wrapped: it may show the connection string
		return nil, errors.New("migrate: connection string is malformed")
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("migrate: connect: %w", err)
	}
	var version int
	err = conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version)
	if err == nil && version < minServerVersion {
		err = &TooOldError{Version: version}
	}
	if err != nil {
		conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return &run{conn: conn, cfg: cfg, sources: srcs}, nil
}

// checkSources fills in owners and refuses names that would share a table.
func checkSources(sources []rls.Source) ([]rls.Source, error) {
	seen := make(map[string]bool)
	out := make([]rls.Source, len(sources))
	for i, s := range sources {
		if !sourceName.MatchString(s.Name) || seen[s.Name] {
			return nil, fmt.Errorf("migrate: source %q: name must be unique, 1 to 40 of a-z, 0-9, '_'", s.Name)
		}
		if s.FS == nil {
			return nil, fmt.Errorf("migrate: source %q: no files", s.Name)
		}
		if s.Owner == "" {
			s.Owner = rls.RoleOwner
		}
		seen[s.Name], out[i] = true, s
	}
	return out, nil
}

// up applies one source.
func (r *run) up(ctx context.Context, src rls.Source, rep *Report) error {
	files, err := readFiles(src)
	if err != nil {
		return err
	}
	if err := r.checkHistory(ctx, src, files); err != nil {
		return err
	}
	p, db, err := r.provider(src)
	if err != nil {
		return err
	}
	defer db.Close()
	results, err := p.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		results = partial.Applied
	}
	for _, res := range results {
		rep.Applied = append(rep.Applied, Applied{Source: src.Name, File: res.Source.Path, Version: res.Source.Version, Took: res.Duration})
	}
	if partial != nil {
		return &FailedError{Source: src.Name, File: partial.Failed.Source.Path, Err: partial.Err}
	}
	if err != nil {
		return fmt.Errorf("migrate: %s: %w", src.Name, err)
	}
	return r.remember(ctx, src, files)
}

// provider opens goose over a connection that is the source's owner.
func (r *run) provider(src rls.Source) (*goose.Provider, *sql.DB, error) {
	db := stdlib.OpenDB(*r.cfg.Copy(), stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		return becomeOwner(ctx, conn, src.Owner)
	}))
	db.SetMaxOpenConns(1)
	store, err := database.NewStore(database.DialectPostgres, versionTable(src))
	if err != nil {
		db.Close()
		return nil, nil, fmt.Errorf("migrate: %s: %w", src.Name, err)
	}
	p, err := goose.NewProvider(goose.DialectCustom, db, src.FS, goose.WithStore(store),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		db.Close()
		return nil, nil, fmt.Errorf("migrate: %s: %w", src.Name, err)
	}
	return p, db, nil
}

func versionTable(src rls.Source) string { return "tomkit.migrations_" + src.Name }

// becomeOwner also pins the names an unqualified statement would meet.
func becomeOwner(ctx context.Context, conn *pgx.Conn, owner string) error {
	if _, err := conn.Exec(ctx, "SET ROLE "+pgx.Identifier{owner}.Sanitize()); err != nil {
		return fmt.Errorf("migrate: become %s: %w (the login must be a member of it, see `tomkit roles`)", owner, err)
	}
	_, err := conn.Exec(ctx, "SET search_path = tomkit, pg_temp; SET tomkit.migration = 'on'; SET timezone = 'UTC'; SET client_min_messages = warning")
	return err
}
