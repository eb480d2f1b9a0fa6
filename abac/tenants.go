package abac

import (
	"fmt"

	"github.com/google/uuid"
)

// Hierarchy says which tenant lies below which: a managed service provider above its customers.
type Hierarchy interface {
	// Within reports whether tenant lies anywhere below above.
	Within(tenant, above uuid.UUID) bool
}

// maxDepth is the deepest hierarchy of tenants: operator, provider, customer, and one in reserve for each.
const maxDepth = 6

// Tenants is a [Hierarchy] in memory. It is immutable and safe for concurrent use; a nil Tenants is empty.
type Tenants struct{ above map[uuid.UUID][]uuid.UUID }

// NewTenants returns the closure of parent, which maps a tenant to the one above it. A circle, the zero UUID and more than
// six levels are errors.
func NewTenants(parent map[uuid.UUID]uuid.UUID) (*Tenants, error) {
	t := &Tenants{above: make(map[uuid.UUID][]uuid.UUID, len(parent))}
	for tenant := range parent {
		for at := tenant; ; {
			next, more := parent[at]
			if !more {
				break
			}
			if next == uuid.Nil || at == uuid.Nil || len(t.above[tenant]) == maxDepth {
				return nil, fmt.Errorf("abac: tenants: a circle, the zero id, or more than %d levels", maxDepth)
			}
			t.above[tenant] = append(t.above[tenant], next)
			at = next
		}
	}
	return t, nil
}

// Within reports whether tenant lies anywhere below above. A tenant does not lie below itself.
func (t *Tenants) Within(tenant, above uuid.UUID) bool {
	if t == nil {
		return false
	}
	for _, a := range t.above[tenant] {
		if a == above {
			return true
		}
	}
	return false
}
