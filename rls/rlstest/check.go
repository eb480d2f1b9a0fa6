package rlstest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// suite is one run.
type suite struct {
	cfg    *Config
	report *Report
	super  *pgx.Conn
	app    *pgx.Conn // the login under test
	bare   *pgx.Conn // the same login, without any context ever
	login  string
	cat    *catalog
	tables []*table // with tenants, not skipped
	seeder
	signed   *signedContexts // nil unless tomkit's contexts are used
	scopes   *rls.DB
	set      SetContext
	forge    SetContext
	own      uuid.UUID
	foreign  uuid.UUID
	foreigns markers
	before   map[uuid.UUID][]string // checksums of all rows but those of a tenant, before the matrix
	spare    map[*table][2][]row    // rows each tenant could insert
	linked   map[*constraint]row    // the same of the own tenant, with this foreign key set
}

// Check runs the suites without package testing. It returns an error if they cannot be run, among it a table that cannot be
// filled; isolation that does not hold is in the report. With ctx done it ends.
func Check(ctx context.Context, cfg Config) (Report, error) {
	s := &suite{cfg: &cfg, report: &Report{Took: map[Part]time.Duration{}, Kinds: map[string]int{}, Skipped: map[string]string{}}}
	if err := cfg.validate(); err != nil {
		return *s.report, err
	}
	s.report.Seed = cfg.Seed
	s.own, s.foreign = cfg.Tenants[0], cfg.Tenants[1]
	defer s.close()
	err := s.open(ctx)
	for _, step := range []struct {
		part Part
		run  func(context.Context) error
	}{{"", s.prepare}, {Matrix, s.matrix}, {Fuzzer, s.fuzz}, {Corpus, s.corpus}} {
		if err != nil {
			break
		}
		if step.part != "" && !cfg.wants(step.part) {
			continue
		}
		start := time.Now()
		err = step.run(ctx)
		s.report.Took[step.part] = time.Since(start)
	}
	return *s.report, err
}

func (s *suite) open(ctx context.Context) (err error) {
	for _, c := range []struct {
		conn **pgx.Conn
		url  string
		name string
	}{{&s.super, s.cfg.SuperuserURL, "superuser"}, {&s.app, s.cfg.AppURL, "login"}, {&s.bare, s.cfg.AppURL, "login"}} {
		if *c.conn, err = connect(ctx, c.url); err != nil {
			return fmt.Errorf("rlstest: connect as %s: %w", c.name, err)
		}
	}
	var super bool
	if err := s.super.QueryRow(ctx, "SELECT rolsuper FROM pg_roles WHERE rolname = session_user").Scan(&super); err != nil || !super {
		return errors.Join(errors.New("rlstest: SuperuserURL connects as somebody who is no superuser"), err)
	}
	if err := s.app.QueryRow(ctx, "SELECT session_user").Scan(&s.login); err != nil {
		return err
	}
	if _, err := s.super.Exec(ctx, "SET client_min_messages = error"); err != nil {
		return err
	}
	return nil
}

func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil { // not wrapped: it may show a password
		return nil, errors.New("connection string is malformed")
	}
	return pgx.ConnectConfig(ctx, cfg)
}

func (s *suite) close() {
	for _, conn := range []*pgx.Conn{s.super, s.app, s.bare} {
		if conn != nil {
			_ = conn.Close(context.Background()) // nothing is open on it that matters
		}
	}
	if s.scopes != nil {
		s.scopes.Close()
	}
}

// prepare reads the catalogue, chooses the tables, fills them, and opens the scopes.
func (s *suite) prepare(ctx context.Context) (err error) {
	if s.cfg.SetContext == nil {
		s.tomkitDefaults()
	}
	if s.cat, err = loadCatalog(ctx, s.super, s.cfg, s.login); err != nil {
		return err
	}
	s.choose()
	if len(s.tables) == 0 {
		return fmt.Errorf("rlstest: no table has a column %s of type uuid", s.cfg.TenantColumn)
	}
	s.seeder = seeder{cfg: s.cfg, cat: s.cat, r: newRandom(s.cfg.Seed, 0), rows: map[*table]map[uuid.UUID][]row{},
		promised: map[*table]map[uuid.UUID][]row{}, busy: map[*table]bool{}}
	filled := slices.DeleteFunc(slices.Clone(s.tables), (*table).isView)
	err = pgx.BeginFunc(ctx, s.super, func(tx pgx.Tx) error {
		s.tx = tx
		if err := s.seed(ctx, filled); err != nil {
			return err
		}
		return s.prepareSpare(ctx, filled)
	})
	if err != nil {
		return err
	}
	s.foreigns = s.markersOf(s.foreign)
	return s.contexts(ctx)
}

// tomkitDefaults knows the tables of rls/tenant, whose tenant column has another name or which have none.
func (s *suite) tomkitDefaults() {
	s.cfg.TenantColumns = maps.Clone(s.cfg.TenantColumns)
	if s.cfg.TenantColumns == nil {
		s.cfg.TenantColumns = map[string]string{}
	}
	s.cfg.Skip = maps.Clone(s.cfg.Skip)
	if s.cfg.Skip == nil {
		s.cfg.Skip = map[string]string{}
	}
	if _, ok := s.cfg.TenantColumns["tomkit.tenants"]; !ok {
		s.cfg.TenantColumns["tomkit.tenants"] = "id"
	}
	s.cfg.Skip["tomkit.msps"] = "its rows are MSPs, not tenants; the request login has no privilege"
	s.cfg.Skip["tomkit.operators"] = "it has one row; no login has a privilege"
}

// choose picks the tables with tenants. A table under row-level security whose tenant column is not known is a fault.
func (s *suite) choose() {
	var shared []string
	for _, t := range s.cat.tables {
		if reason, ok := s.skipped(t.String()); ok {
			s.report.Skipped[t.String()] = reason
			t.tenant = nil
			continue
		}
		switch {
		case t.tenant != nil:
			s.tables = append(s.tables, t)
			if !t.isView() {
				s.report.Tables++
			}
		case t.Secured:
			s.report.add(Matrix, t.String(), "has a tenant column", "row-level security is on, but there is no column "+s.cfg.TenantColumn+
				": name it in Config.TenantColumns or give a reason in Config.Skip")
		case t.Select || t.Insert || t.Update || t.Delete:
			shared = append(shared, t.String())
		}
	}
	if len(shared) > 0 {
		s.report.note("the login reaches these without tenant column: %s", strings.Join(shared, ", "))
	}
}

// skipped finds the reason to leave a table, cell or function out.
func (s *suite) skipped(name string) (reason string, ok bool) {
	for prefix, reason := range s.cfg.Skip {
		if name == prefix || strings.HasPrefix(name, prefix+" ") || strings.HasPrefix(name, prefix+"(") {
			return reason, true
		}
	}
	return "", false
}

// contexts finds out how tenants are set and forged.
func (s *suite) contexts(ctx context.Context) (err error) {
	s.set, s.forge = s.cfg.SetContext, s.cfg.ForgeContext
	if s.set != nil {
		return nil
	}
	if s.scopes, err = s.openScopes(ctx); err != nil {
		return err
	}
	s.signed = &signedContexts{db: s.scopes, key: s.cfg.ContextKey, got: map[uuid.UUID]issued{}}
	s.set = s.signed.set
	if s.forge == nil {
		s.forge = s.signed.forge(slices.Sorted(maps.Keys(s.signed.forgeries(s.own, s.foreign))), s.own)
	}
	return nil
}

// openScopes opens tomkit's scopes with one connection each, so that successive users meet on it.
func (s *suite) openScopes(ctx context.Context) (*rls.DB, error) {
	db, err := rls.Open(ctx, rls.Config{AppURL: s.cfg.AppURL, MSPURL: s.cfg.MSPURL, SystemURL: s.cfg.SystemURL,
		ContextKey: s.cfg.ContextKey, MaxConns: 1})
	if err != nil {
		return nil, fmt.Errorf("rlstest: %w", err)
	}
	return db, nil
}

// as makes a transaction a tenant's.
func (s *suite) as(tenant uuid.UUID) func(context.Context, pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error { return s.set(ctx, tx, tenant) }
}
