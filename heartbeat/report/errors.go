package report

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrConfig means a Config that is incomplete or out of range.
	ErrConfig = errors.New("report: config")
	// ErrRevoked means that the server does not accept the credential or token (401). Only enrolling again helps.
	ErrRevoked = errors.New("report: credential not accepted")
	// ErrRefused means that the server refuses what was sent. It is always an [*AnswerError].
	ErrRefused = errors.New("report: refused")
	// ErrUnavailable means that nothing was delivered this time: no connection, or the server asked to come back later.
	ErrUnavailable = errors.New("report: server not available")
)

// AnswerError is an answer other than success.
type AnswerError struct {
	Status int    // HTTP status
	Title  string // title of the problem document, clipped to printable text of at most 120 bytes; may be empty
	// RetryAfter is the pause the server asks for, at most an hour; zero without one.
	RetryAfter time.Duration
	kind       error
}

// Error returns status and title.
func (e *AnswerError) Error() string {
	if e.Title == "" {
		return fmt.Sprintf("%s: status %d", e.kind, e.Status)
	}
	return fmt.Sprintf("%s: status %d: %s", e.kind, e.Status, e.Title)
}

// Unwrap returns ErrRevoked, ErrRefused or ErrUnavailable.
func (e *AnswerError) Unwrap() error { return e.kind }
