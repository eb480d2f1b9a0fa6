package erasure

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// LeftoverError lists the tables in which rows of a deleted tenant were found, or in which none can be ruled out. It wraps
// [ErrLeftover].
type LeftoverError struct {
	// Found are tables with rows.
	Found []TableCount
	// Unreadable are tables whose rows the system login does not see.
	Unreadable []string
}

// Error implements error.
func (e *LeftoverError) Error() string {
	var parts []string
	for _, f := range e.Found {
		parts = append(parts, fmt.Sprintf("%d in %q", f.Rows, f.Table))
	}
	for _, table := range e.Unreadable {
		parts = append(parts, fmt.Sprintf("%q cannot be read", table))
	}
	return ErrLeftover.Error() + ": " + strings.Join(parts, ", ")
}

// Unwrap returns [ErrLeftover].
func (e *LeftoverError) Unwrap() error { return ErrLeftover }

// ProveErased looks for a tenant in every tenant column of every table, view with stored rows and foreign table of the
// database but those that outlive tenants, protected or not. It returns a [LeftoverError] if there is anything, or could be
// anything that the system login does not see.
func (e *Eraser) ProveErased(ctx context.Context, tenant uuid.UUID) error {
	err := e.cfg.DB.System(ctx, reasonOffboard, func(ctx context.Context, tx *rls.Tx) error {
		cat, err := readCatalog(ctx, tx, e.cfg.Register)
		if err != nil {
			return err
		}
		return prove(ctx, tx, cat, tenant)
	})
	if err != nil {
		return fmt.Errorf("erasure: prove: %w", err)
	}
	return nil
}

func prove(ctx context.Context, tx pgx.Tx, cat *catalog, tenant uuid.UUID) error {
	left := &LeftoverError{}
	for _, rel := range cat.tenants() {
		if rel.stays() {
			continue
		}
		if !rel.readable {
			left.Unreadable = append(left.Unreadable, rel.tag)
			continue
		}
		n, err := countOf(ctx, tx, rel, tenant, rel.tenant)
		if err != nil {
			return err
		}
		if n > 0 {
			left.Found = append(left.Found, TableCount{rel.tag, n})
		}
	}
	if len(left.Found)+len(left.Unreadable) > 0 {
		return left
	}
	return nil
}
