package tenant

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// Errors to branch on.
var (
	// ErrUnknown reports a tenant that does not exist, is suspended (for BySlug) or is not visible in the scope.
	ErrUnknown = errors.New("tenant: unknown")
	// ErrTaken reports a slug or id in use, or a second operator.
	ErrTaken = errors.New("tenant: create: slug, id or operator exists already")
	// ErrInvalid reports a malformed slug, name or status.
	ErrInvalid = errors.New("tenant: invalid")
	// ErrNoParent reports a tenant without its MSP, or an MSP without the operator.
	ErrNoParent = errors.New("tenant: create: MSP or operator does not exist")
)

// Status says whether a tenant or an MSP may be used.
type Status string

// The two states. Suspension refuses sign-in; data stays.
const (
	Active    Status = "active"
	Suspended Status = "suspended"
)

// Tenant is one row of tomkit.tenants.
type Tenant struct {
	// ID is the tenant, MSP who serves it. They are equal for the operator alone.
	ID, MSP uuid.UUID
	// Slug is the short name in host names: up to 63 of a-z, 0-9 and inner hyphens. Name is for people.
	Slug, Name string
	// Status is the tenant's own; its MSP's is not looked at.
	Status Status
	// CreatedAt is UTC, microseconds.
	CreatedAt time.Time
}

// Operator reports whether the tenant is the operator itself.
func (t Tenant) Operator() bool { return t.ID == t.MSP }

// New describes what is to be created.
type New struct {
	// ID names it. Zero means a random one.
	ID uuid.UUID
	// Slug is unique among tenants, and among MSPs: up to 63 of a-z, 0-9 and inner hyphens.
	Slug string
	// Name is 1 to 200 characters.
	Name string
}

var slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

const (
	maxSlug = 63 // a DNS label, RFC 1035 §2.3.4
	maxName = 200
)

func validSlug(slug string) bool { return len(slug) <= maxSlug && slugForm.MatchString(slug) }

func (n *New) check() error {
	if !validSlug(n.Slug) {
		return fmt.Errorf("%w: slug", ErrInvalid)
	}
	if c := utf8.RuneCountInString(n.Name); c < 1 || c > maxName || !utf8.ValidString(n.Name) {
		return fmt.Errorf("%w: name", ErrInvalid)
	}
	if n.ID == uuid.Nil {
		n.ID = uuid.New()
	}
	return nil
}

// Querier is what reading needs: an rls.Scope, or a transaction.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// BySlug returns the id of an active tenant with an active MSP, and ErrUnknown for all others. q is the Anonymous scope.
func BySlug(ctx context.Context, q Querier, slug string) (uuid.UUID, error) {
	if !validSlug(slug) {
		return uuid.Nil, ErrUnknown
	}
	var id *uuid.UUID
	if err := q.QueryRow(ctx, "SELECT tomkit.tenant_by_slug($1)", slug).Scan(&id); err != nil {
		return uuid.Nil, fmt.Errorf("tenant: by slug: %w", err)
	}
	if id == nil {
		return uuid.Nil, ErrUnknown
	}
	return *id, nil
}

// Get returns a tenant q may see: its own in a tenant's scope, its tenants in an MSP's, any in a System scope. Otherwise
// ErrUnknown.
func Get(ctx context.Context, q Querier, id uuid.UUID) (Tenant, error) {
	t := Tenant{ID: id}
	err := q.QueryRow(ctx, "SELECT msp_id, slug, name, status, created_at FROM tomkit.tenants WHERE id = $1", id).
		Scan(&t.MSP, &t.Slug, &t.Name, &t.Status, &t.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Tenant{}, ErrUnknown
	}
	if err != nil {
		return Tenant{}, fmt.Errorf("tenant: get: %w", err)
	}
	t.CreatedAt = t.CreatedAt.UTC()
	return t, nil
}

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables. They come after rls.Migrations.
func Migrations() rls.Source {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil { // cannot happen: the directory is embedded above
		panic(err)
	}
	return rls.Source{Name: "tenant", FS: sub, Owner: rls.RoleOwner}
}
