package wire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The classes of an [Error]; each Error matches exactly one of them.
var (
	// ErrAuth says that a credential is not accepted: 401, or any refusal of a login.
	ErrAuth = errors.New("credential not accepted")
	// ErrPermission says that the credential is accepted but may not do this (403). A Vault answers the same for a token
	// that has ended.
	ErrPermission = errors.New("permission denied")
	// ErrNotFound says that there is no such thing (404).
	ErrNotFound = errors.New("not found")
	// ErrRefused is any other answer from 400 to 499.
	ErrRefused = errors.New("request refused")
	// ErrSealed says that a Vault is sealed or on standby (503, 472, 473).
	ErrSealed = errors.New("sealed or on standby")
	// ErrThrottled says that the server asks to come back later (429).
	ErrThrottled = errors.New("too many requests")
	// ErrUnavailable says that no usable answer came: no connection, none in time, cut short, 408, 412 or 5xx. The request
	// may have had its effect all the same.
	ErrUnavailable = errors.New("server not available")
	// ErrMalformed says that an answer is complete but not what it must be. The request may have had its effect.
	ErrMalformed = errors.New("malformed answer")
	// ErrRedirect says that the server pointed elsewhere. It is never followed: the token would go along.
	ErrRedirect = errors.New("redirect refused")
	// ErrUntrusted says that TLS could not be agreed on or that the certificate does not prove the server.
	ErrUntrusted = errors.New("server not trusted")
)

// What is behind an Error of class ErrUnavailable, ErrUntrusted or ErrMalformed, where it is known.
var (
	ErrTimeout     = errors.New("no answer in time")                // the call took longer than Config.Timeout
	ErrClosed      = errors.New("connection closed early")          // before or in the middle of an answer
	ErrUnresolved  = errors.New("host name not resolved")           // no address
	ErrProtocol    = errors.New("not HTTP as expected")             // text withheld: it may repeat what the server sent
	ErrHandshake   = errors.New("TLS handshake failed")             // for example no common version
	ErrAuthority   = errors.New("certificate of unknown authority") // not below Config.Roots
	ErrHost        = errors.New("certificate of another host")      // another name
	ErrPeriod      = errors.New("certificate not valid now")        // expired or not yet valid
	ErrPin         = errors.New("certificate not pinned")           // none of Config.Pins
	ErrTooLarge    = errors.New("answer too large")                 // more than Config.MaxBody
	ErrEncoding    = errors.New("answer compressed")                // although nothing asked for it
	ErrContentType = errors.New("answer not application/json")      // by its header
)

// Error is a call that did not do what it should. Its text consists of fixed words, a status and the id of the request:
// nothing that a server sent or that a client keeps secret can appear in it.
type Error struct {
	Op        string // package and verb, for example "kv: login"
	Class     error  // one of the classes of this package
	Reason    error  // what is behind it, from this package, the context or the operating system; may be nil
	Status    int    // HTTP status; 0 if there was no answer
	RequestID string // the X-Request-Id the call was sent with
	after     time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	text := e.Op + ": " + e.Class.Error()
	if e.Reason != nil {
		text += ": " + e.Reason.Error()
	}
	if e.Status != 0 {
		text += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.RequestID != "" {
		text += " [request " + e.RequestID + "]"
	}
	return text
}

// Unwrap returns Class and, if there is one, Reason.
func (e *Error) Unwrap() []error {
	if e.Reason == nil {
		return []error{e.Class}
	}
	return []error{e.Class, e.Reason}
}

// Retryable reports whether the same call may succeed later: throttled, sealed or unavailable, unless the caller's own
// context has ended.
func (e *Error) Retryable() bool {
	if errors.Is(e.Reason, context.Canceled) || errors.Is(e.Reason, context.DeadlineExceeded) {
		return false
	}
	return e.Class == ErrThrottled || e.Class == ErrSealed || e.Class == ErrUnavailable
}

// RetryAfter returns the pause the server asked for, at most [MaxRetryAfter]; zero without one.
func (e *Error) RetryAfter() time.Duration { return e.after }

// MaxRetryAfter caps the pause a server can ask for.
const MaxRetryAfter = time.Minute

// classOf returns what an HTTP status other than success means.
func classOf(status int) error {
	switch status {
	case http.StatusUnauthorized:
		return ErrAuth
	case http.StatusForbidden:
		return ErrPermission
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusRequestTimeout, http.StatusPreconditionFailed:
		return ErrUnavailable
	case http.StatusTooManyRequests:
		return ErrThrottled
	}
	switch {
	case status < 300:
		return ErrMalformed
	case status < 400:
		return ErrRedirect
	case status < 500:
		return ErrRefused
	}
	return ErrUnavailable
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3); anything else is no pause.
func retryAfter(value string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), MaxRetryAfter)
}
