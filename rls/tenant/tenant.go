package tenant

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
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
	// ErrTaken reports a slug, host or id in use, or a second operator.
	ErrTaken = errors.New("tenant: slug, host, id or operator exists already")
	// ErrInvalid reports a malformed slug, name, host, status or limit.
	ErrInvalid = errors.New("tenant: invalid")
	// ErrNoParent reports a tenant without its MSP, or an MSP without the operator.
	ErrNoParent = errors.New("tenant: MSP or operator does not exist")
	// ErrOperator reports that the operator was to be moved or deleted.
	ErrOperator = errors.New("tenant: the operator stays where it is")
	// ErrSuspended reports a move to a suspended MSP, which would lock the tenant out.
	ErrSuspended = errors.New("tenant: move: the MSP is suspended")
	// ErrNotEmpty reports that an MSP was to be deleted that still has tenants.
	ErrNotEmpty = errors.New("tenant: delete: the MSP still has tenants")
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

func checkSlug(slug string) error {
	if !validSlug(slug) {
		return fmt.Errorf("%w: slug", ErrInvalid)
	}
	return nil
}

func checkName(name string) error {
	c := utf8.RuneCountInString(name)
	if c < 1 || c > maxName || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return fmt.Errorf("%w: name", ErrInvalid)
	}
	return nil
}

func (n *New) check() error {
	if err := checkSlug(n.Slug); err != nil {
		return err
	}
	if err := checkName(n.Name); err != nil {
		return err
	}
	if n.ID == uuid.Nil {
		n.ID = uuid.New()
	}
	return nil
}

// Querier is what reading one row needs: an rls.Scope, or a transaction.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// RowsQuerier is what reading several rows needs: an rls.Scope, or a transaction.
type RowsQuerier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// BySlug returns the id of an active tenant with an active MSP, and ErrUnknown for all others. q is the Anonymous scope.
func BySlug(ctx context.Context, q Querier, slug string) (uuid.UUID, error) {
	if !validSlug(slug) {
		return uuid.Nil, ErrUnknown
	}
	return lookup(ctx, q, "SELECT tomkit.tenant_by_slug($1)", slug)
}

// lookup asks a definer function that gives out an id or nothing.
func lookup(ctx context.Context, q Querier, sql, name string) (uuid.UUID, error) {
	var id *uuid.UUID
	if err := q.QueryRow(ctx, sql, name).Scan(&id); err != nil {
		return uuid.Nil, fmt.Errorf("tenant: look up: %w", err)
	}
	if id == nil {
		return uuid.Nil, ErrUnknown
	}
	return *id, nil
}

const tenantColumns = `id, msp_id, slug, name, status, created_at`

// Get returns a tenant q may see, suspended or not: its own in a tenant's scope, its tenants in an MSP's, any in a System
// scope. Otherwise ErrUnknown.
func Get(ctx context.Context, q Querier, id uuid.UUID) (Tenant, error) {
	return get(q.QueryRow(ctx, `SELECT `+tenantColumns+` FROM tomkit.tenants WHERE id = $1`, id))
}

// GetBySlug is Get by the slug.
func GetBySlug(ctx context.Context, q Querier, slug string) (Tenant, error) {
	if !validSlug(slug) {
		return Tenant{}, ErrUnknown
	}
	return get(q.QueryRow(ctx, `SELECT `+tenantColumns+` FROM tomkit.tenants WHERE slug = $1`, slug))
}

func get(row pgx.Row) (t Tenant, err error) {
	err = row.Scan(&t.ID, &t.MSP, &t.Slug, &t.Name, &t.Status, &t.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Tenant{}, ErrUnknown
	}
	if err != nil {
		return Tenant{}, fmt.Errorf("tenant: get: %w", err)
	}
	t.CreatedAt = t.CreatedAt.UTC()
	return t, nil
}

// OperatorID returns the operator, whose log holds what concerns no single tenant. q is a System scope. ErrUnknown means that
// there is none yet, see [CreateOperator].
func OperatorID(ctx context.Context, q Querier) (id uuid.UUID, err error) {
	err = q.QueryRow(ctx, "SELECT id FROM tomkit.operators").Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return id, ErrUnknown
	}
	if err != nil {
		return id, fmt.Errorf("tenant: operator: %w", err)
	}
	return id, nil
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
