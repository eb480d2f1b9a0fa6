package rls

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// InstallContextKey makes the database behind migratorURL accept contexts signed with key, besides those it accepts
// already, and sets what was installed under the same id to key's bytes. The login must be RoleMigrator or another
// member of RoleOwner. Install first, then start the processes that sign with it.
func InstallContextKey(ctx context.Context, migratorURL string, key ContextKey) error {
	if err := key.validate(); err != nil {
		return err
	}
	ofTenants, err := key.block(kindTenant)
	if err != nil {
		return err
	}
	ofMSPs, err := key.block(kindMSP)
	if err != nil {
		return err
	}
	return asOwner(ctx, migratorURL, "install context key",
		`INSERT INTO tomkit.context_keys (id, tenant_block, msp_block) VALUES ($1, $2, $3)
		 ON CONFLICT (id) DO UPDATE SET tenant_block = $2, msp_block = $3, not_after = 'infinity'
		 WHERE (context_keys.tenant_block, context_keys.not_after) IS DISTINCT FROM ($2, 'infinity')`,
		key.ID, ofTenants[:], ofMSPs[:])
}

// RetireContextKey ends the validity of the key at the given time, which may lie in the past: contexts signed with it
// then open nothing. An unknown key is retired already.
func RetireContextKey(ctx context.Context, migratorURL, id string, at time.Time) error {
	if err := validKeyID(id); err != nil {
		return err
	}
	return asOwner(ctx, migratorURL, "retire context key",
		`UPDATE tomkit.context_keys SET not_after = least(not_after, $2) WHERE id = $1`, id, at)
}

// UsePlainContextUnsafe switches the database behind migratorURL to bare ids in app.tenant_id, for
// Config.UnsignedContextUnsafe, and the policies of all tables protected so far with it. Injected SQL then reaches every
// tenant. Signed contexts are refused from then on. [UseSignedContext] switches back.
func UsePlainContextUnsafe(ctx context.Context, migratorURL string) error {
	return asOwner(ctx, migratorURL, "use plain context", `SELECT tomkit.set_context_mode($1)`, true)
}

// UseSignedContext switches the database behind migratorURL to signed contexts, which is how migrations leave it.
func UseSignedContext(ctx context.Context, migratorURL string) error {
	return asOwner(ctx, migratorURL, "use signed context", `SELECT tomkit.set_context_mode($1)`, false)
}

// asOwner runs one statement as RoleOwner.
func asOwner(ctx context.Context, url, verb, sql string, args ...any) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil { // not wrapped: it may show the connection string
		return fmt.Errorf("rls: %s: connection string is malformed", verb)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("rls: %s: connect: %w", verb, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL ROLE "+RoleOwner); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("rls: %s: %w", verb, err)
	}
	return nil
}
