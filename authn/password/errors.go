package password

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrMismatch says that the password is not the one that was hashed.
	ErrMismatch = errors.New("password: verify: mismatch")
	// ErrLength says that a password is empty or longer than MaxPassword. From Verify and VerifyDummy it comes together
	// with ErrMismatch, since such a password was never hashed.
	ErrLength = fmt.Errorf("password: length outside 1-%d bytes", MaxPassword)
	// ErrFormat says that a stored hash is of no known form, or not in its strict form, or out of bounds.
	ErrFormat = errors.New("password: verify: unusable stored hash")
	// ErrCost says that a stored hash is well-formed but needs more memory than the budget.
	ErrCost = errors.New("password: verify: stored hash exceeds the memory budget")
	// ErrPepper says that a stored hash was made with a pepper that is not configured.
	ErrPepper = errors.New("password: verify: unknown pepper id")
	// ErrOverloaded is matched by every OverloadError.
	ErrOverloaded = errors.New("password: overloaded")

	errVerifyLength = fmt.Errorf("%w: %w", ErrMismatch, ErrLength)
)

// OverloadError says that no memory for hashing became free. It matches ErrOverloaded, and context.DeadlineExceeded if
// the caller's own deadline came first. Answer with 503 and Retry-After.
type OverloadError struct {
	RetryAfter time.Duration // suggested to the client
	QueueFull  bool          // refused at once; false: waited in vain
	Cause      error         // the caller's deadline, or nil
}

// Error implements error.
func (e *OverloadError) Error() string {
	if e.QueueFull {
		return "password: overloaded: queue full"
	}
	return "password: overloaded: waited too long"
}

// Is reports whether target is ErrOverloaded.
func (e *OverloadError) Is(target error) bool { return target == ErrOverloaded }

// Unwrap returns the caller's context error, if that ended the wait.
func (e *OverloadError) Unwrap() error { return e.Cause }
