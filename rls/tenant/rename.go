package tenant

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pioneerdesk/tomkit/rls"
)

const uniqueViolation = "23505"

// Rename gives a tenant another name for people. tx is a System scope.
func Rename(ctx context.Context, tx *rls.Tx, id uuid.UUID, name string) error {
	return rename(ctx, tx, `UPDATE tomkit.tenants SET name = $2 WHERE id = $1`, id, name)
}

// RenameMSP gives an MSP another name for people. tx is a System scope.
func RenameMSP(ctx context.Context, tx *rls.Tx, id uuid.UUID, name string) error {
	return rename(ctx, tx, `UPDATE tomkit.msps SET name = $2 WHERE id = $1`, id, name)
}

// SetSlug gives a tenant another slug; under the old one nobody signs in any more. tx is a System scope. A slug in use is
// ErrTaken, after which tx can still be used.
func SetSlug(ctx context.Context, tx *rls.Tx, id uuid.UUID, slug string) error {
	return setSlug(ctx, tx, `UPDATE tomkit.tenants SET slug = $2 WHERE id = $1`, id, slug)
}

// SetMSPSlug gives an MSP another slug. tx is a System scope. Otherwise it is as [SetSlug].
func SetMSPSlug(ctx context.Context, tx *rls.Tx, id uuid.UUID, slug string) error {
	return setSlug(ctx, tx, `UPDATE tomkit.msps SET slug = $2 WHERE id = $1`, id, slug)
}

func rename(ctx context.Context, tx *rls.Tx, sql string, id uuid.UUID, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return one(ctx, tx, ErrUnknown, sql, id, name)
}

func setSlug(ctx context.Context, tx *rls.Tx, sql string, id uuid.UUID, slug string) error {
	if err := checkSlug(slug); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, tx, func(sp pgx.Tx) error { return one(ctx, sp, ErrUnknown, sql, id, slug) })
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == uniqueViolation {
		return ErrTaken
	}
	return err
}
