package tsa

import (
	"errors"
	"fmt"
)

// Errors to branch on.
var (
	// ErrMalformed reports bytes that are no DER token, or a checkpoint that is none.
	ErrMalformed = errors.New("tsa: malformed")
	// ErrMismatch reports a token over something else than the checkpoint's text.
	ErrMismatch = errors.New("tsa: token is over another text")
	// ErrUntrusted reports a token whose signature does not verify or whose signer leads to none of the roots.
	ErrUntrusted = errors.New("tsa: token is not trusted")
	// ErrConfig reports a configuration that cannot be used.
	ErrConfig = errors.New("tsa: configuration")
	// ErrUnreachable reports an authority that did not answer.
	ErrUnreachable = errors.New("tsa: not reached")
	// ErrProtocol reports an answer that is none to this request: another nonce or policy, a time that is off, a body that is
	// too large or of another type.
	ErrProtocol = errors.New("tsa: answer breaks the protocol")
	// ErrRefused reports an authority that grants no token.
	ErrRefused = errors.New("tsa: refused")
)

// StatusError is the status with which an authority refuses (RFC 3161 §2.4.2). It wraps [ErrRefused].
type StatusError struct {
	Status int // 2 rejection, 3 waiting, 4 revocation warning, 5 revocation notification
}

// Error names the status; it repeats nothing of what the authority wrote.
func (e *StatusError) Error() string { return fmt.Sprintf("%v: status %d", ErrRefused, e.Status) }

// Unwrap returns the sentinel.
func (e *StatusError) Unwrap() error { return ErrRefused }

func malformed(why string) error { return fmt.Errorf("%w: %s", ErrMalformed, why) }

func untrusted(why string) error { return fmt.Errorf("%w: %s", ErrUntrusted, why) }
