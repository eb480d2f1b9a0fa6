package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Anchor is memory outside the database: a witness, a file on another host, a log collector, a time-stamping authority.
// Whoever owns the database and its keys can cut off the end of a log or write it anew; an anchor remembers what was
// signed before. Implementations are safe for concurrent use.
type Anchor interface {
	// Name identifies the anchor in evidence, metrics and reports: 1–64 bytes of [a-z0-9._-]. It says nothing about a tenant.
	Name() string
	// Submit shows the anchor a signed checkpoint and returns what it gives for it. An anchor that remembers a checkpoint of
	// the origin which this one does not continue returns an error that wraps [ErrRolledBack]. A checkpoint that is not newer
	// than what the anchor remembers, and agrees with it, is no error. An anchor that cannot tell whether an older one agrees
	// returns a [RollbackError] without Fork, which the caller compares with its head now: another process may have been faster.
	Submit(ctx context.Context, s Submission) (Evidence, error)
	// Latest returns what the anchor remembers of an origin: the zero Memory if nothing. held is the newest signed checkpoint
	// of the origin that the caller has, nil if none: a witness answers nobody but who shows one, others ignore it. An anchor
	// that cannot be asked, or not without held, returns [ErrNoMemory]; one that remembers another root at held's size may say
	// so by a [RollbackError].
	Latest(ctx context.Context, origin string, held []byte) (Memory, error)
}

// Submission is a checkpoint on its way to an [Anchor].
type Submission struct {
	// Checkpoint is the signed note.
	Checkpoint []byte
	// Consistency returns the RFC 6962 consistency proof from a smaller size to the checkpoint's.
	Consistency func(ctx context.Context, from uint64) ([][32]byte, error)
}

// Evidence is what an [Anchor] gives for a checkpoint. Every part may be empty: a file gives nothing but its memory.
type Evidence struct {
	// Lines are signature lines to append to the note, each ended by a newline (C2SP tlog-cosignature).
	Lines []byte
	// Token is a DER TimeStampToken (RFC 3161) over the SHA-256 of the checkpoint's text, without signature lines.
	Token []byte
}

// Memory is what an [Anchor] remembers of an origin.
type Memory struct {
	Size uint64
	// Root is the root at Size. Nil means that the anchor tells the size only.
	Root *[32]byte
}

// Errors about memory outside the database.
var (
	// ErrRolledBack means that an anchor remembers more of a log, or something else, than the database holds: it was
	// restored from a backup, or tampered with. Nothing is written before the log is recovered under dual control.
	ErrRolledBack = errors.New("ledger: the log is behind what an anchor remembers")
	// ErrNoMemory means that an anchor keeps no memory that can be asked, as a time-stamping authority.
	ErrNoMemory = errors.New("ledger: the anchor cannot be asked")
)

// RollbackError says how far a log is behind an anchor, or that it does not continue what the anchor remembers. It wraps
// [ErrRolledBack].
type RollbackError struct {
	Anchor string // name
	Size   uint64 // entries the anchor remembers
	Head   uint64 // entries the database holds
	Fork   bool   // the first Size entries are not those the anchor remembers
}

// Error says which anchor remembers how much.
func (e *RollbackError) Error() string {
	if e.Fork {
		return fmt.Sprintf("%v: %s remembers other entries before %d", ErrRolledBack, e.Anchor, e.Size)
	}
	return fmt.Sprintf("%v: %s remembers %d entries, the database holds %d", ErrRolledBack, e.Anchor, e.Size, e.Head)
}

// Unwrap returns the sentinel.
func (e *RollbackError) Unwrap() error { return ErrRolledBack }

// Journal is append-only memory of erasures outside the database. A backup holds the personal values that were erased
// after it was made; whoever restores it replays the journal before the log serves again (Art. 17 GDPR). The journal holds
// no personal data: positions and commitments only. Implementations are safe for concurrent use.
type Journal interface {
	// Append adds a record and returns when it is durable. A record is added before the erasure is committed, so the journal
	// may hold erasures that the database never saw; replaying them erases.
	Append(ctx context.Context, r ErasureRecord) error
	// Each calls fn with every record, oldest first, and ends with fn's first error.
	Each(ctx context.Context, fn func(ErasureRecord) error) error
}

// ErasureRecord is one erasure of personal values from a tenant's log.
type ErasureRecord struct {
	Tenant uuid.UUID
	At     time.Time
	Values []ErasedValue
}

// ErasedValue names a personal value by its place; the commitment tells nothing about it.
type ErasedValue struct {
	Seq        uint64
	Commitment [32]byte
}
