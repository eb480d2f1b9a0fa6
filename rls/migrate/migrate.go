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

	"github.com/pioneerdesk/tomkit/rls"
)

// minServerVersion is PostgreSQL 15.
const minServerVersion = 150000

var sourceName = regexp.MustCompile(`^[a-z0-9_]{1,40}$`)

// Config tunes a run. The zero value suits most programs.
type Config struct {
	// LockTimeout is how long to wait for another process that migrates the same database, before a LockedError. Zero
	// means 10 minutes; negative is an error.
	LockTimeout time.Duration
	// Progress is called after each migration that was applied, on the goroutine of Up. Nil means nobody is told.
	Progress func(Applied)
}

const defaultLockTimeout = 10 * time.Minute

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

// Up is [Config.Up] with the zero Config.
func Up(ctx context.Context, migratorURL string, sources ...rls.Source) (Report, error) {
	return Config{}.Up(ctx, migratorURL, sources...)
}

// Up applies what is missing of sources to the database behind migratorURL, in order. The login must be rls.RoleMigrator
// or another member of the sources' owners. Any number of processes may call it at once: one applies, the others wait
// and find nothing to do. On an error the report lists what was applied before; each migration is a transaction of its
// own, together with the rows that say it was applied, unless it says otherwise.
func (cfg Config) Up(ctx context.Context, migratorURL string, sources ...rls.Source) (Report, error) {
	start := time.Now()
	var rep Report
	err := cfg.locked(ctx, migratorURL, sources, func(r *run) error {
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

// run is one connection to a database and what is to be done there.
type run struct {
	Config
	conn    *pgx.Conn // holds the lock
	cfg     *pgx.ConnConfig
	sources []rls.Source
}

// locked checks the arguments and the server, takes the lock and prepares the schema.
func (cfg Config) locked(ctx context.Context, url string, sources []rls.Source, fn func(*run) error) error {
	switch {
	case cfg.LockTimeout < 0:
		return errors.New("migrate: LockTimeout is negative")
	case cfg.LockTimeout == 0:
		cfg.LockTimeout = defaultLockTimeout
	}
	r, err := connect(ctx, url, sources)
	if err != nil {
		return err
	}
	r.Config = cfg
	defer r.conn.Close(context.WithoutCancel(ctx)) // which releases the lock
	if err := acquire(ctx, r.conn, lockID, cfg.LockTimeout); err != nil {
		return err
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
	if _, err := r.checkedHistory(ctx, src, files); err != nil {
		return err
	}
	db := stdlib.OpenDB(*r.cfg.Copy(), stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		return r.becomeOwner(ctx, conn, src.Owner)
	}))
	defer db.Close()
	db.SetMaxOpenConns(1)
	p, err := provider(src, files, db)
	if err != nil {
		return err
	}
	for {
		res, err := p.UpByOne(ctx)
		var partial *goose.PartialError
		switch {
		case errors.Is(err, goose.ErrNoNextVersion):
			return nil
		case errors.As(err, &partial):
			return &FailedError{Source: src.Name, File: partial.Failed.Source.Path, Err: partial.Err}
		case err != nil:
			return fmt.Errorf("migrate: %s: %w", src.Name, err)
		}
		applied := Applied{Source: src.Name, File: res.Source.Path, Version: res.Source.Version, Took: res.Duration}
		rep.Applied = append(rep.Applied, applied)
		if r.Progress != nil {
			r.Progress(applied)
		}
	}
}

// provider is goose over db with our way to remember versions.
func provider(src rls.Source, files []file, db *sql.DB) (*goose.Provider, error) {
	store, err := newStore(src, files)
	if err != nil {
		return nil, fmt.Errorf("migrate: %s: %w", src.Name, err)
	}
	return gooseProvider(src, db, store)
}

// settings are what a migration may rely on: the names an unqualified statement meets, rows of all tenants, and a clock
// that is the same everywhere.
var settings = []string{"search_path = tomkit, pg_temp", "tomkit.migration = 'on'", "timezone = 'UTC'", "client_min_messages = warning"}

// becomeOwner makes a connection ready for a source's migrations. A process that was killed may have left a server process
// behind that still runs its statement, while its lock is free already: so this connection takes a lock of its own.
func (r *run) becomeOwner(ctx context.Context, conn *pgx.Conn, owner string) error {
	if err := acquire(ctx, conn, workLockID, r.LockTimeout); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "SET ROLE "+pgx.Identifier{owner}.Sanitize()); err != nil {
		return fmt.Errorf("migrate: become %s: %w (the login must be a member of it, see `tomkit roles`)", owner, err)
	}
	for _, s := range settings {
		if _, err := conn.Exec(ctx, "SET "+s); err != nil {
			return err
		}
	}
	return nil
}
