package heartbeat

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrInvalid marks input outside the limits of this package. It is always an [*InvalidError].
	ErrInvalid = errors.New("heartbeat: invalid")
	// ErrUnknownDevice means that the tenant or the device does not exist (any more). Sending again does not help.
	ErrUnknownDevice = errors.New("heartbeat: accept: unknown device")
	// ErrOverloaded means that the beat was not taken on. It is always an [*OverloadedError], which says when to come back.
	ErrOverloaded = errors.New("heartbeat: accept: overloaded")
	// ErrUnavailable means that the storage did not confirm the beat. It may or may not be stored; sending it again is
	// harmless, because an older beat never replaces a newer one.
	ErrUnavailable = errors.New("heartbeat: accept: storage did not confirm")
)

// InvalidError names what is wrong with an input. Neither field holds any part of the input.
type InvalidError struct {
	Field  string // path in the wire form, such as "cpu.percent"; "tenant", "device" or "received_at" of a Beat
	Reason string // fact in a few words, such as "outside 0 to 100"
}

// Error returns the field and the reason.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("heartbeat: invalid: %s: %s", e.Field, e.Reason)
}

// Is reports true for [ErrInvalid].
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// OverloadedError says when an overloaded or stopping Acceptor wants to be asked again.
type OverloadedError struct {
	// RetryAfter is the time to wait, at least. It is jittered, so that callers refused together do not return together.
	RetryAfter time.Duration
}

// Error returns the fact and the time to wait.
func (e *OverloadedError) Error() string {
	return fmt.Sprintf("%s: retry after %s", ErrOverloaded, e.RetryAfter.Round(time.Second))
}

// Is reports true for [ErrOverloaded].
func (e *OverloadedError) Is(target error) bool { return target == ErrOverloaded }

func invalid(field, reason string, args ...any) error {
	if len(args) > 0 {
		reason = fmt.Sprintf(reason, args...)
	}
	return &InvalidError{Field: field, Reason: reason}
}
