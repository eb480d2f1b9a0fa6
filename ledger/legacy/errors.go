package legacy

import (
	"errors"
	"fmt"
)

var (
	// ErrMalformed reports a line that is not an entry in the document's format.
	ErrMalformed = errors.New("legacy: malformed line")
	// ErrSignature reports a Dilithium3 signature that does not verify.
	ErrSignature = errors.New("legacy: signature does not verify")
	// ErrConfig reports configuration that cannot be used.
	ErrConfig = errors.New("legacy: unusable configuration")
	// ErrChanged reports a chain that was not the same the second time it was read.
	ErrChanged = errors.New("legacy: the chain changed while it was read")
)

// LineError is the first fault of a chain. Err wraps ErrMalformed or ErrSignature, or is one of verify's typed errors such as
// *verify.BrokenLinkError; it says nothing of the line's content.
type LineError struct {
	Line uint64 // 1-based, in the file
	Seq  uint64 // 0-based, in the imported chain
	Err  error
}

// Error says where and what.
func (e *LineError) Error() string {
	return fmt.Sprintf("legacy: line %d, entry %d: %v", e.Line, e.Seq, e.Err)
}

// Unwrap returns the cause.
func (e *LineError) Unwrap() error { return e.Err }

func malformed(reason string) error { return fmt.Errorf("%w: %s", ErrMalformed, reason) }
