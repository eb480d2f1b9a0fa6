// Package record holds the event types that every room may hand to a ledger, and the interface it hands them to.
//
// It is a leaf: it imports the standard library and uuid only, so that a room can report what happened without
// knowing which ledger, if any, is behind the [Recorder].
package record

import (
	"context"

	"github.com/google/uuid"
)

// Event is one security-relevant fact about a tenant, before it becomes a ledger entry. The ledger adds the position,
// the time, the hashes and, where Critical is set, a signature.
type Event struct {
	// Tenant owns the log the event belongs to.
	Tenant uuid.UUID
	// Actor is the acting user. Not valid means a system action.
	Actor uuid.NullUUID
	// Action names what was done, 1–64 bytes of [a-z0-9_]: login, mfa_enabled, approve_draft.
	Action string
	// EntityType names the kind of resource concerned, 1–64 bytes of [a-z0-9_].
	EntityType string
	// EntityID identifies the resource, at most 256 bytes. It is an identifier, never personal text: it cannot be erased.
	EntityID string
	// Details is structured context: string, bool, int64, [Personal], map[string]any and []any of those.
	// Integers are limited to ±(2^53−1). At most 48 KiB in canonical form.
	Details map[string]any
	// Narrative is the German sentence about the event, as template and arguments.
	Narrative Narrative
	// Critical marks an event whose entry carries a signature of its own besides the checkpoint's:
	// approvals, permission changes, commands, key events.
	Critical bool
}

// Narrative names a sentence template and its arguments. The catalogue of templates belongs to the ledger
// (see ledger/narrative); an unknown template or a missing argument is refused when the event is recorded.
type Narrative struct {
	Template string         // template id, e.g. "login"
	Args     map[string]any // string, bool, int64, time.Time or Personal, by argument name
}

// Personal is a value that names or describes a natural person. The ledger binds only a salted commitment to it, so the
// value can be erased (Art. 17 GDPR) while every proof still verifies.
type Personal struct {
	Subject uuid.UUID // the person concerned
	Value   string    // at most 1,024 bytes
}

// A Recorder writes events durably. Record returns only after the entry is committed; on an error the event was not
// recorded and the action it describes must not be reported as done.
type Recorder interface {
	Record(ctx context.Context, ev Event) error
}
