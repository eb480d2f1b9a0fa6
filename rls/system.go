package rls

import (
	"context"
	"errors"
	"time"
)

// errAborted is what [SystemUse] reports when the closure panicked.
var errAborted = errors.New("rls: system: aborted by a panic")

// System runs fn in a transaction on the system login, which sees all tenants. It is for background work and never
// serves a request. r says what for; each use is reported to Config.Account. Otherwise it is as [Scope.InTx].
func (db *DB) System(ctx context.Context, r Reason, fn func(context.Context, *Tx) error) error {
	if !r.valid() {
		return ErrReason
	}
	at := db.cfg.Now()
	err := errAborted
	defer func() {
		if db.cfg.Account != nil {
			db.cfg.Account(ctx, SystemUse{
				Reason: r,
				At:     at.UTC().Truncate(time.Microsecond),
				Took:   db.cfg.Now().Sub(at),
				Err:    err,
			})
		}
	}()
	err = Scope{db: db, kind: scopeSystem}.InTx(ctx, fn)
	return err
}
