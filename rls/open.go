package rls

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// DB hands out scopes over up to three logins. It is safe for concurrent use.
type DB struct {
	cfg              Config
	sign             *signer
	app, msp, system *pgxpool.Pool     // nil where no URL was given
	pooled           map[string]bool   // by role: a pooler is between us and the server
	levels           map[string]string // by role: what sealed transactions are flushed with
}

// Open connects the configured logins and refuses to return a DB that would not isolate: it probes what each login is
// and may become ([ProbeError]), and that the database accepts contexts of the configured key ([ContextRefusedError]).
// Close the DB after use.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	sign, err := newSigner(cfg)
	if err != nil {
		return nil, err
	}
	db := &DB{cfg: cfg, sign: sign, pooled: map[string]bool{}, levels: map[string]string{}}
	for _, l := range []struct {
		role, url string
		pool      **pgxpool.Pool
	}{{RoleApp, cfg.AppURL, &db.app}, {RoleMSP, cfg.MSPURL, &db.msp}, {RoleSystem, cfg.SystemURL, &db.system}} {
		if l.url == "" {
			continue
		}
		if err := db.openLogin(ctx, l.role, l.url, l.pool); err != nil {
			db.Close()
			return nil, err
		}
	}
	return db, nil
}

func (db *DB) openLogin(ctx context.Context, role, url string, pool **pgxpool.Pool) error {
	pc, err := db.cfg.poolConfig(role, url)
	if err != nil {
		return err
	}
	if db.pooled[role], err = probePooler(ctx, role, pc.ConnConfig); err != nil {
		return err
	}
	pc.ConnConfig.DefaultQueryExecMode = execMode(pc.ConnConfig.DefaultQueryExecMode, db.pooled[role])
	pc.ConnConfig.Tracer = tagTracer{}
	if !db.pooled[role] { // poolers refuse parameters they do not know
		// A login may set this for its own later sessions, which would then fail; what a connection asks for comes first.
		pc.ConnConfig.RuntimeParams["row_security"] = "on"
	}
	if *pool, err = pgxpool.NewWithConfig(ctx, pc); err != nil {
		return fmt.Errorf("rls: open: %s: %w", role, err)
	}
	conn, err := (*pool).Acquire(ctx)
	if err != nil {
		return fmt.Errorf("rls: open: %s: connect: %w", role, err)
	}
	defer conn.Release()
	if err := probeLogin(ctx, conn.Conn(), role); err != nil {
		return err
	}
	if db.levels[role], err = flushLevel(ctx, conn.Conn(), role); err != nil {
		return err
	}
	if db.cfg.Check != nil {
		if err := db.cfg.Check(ctx, conn.Conn()); err != nil {
			return fmt.Errorf("rls: open: %s: %w", role, err)
		}
	}
	switch role {
	case RoleApp:
		return db.probeContext(ctx, conn.Conn(), kindTenant)
	case RoleMSP:
		return db.probeContext(ctx, conn.Conn(), kindMSP)
	}
	return nil
}

// Close closes the pools and waits until all connections are returned.
func (db *DB) Close() {
	for _, pool := range []*pgxpool.Pool{db.app, db.msp, db.system} {
		if pool != nil {
			pool.Close()
		}
	}
}

// Tenant returns the scope of one tenant on the app login: it reads and writes that tenant's rows and no others.
func (db *DB) Tenant(id uuid.UUID) Scope { return Scope{db: db, kind: scopeTenant, id: id} }

// MSP returns the scope of one MSP on the msp login: it reads the rows of the MSP's tenants and writes nothing.
func (db *DB) MSP(id uuid.UUID) Scope { return Scope{db: db, kind: scopeMSP, id: id} }

// Anonymous returns a scope on the app login without a tenant, for what comes before the tenant is known: it sees no
// row of any protected table and can call definer functions such as tomkit.tenant_by_slug.
func (db *DB) Anonymous() Scope { return Scope{db: db, kind: scopeAnonymous} }
