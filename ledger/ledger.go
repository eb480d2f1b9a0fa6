package ledger

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Appender writes entries. Implementations are safe for concurrent use.
type Appender interface {
	// Append writes ev as the next entry of its tenant's log and returns once it is committed. If ctx ends before the
	// entry was on its way, nothing is written and ctx's error is returned; afterwards the outcome is awaited, so that an
	// error never hides an entry, except [ErrOutcomeUnknown], which says so.
	Append(ctx context.Context, ev record.Event) (Receipt, error)
}

// Reader reads one tenant's log.
type Reader interface {
	// Entries returns a page of entries in the order of f.
	Entries(ctx context.Context, tenant uuid.UUID, f Filter) ([]Entry, error)
	// Head returns where the log ends. It wraps [ErrNoLog] if there is none.
	Head(ctx context.Context, tenant uuid.UUID) (Head, error)
}

// Head is the end of a log.
type Head struct {
	Size uint64    // number of entries; the next one has this seq
	Hash [32]byte  // current_hash of the last entry, zero in an empty log
	At   time.Time // time of the last entry
}

// Receipt says where an entry stands. It is returned once the entry is committed. The zero Receipt stands for nothing.
type Receipt struct {
	Tenant   uuid.UUID
	ID       uuid.UUID
	Seq      uint64    // 0-based position in the tenant's log
	LeafHash [32]byte  // RFC 6962 leaf hash over all fields
	At       time.Time // the entry's created_at

	wait func(context.Context, Receipt) (*verify.Receipt, error)
}

// NewReceipt returns r with a Wait that calls wait. It is for implementations of [Appender].
func NewReceipt(r Receipt, wait func(context.Context, Receipt) (*verify.Receipt, error)) Receipt {
	r.wait = wait
	return r
}

// Wait blocks until a checkpoint covers the entry and returns the proof: what a tenant keeps to show later, without this
// database, that the entry was in the log.
func (r Receipt) Wait(ctx context.Context) (*verify.Receipt, error) {
	if r.wait == nil {
		return nil, ErrNoLog
	}
	return r.wait(ctx, r)
}

// Filter selects entries. The zero Filter selects the oldest [DefaultPage] entries.
type Filter struct {
	// After excludes entries up to and including this seq; with Newest, those from this seq on. Nil means no bound: it is
	// the seq of the last entry of the page before.
	After *uint64
	// From and Until bound created_at: From ≤ created_at < Until. Zero means no bound.
	From, Until time.Time
	// Action, EntityType and EntityID select by equality. Empty means any.
	Action, EntityType, EntityID string
	// Actor selects by acting user. Not valid means any.
	Actor uuid.NullUUID
	// CriticalOnly selects entries with a signature of their own.
	CriticalOnly bool
	// Newest returns the newest first.
	Newest bool
	// Limit is the size of the page. Zero means DefaultPage; more than [MaxPage] and negative are errors.
	Limit int
}

// Page sizes.
const (
	DefaultPage = 100
	MaxPage     = 1000
)

// Entry is an entry as people read it.
type Entry struct {
	verify.Entry

	// Readable is the German sentence with the personal values that still exist. Erased ones say so.
	Readable string
	// Openings are the personal values behind the commitments in Details and Narrative that still exist.
	Openings []Opening
	// Signature is the composite signature of a critical entry over its canonical bytes, SignatureKey the key's id.
	Signature    []byte
	SignatureKey string
	LeafHash     [32]byte
}

// Opening is a personal value with the salt that opens its commitment.
type Opening struct {
	Commitment, Salt [32]byte
	Subject          uuid.UUID
	Value            string
}
