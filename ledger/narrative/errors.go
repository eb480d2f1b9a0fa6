package narrative

import (
	"errors"
	"fmt"
)

// What callers branch on. Every error of this package wraps one of them.
var (
	// ErrUnknownTemplate means that the catalogue has no template of that id.
	ErrUnknownTemplate = errors.New("unknown template")
	// ErrArgument means a missing, unknown or wrongly typed argument.
	ErrArgument = errors.New("bad argument")
	// ErrTooLarge means that the bound text or a personal value is over its limit.
	ErrTooLarge = errors.New("too large")
	// ErrNoForm means that an entry's details hold no form to render from.
	ErrNoForm = errors.New("no form")
	// ErrForm means a form that [Bind] cannot have written.
	ErrForm = errors.New("bad form")
	// ErrDiffers means that an entry's narrative is not what its form gives.
	ErrDiffers = errors.New("the narrative is not what its form gives")
)

// ArgumentError says which argument of which template was refused, and why. It wraps [ErrArgument].
type ArgumentError struct {
	Template, Arg string
	Reason        string // "missing", "unknown", "want person" …; never the value
}

// Error implements error. The text carries no value.
func (e *ArgumentError) Error() string {
	return fmt.Sprintf("narrative: bind %s: argument %s: %s", e.Template, Escape(e.Arg), e.Reason)
}

// Unwrap returns [ErrArgument].
func (e *ArgumentError) Unwrap() error { return ErrArgument }
