package verify

import (
	"errors"
	"fmt"
)

// Limits of one entry. They keep every entry under the 16-bit length of an entry bundle (C2SP tlog-tiles) with room
// to spare and let a verifier refuse absurd input before it allocates anything.
const (
	MaxAction     = 64        // bytes in Entry.Action
	MaxEntityType = 64        // bytes in Entry.EntityType
	MaxEntityID   = 256       // bytes in Entry.EntityID
	MaxNarrative  = 4096      // bytes in Entry.Narrative
	MaxDetails    = 48 << 10  // bytes in Entry.Details (canonical form)
	MaxDepth      = 16        // nesting of Entry.Details, the outermost object counted
	MaxEntry      = 60_000    // bytes in the canonical form of an entry
	MaxPersonal   = 1024      // bytes of a personal value behind a commitment
	MaxInteger    = 1<<53 - 1 // largest magnitude of an integer in Entry.Details (RFC 8785)
)

// Sentinels to branch on; every parser of this package wraps one of them.
var (
	// ErrTooLarge reports a value over one of the limits above.
	ErrTooLarge = errors.New("verify: too large")
	// ErrMalformed reports bytes or values that are not in the form this package defines.
	ErrMalformed = errors.New("verify: malformed")
)

// A FieldError names the part of an entry, file or receipt that was refused. It never contains the refused value.
type FieldError struct {
	Field  string // e.g. "action", "details"
	Reason string // what is wrong, e.g. "257 bytes, limit 256"
	Err    error  // ErrTooLarge or ErrMalformed
}

// Error says what was refused and why.
func (e *FieldError) Error() string { return fmt.Sprintf("%v: %s: %s", e.Err, e.Field, e.Reason) }

// Unwrap returns the sentinel.
func (e *FieldError) Unwrap() error { return e.Err }

func malformed(field, reason string) error {
	return &FieldError{Field: field, Reason: reason, Err: ErrMalformed}
}

func tooLarge(field string, have, limit int) error {
	return &FieldError{Field: field, Reason: fmt.Sprintf("%d bytes, limit %d", have, limit), Err: ErrTooLarge}
}
