package record

import (
	"context"

	"github.com/google/uuid"
)

// Event is one security-relevant fact about a tenant, before it becomes a ledger entry. The ledger adds the position,
// the time, the hashes and, where Critical is set, a signature.
type Event struct {
	// Tenant owns the log the event belongs to. The operator is a tenant too: what concerns no tenant is recorded there.
	Tenant uuid.UUID
	// Actor is the acting user. Not valid means a system action.
	Actor uuid.NullUUID
	// Action names what was done, 1–64 bytes of [a-z0-9_]: login, mfa_enabled, approve_draft. Those in which a
	// log speaks about itself, such as ledger_keys_rotated and personal_data_erased, are refused.
	Action string
	// EntityType names the kind of resource concerned, 1–64 bytes of [a-z0-9_].
	EntityType string
	// EntityID identifies the resource, at most 256 bytes of UTF-8. It is an identifier, never personal text: it cannot be
	// erased.
	EntityID string
	// Details is structured context: string, bool, int, int64, [Personal], map[string]any and []any of those, at most 16
	// levels deep. Integers are limited to ±(2^53−1). The member "narrative" is the ledger's, which binds Narrative's arguments
	// there. At most 48 KiB in canonical form with it; larger evidence is bound by its SHA-256. Nil means none.
	Details map[string]any
	// Narrative is the German sentence about the event, as template and arguments.
	Narrative Narrative
	// Critical marks an event whose entry carries a signature of its own besides the checkpoint's: approvals, permission
	// changes, commands, key events.
	Critical bool
}

// Narrative names a sentence template and its arguments. The catalogue of templates belongs to the ledger (see
// ledger/narrative); an unknown template and a missing, unknown or wrongly typed argument are refused when the event is
// recorded.
type Narrative struct {
	Template string         // template id, e.g. "login"
	Args     map[string]any // string, int, int64, time.Time or Personal, by argument name
}

// Personal is a value that names or describes a natural person: a name, a mail address, an IP address. The ledger binds
// only a salted commitment to it, so the value can be erased (Art. 17 GDPR) while every proof still verifies.
type Personal struct {
	// Subject is the person concerned, by whom the value is found when it has to be erased. The zero UUID means a person
	// tomkit does not know, such as a mistyped user name.
	Subject uuid.UUID
	// Value is at most 1,024 bytes of UTF-8.
	Value string
}

// String hides the value, so that a log line or an error never shows it by accident.
func (Personal) String() string { return "[personal]" }

// GoString hides the value.
func (p Personal) GoString() string { return p.String() }

// A Recorder writes events durably. Record returns only after the entry is committed; on an error the event was not
// recorded, or the ledger could not find out, and the action it describes must not be reported as done. It is safe for
// concurrent use.
type Recorder interface {
	Record(ctx context.Context, ev Event) error
}
