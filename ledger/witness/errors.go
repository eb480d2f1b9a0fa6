package witness

import (
	"errors"
	"fmt"
)

// Errors to branch on. An anchor that finds a log behind or beside its memory returns a *ledger.RollbackError.
var (
	// ErrMalformed reports bytes that are not in the form the protocol or a file of this package has.
	ErrMalformed = errors.New("witness: malformed")
	// ErrConfig reports a configuration that cannot be used.
	ErrConfig = errors.New("witness: configuration")
	// ErrUnreachable reports an anchor that did not answer, or answered that it cannot now. Trying again later may help.
	ErrUnreachable = errors.New("witness: not reached")
	// ErrRefused reports a witness that does not know the log, or none of its keys.
	ErrRefused = errors.New("witness: refused")
	// ErrProtocol reports an answer that the protocol does not allow, or without a valid cosignature by every key that is
	// configured: the other end is no witness, not this witness, or forges.
	ErrProtocol = errors.New("witness: answer breaks the protocol")
	// ErrQuorum reports that fewer anchors than needed took a checkpoint.
	ErrQuorum = errors.New("witness: quorum not reached")
	// ErrConflict reports that a [Store] holds something else than the caller believes.
	ErrConflict = errors.New("witness: state was changed meanwhile")
	// ErrDamaged reports a file of this package that was changed by somebody else.
	ErrDamaged = errors.New("witness: damaged file")
	// ErrLocked reports a directory that another process serves.
	ErrLocked = errors.New("witness: in use by another process")
)

func malformed(what, why string) error { return fmt.Errorf("%w: %s: %s", ErrMalformed, what, why) }

func badConfig(why string) error { return fmt.Errorf("%w: %s", ErrConfig, why) }

// StatusError is an answer with a status that says no. It wraps [ErrRefused], [ErrUnreachable] or [ErrProtocol].
type StatusError struct {
	Anchor string // name
	Status int    // of HTTP
	kind   error
}

// Error names the anchor and the status; it repeats nothing of what the other end wrote.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%v: %s answered %d", e.kind, e.Anchor, e.Status)
}

// Unwrap returns the sentinel.
func (e *StatusError) Unwrap() error { return e.kind }
