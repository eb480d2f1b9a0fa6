package verify

import (
	"fmt"
	"time"
)

// Kind names a sort of finding in reports.
type Kind string

// Kinds of findings.
const (
	KindMalformed  Kind = "malformed_entry"
	KindSequence   Kind = "sequence"
	KindTenant     Kind = "tenant"
	KindTime       Kind = "time"
	KindLink       Kind = "broken_link"
	KindHash       Kind = "hash"
	KindLeaf       Kind = "leaf"
	KindTile       Kind = "tile"
	KindRoot       Kind = "root"
	KindTruncated  Kind = "truncated"
	KindTrailing   Kind = "trailing"
	KindSignature  Kind = "signature"
	KindOpening    Kind = "opening"
	KindMissing    Kind = "missing_opening"
	KindRedaction  Kind = "redaction"
	KindCheckpoint Kind = "checkpoint"
	KindReceipt    Kind = "receipt"
	KindFile       Kind = "file"
	KindKey        Kind = "key"
	KindWitness    Kind = "witness"
	KindGap        Kind = "gap"
	KindClosed     Kind = "closed"
)

// located is what every error about an export can say: its kind, and the first and last position concerned.
type located interface {
	error
	where() (kind Kind, first, last uint64)
}

// nowhere is the position of errors that concern no entry in particular.
const nowhere = ^uint64(0)

// MalformedEntryError reports bytes that are not the canonical form of an entry. Err wraps ErrMalformed or ErrTooLarge.
type MalformedEntryError struct {
	Seq uint64 // 0-based position in the log
	Err error
}

// SequenceError reports an entry whose seq is not its position: one was inserted, removed, repeated or moved.
type SequenceError struct {
	Seq  uint64 // 0-based position in the log
	Have uint64 // the seq the entry claims
}

// TenantError reports an entry of another tenant.
type TenantError struct {
	Seq uint64 // 0-based position in the log
}

// TimeError reports an entry older than the one before it.
type TimeError struct {
	Seq          uint64 // 0-based position in the log
	Before, Have time.Time
}

// BrokenLinkError reports the first entry whose previous hash is not the hash of the entry before: that entry or this
// one was changed.
type BrokenLinkError struct {
	Seq        uint64   // 0-based position in the log
	Want, Have [32]byte // SHA-256
}

// HashError reports an entry whose own hash does not follow from its fields.
type HashError struct {
	Seq        uint64   // 0-based position in the log
	Want, Have [32]byte // SHA-256
}

// LeafError reports an entry that is not the one hashed into the tree: its chain hash covers only some fields, the leaf
// hash covers all.
type LeafError struct {
	Seq uint64 // 0-based position in the log
}

// TileError reports a tile that is missing, malformed, or whose hashes are not those of the entries below it.
type TileError struct {
	Path        string
	First, Last uint64 // positions of the entries below the first wrong hash
	Reason      string
}

// RootError reports a checkpoint whose root is not that of the entries: something between First and Last was changed.
type RootError struct {
	File        string // the checkpoint's file, or what else it came from
	First, Last uint64
}

// TruncatedError reports a log that ends before it should.
type TruncatedError struct {
	Seq  uint64 // first missing position
	Size uint64 // number of entries there must be
	By   string // what says so
}

// TrailingError reports entries beyond the checkpoint, which nothing vouches for.
type TrailingError struct {
	Seq uint64 // first position beyond
}

// SignatureError reports a critical entry without a valid signature, or a signature that belongs to no critical entry.
type SignatureError struct {
	Seq    uint64 // 0-based position in the log
	Reason string
}

// OpeningError reports an opening that does not fit a commitment of its entry.
type OpeningError struct {
	Seq        uint64 // 0-based position in the log
	Commitment [32]byte
	Reason     string
}

// MissingOpeningError reports a personal value that is gone although nothing in the log says it was erased.
type MissingOpeningError struct {
	Seq        uint64 // 0-based position in the log
	Commitment [32]byte
}

// RedactionError reports an erasure that the log does not bear out.
type RedactionError struct {
	Seq    uint64 // position of the entry said to be erased, or of the redaction entry
	Entry  uint64 // position of the redaction entry
	Reason string
}

// CheckpointError reports a checkpoint that is malformed, of another log, or not signed as it must be.
type CheckpointError struct {
	File string
	Err  error
}

// ReceiptError reports a receipt that does not verify, or whose entry is not in the export.
type ReceiptError struct {
	Seq    uint64 // the receipt's index
	Reason string
}

// FileError reports a file of the export that is missing, malformed or unreadable.
type FileError struct {
	File string
	Err  error
}

// KeyError reports a change of keys that the log does not bear out.
type KeyError struct {
	Seq    uint64 // position of the announcement, or where it should be
	Key    string // id of the key; empty if the announcement as a whole is meant
	Reason string
}

// WitnessError reports a checkpoint with fewer cosignatures than it must carry, or with an invalid one by a known witness.
type WitnessError struct {
	File    string // the checkpoint's file, or what else it came from
	Witness string // name; empty if none in particular is meant
	Reason  string
}

// GapError reports a recovery that the log does not declare as it must, or a gap that does not cover what was lost.
type GapError struct {
	Seq    uint64 // position of the entry that declares the gap, or where the loss begins
	Reason string
}

// ClosedError reports an entry after the one that closed the log, or a closing that is not in form.
type ClosedError struct {
	Seq    uint64 // 0-based position in the log
	Reason string
}

// Error says what was found, where.
func (e *MalformedEntryError) Error() string { return at(e.Seq) + fmt.Sprintf("malformed: %v", e.Err) }

// Error says what was found, where.
func (e *SequenceError) Error() string { return at(e.Seq) + fmt.Sprintf("has seq %d", e.Have) }

// Error says what was found, where.
func (e *TenantError) Error() string { return at(e.Seq) + "belongs to another tenant" }

// Error says what was found, where.
func (e *TimeError) Error() string {
	return at(e.Seq) + fmt.Sprintf("created %s, before its predecessor's %s",
		e.Have.Format(time.RFC3339Nano), e.Before.Format(time.RFC3339Nano))
}

// Error says what was found, where.
func (e *BrokenLinkError) Error() string {
	return at(e.Seq) + fmt.Sprintf("broken link: previous hash %x, entry before has %x", e.Have, e.Want)
}

// Error says what was found, where.
func (e *HashError) Error() string {
	return at(e.Seq) + fmt.Sprintf("hash %x does not follow from the fields, which give %x", e.Have, e.Want)
}

// Error says what was found, where.
func (e *LeafError) Error() string {
	return at(e.Seq) + "is not the entry that was hashed into the tree"
}

// Error says what was found, where.
func (e *TileError) Error() string {
	return fmt.Sprintf("verify: tile %s over entries %d–%d: %s", e.Path, e.First, e.Last, e.Reason)
}

// Error says what was found, where.
func (e *RootError) Error() string {
	return fmt.Sprintf("verify: entries %d–%d do not give the root of %s", e.First, e.Last, e.File)
}

// Error says what was found, where.
func (e *TruncatedError) Error() string {
	return at(e.Seq) + fmt.Sprintf("is missing: %s says there are %d entries", e.By, e.Size)
}

// Error says what was found, where.
func (e *TrailingError) Error() string { return at(e.Seq) + "lies beyond the checkpoint" }

// Error says what was found, where.
func (e *SignatureError) Error() string { return at(e.Seq) + e.Reason }

// Error says what was found, where.
func (e *OpeningError) Error() string { return at(e.Seq) + "opening " + e.Reason }

// Error says what was found, where.
func (e *MissingOpeningError) Error() string {
	return at(e.Seq) + "a personal value is missing and was not erased by the log"
}

// Error says what was found, where.
func (e *RedactionError) Error() string {
	return at(e.Seq) + fmt.Sprintf("erasure by entry %d: %s", e.Entry, e.Reason)
}

// Error says what was found, where.
func (e *CheckpointError) Error() string { return fmt.Sprintf("verify: %s: %v", e.File, e.Err) }

// Error says what was found, where.
func (e *ReceiptError) Error() string { return at(e.Seq) + "receipt: " + e.Reason }

// Error says what was found, where.
func (e *FileError) Error() string { return fmt.Sprintf("verify: %s: %v", e.File, e.Err) }

// Error says what was found, where.
func (e *KeyError) Error() string {
	if e.Key == "" {
		return at(e.Seq) + e.Reason
	}
	return at(e.Seq) + "key " + e.Key + " " + e.Reason
}

// Error says what was found, where.
func (e *WitnessError) Error() string {
	if e.Witness == "" {
		return "verify: " + e.File + ": " + e.Reason
	}
	return "verify: " + e.File + ": witness " + e.Witness + ": " + e.Reason
}

// Error says what was found, where.
func (e *GapError) Error() string { return at(e.Seq) + e.Reason }

// Error says what was found, where.
func (e *ClosedError) Error() string { return at(e.Seq) + e.Reason }

func at(seq uint64) string { return fmt.Sprintf("verify: entry %d: ", seq) }

// Unwrap returns the cause.
func (e *MalformedEntryError) Unwrap() error { return e.Err }

// Unwrap returns the cause.
func (e *CheckpointError) Unwrap() error { return e.Err }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

func (e *MalformedEntryError) where() (Kind, uint64, uint64) { return KindMalformed, e.Seq, e.Seq }
func (e *SequenceError) where() (Kind, uint64, uint64)       { return KindSequence, e.Seq, e.Seq }
func (e *TenantError) where() (Kind, uint64, uint64)         { return KindTenant, e.Seq, e.Seq }
func (e *TimeError) where() (Kind, uint64, uint64)           { return KindTime, e.Seq, e.Seq }
func (e *BrokenLinkError) where() (Kind, uint64, uint64)     { return KindLink, e.Seq, e.Seq }
func (e *HashError) where() (Kind, uint64, uint64)           { return KindHash, e.Seq, e.Seq }
func (e *LeafError) where() (Kind, uint64, uint64)           { return KindLeaf, e.Seq, e.Seq }
func (e *TileError) where() (Kind, uint64, uint64)           { return KindTile, e.First, e.Last }
func (e *RootError) where() (Kind, uint64, uint64)           { return KindRoot, e.First, e.Last }
func (e *TruncatedError) where() (Kind, uint64, uint64)      { return KindTruncated, e.Seq, e.Seq }
func (e *TrailingError) where() (Kind, uint64, uint64)       { return KindTrailing, e.Seq, e.Seq }
func (e *SignatureError) where() (Kind, uint64, uint64)      { return KindSignature, e.Seq, e.Seq }
func (e *OpeningError) where() (Kind, uint64, uint64)        { return KindOpening, e.Seq, e.Seq }
func (e *MissingOpeningError) where() (Kind, uint64, uint64) { return KindMissing, e.Seq, e.Seq }
func (e *RedactionError) where() (Kind, uint64, uint64)      { return KindRedaction, e.Seq, e.Seq }
func (e *CheckpointError) where() (Kind, uint64, uint64)     { return KindCheckpoint, nowhere, nowhere }
func (e *ReceiptError) where() (Kind, uint64, uint64)        { return KindReceipt, e.Seq, e.Seq }
func (e *FileError) where() (Kind, uint64, uint64)           { return KindFile, nowhere, nowhere }
func (e *KeyError) where() (Kind, uint64, uint64)            { return KindKey, e.Seq, e.Seq }
func (e *WitnessError) where() (Kind, uint64, uint64)        { return KindWitness, nowhere, nowhere }
func (e *GapError) where() (Kind, uint64, uint64)            { return KindGap, e.Seq, e.Seq }
func (e *ClosedError) where() (Kind, uint64, uint64)         { return KindClosed, e.Seq, e.Seq }
