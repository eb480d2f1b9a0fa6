// Package floor remembers in the database which policy set came into force last: over restarts, and for all processes of a server.
package floor

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/rls"
)

// reason is the purpose of the system scopes opened here.
const reason rls.Reason = "policy_floor"

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the table of this room. It comes after those of rls.
func Migrations() rls.Source {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the path is the embedded one
	}
	return rls.Source{Name: "floor", FS: sub}
}

// Version returns the highest version that was ever in force, 0 if none was.
func Version(ctx context.Context, db *rls.DB) (version int64, err error) {
	err = db.System(ctx, reason, func(ctx context.Context, tx *rls.Tx) error {
		return tx.QueryRow(ctx, `SELECT version FROM tomkit.policy_floor`).Scan(&version)
	})
	return version, err
}

// Raise remembers that p comes into force. An older one than the remembered one, and another content under its version, is
// [abac.ErrRollback]. Where p is newer, apply is called first, by one process at a time, in the transaction that raises the floor; its
// error leaves the floor as it was.
func Raise(ctx context.Context, db *rls.DB, p *abac.Policies, apply func(context.Context, *rls.Tx) error) error {
	return db.System(ctx, reason, func(ctx context.Context, tx *rls.Tx) error {
		var version int64
		var same bool
		err := tx.QueryRow(ctx, `SELECT version, digest = $1 FROM tomkit.policy_floor FOR UPDATE`, p.Digest[:]).Scan(&version, &same)
		switch {
		case err != nil:
			return err
		case p.Version < version || p.Version == version && !same:
			return fmt.Errorf("floor: raise: version %d, %d was in force: %w", p.Version, version, abac.ErrRollback)
		case p.Version == version:
			return nil
		}
		if err := apply(ctx, tx); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE tomkit.policy_floor SET version = $1, digest = $2, since = now()`, p.Version, p.Digest[:])
		return err
	})
}
