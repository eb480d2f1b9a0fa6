package tenant

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// Lengths in bytes of a name in the DNS and of its labels (RFC 1035 §2.3.4), without the dot at the end.
const (
	maxHost   = 253
	maxLabel  = 63
	maxHeader = maxHost + len(".") + len(":65535")
)

// ByHost returns the id of the active tenant with an active MSP that is reached under a host, and ErrUnknown for all
// others. host is what the client sent as Host: its case, a port and one dot at the end do not matter (RFC 9110 §7.2,
// RFC 4343). q is the Anonymous scope.
//
// A client sends whatever Host it likes, so the id says which tenant a request is for and nothing about who asks.
func ByHost(ctx context.Context, q Querier, host string) (uuid.UUID, error) {
	name, ok := hostName(host)
	if !ok {
		return uuid.Nil, ErrUnknown
	}
	return lookup(ctx, q, "SELECT tomkit.tenant_by_host($1)", name)
}

// AddHost lets a tenant be reached under a host. tx is a System scope. The name must be in the one form in which it is
// looked up, or it is ErrInvalid: lower case, ASCII (xn-- labels for an internationalised name), two or more labels of up
// to 63 bytes and 253 in all, no port, no dot at the end, no address. A name that any tenant has is ErrTaken.
//
// That the tenant controls the name is for the caller to establish. So is whether it looks like another: names that differ
// in a byte are different names here.
func AddHost(ctx context.Context, tx *rls.Tx, id uuid.UUID, host string) error {
	if !validHost(host) {
		return fmt.Errorf("%w: host", ErrInvalid)
	}
	const exists = `SELECT FROM tomkit.tenants WHERE id = $1 FOR KEY SHARE`
	if err := one(ctx, tx, ErrUnknown, exists, id); err != nil {
		return err
	}
	return one(ctx, tx, ErrTaken, `INSERT INTO tomkit.tenant_hosts (tenant_id, host) VALUES ($1, $2) ON CONFLICT DO NOTHING`, id, host)
}

// RemoveHost takes a host from its tenant. tx is a System scope. A host that this tenant does not have is ErrUnknown.
func RemoveHost(ctx context.Context, tx *rls.Tx, id uuid.UUID, host string) error {
	return one(ctx, tx, ErrUnknown, `DELETE FROM tomkit.tenant_hosts WHERE tenant_id = $1 AND host = $2`, id, host)
}

// Hosts lists the hosts of a tenant q may see, in the order of their names.
func Hosts(ctx context.Context, q RowsQuerier, id uuid.UUID) ([]string, error) {
	rows, err := q.Query(ctx, `SELECT host FROM tomkit.tenant_hosts WHERE tenant_id = $1 ORDER BY host COLLATE "C"`, id)
	if err != nil {
		return nil, fmt.Errorf("tenant: hosts: %w", err)
	}
	hosts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("tenant: hosts: %w", err)
	}
	return hosts, nil
}

// hostName reads the name out of a Host header.
func hostName(header string) (string, bool) {
	if len(header) > maxHeader {
		return "", false
	}
	name, port, found := strings.Cut(header, ":")
	if found && !validPort(port) {
		return "", false
	}
	name = lowerASCII(strings.TrimSuffix(name, "."))
	return name, validHost(name)
}

// lowerASCII leaves all but A to Z alone; strings.ToLower would make an ASCII k of the Kelvin sign.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func validPort(port string) bool {
	return len(port) >= 1 && len(port) <= len("65535") && strings.Trim(port, "0123456789") == ""
}

// validHost accepts what the constraints of tomkit.tenant_hosts accept.
func validHost(host string) bool {
	if len(host) > maxHost {
		return false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !validLabel(label) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(labels) > 1 && last[0] >= 'a'
}

func validLabel(label string) bool {
	if len(label) < 1 || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, c := range []byte(label) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(label) < 4 || label[2:4] != "--" || label[:2] == "xn"
}
