package main

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// database is a private PostgreSQL that waits for the disk at every commit, as production does.
type database struct {
	db    *rls.DB
	super *pgxpool.Pool // no policy, no scope: the peer that pays for nothing
	app   *pgxpool.Pool // the request login without a scope of ours

	superuser string // connection strings
	logins    rls.Logins
	key       rls.ContextKey
}

const connections = 48 // per pool, at most

// openDatabase starts a database, applies setup as the superuser, and returns what ends it.
func openDatabase(ctx context.Context, setup string) (_ *database, stop func(), err error) {
	pg, err := pglocal.Start(ctx, pglocal.Config{Durable: true, Settings: map[string]string{"max_connections": "200", "shared_buffers": "256MB"}})
	if err != nil {
		return nil, nil, err
	}
	var d database
	stop = func() {
		for _, pool := range []*pgxpool.Pool{d.super, d.app} {
			if pool != nil {
				pool.Close()
			}
		}
		if d.db != nil {
			d.db.Close()
		}
		_ = pg.Stop(context.WithoutCancel(ctx)) // measured already
	}
	if err := d.open(ctx, pg, setup); err != nil {
		stop()
		return nil, nil, err
	}
	return &d, stop, nil
}

func (d *database) open(ctx context.Context, pg *pglocal.Server, setup string) error {
	superuser := pg.URL("postgres", pglocal.Superuser)
	logins, err := rls.ApplyRoles(ctx, superuser)
	if err != nil {
		return err
	}
	if _, err := migrate.Up(ctx, logins.Migrator, rls.Migrations(), tenant.Migrations(), pgledger.Migrations()); err != nil {
		return err
	}
	d.superuser, d.logins = superuser, logins
	key := rls.ContextKey{ID: "bench", Key: make([]byte, 32)}
	if _, err := rand.Read(key.Key); err != nil {
		return err
	}
	if err := rls.InstallContextKey(ctx, logins.Migrator, key); err != nil {
		return err
	}
	d.key = key
	if d.super, err = pool(ctx, superuser); err != nil {
		return err
	}
	if d.app, err = pool(ctx, logins.App); err != nil {
		return err
	}
	if _, err := d.super.Exec(ctx, setup); err != nil {
		return err
	}
	d.db, err = rls.Open(ctx, rls.Config{AppURL: logins.App, MSPURL: logins.MSP, SystemURL: logins.System, ContextKey: key, MaxConns: connections})
	return err
}

func pool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = connections
	return pgxpool.NewWithConfig(ctx, cfg)
}

// together runs op n times with the given number of goroutines and returns the first error.
func together(n, workers int, op func() error) error {
	todo := make(chan struct{}, n)
	for range n {
		todo <- struct{}{}
	}
	close(todo)
	var first error
	var once sync.Once
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for range todo {
				if err := op(); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}
