package authn

import (
	"errors"
	"fmt"
	"time"
)

// What callers branch on. Texts never contain a credential, an address or an identifier.
var (
	// ErrSignIn is the one answer to every failed first step: unknown tenant, unknown user, no password, disabled,
	// suspended, wrong password.
	ErrSignIn = errors.New("authn: sign in: e-mail or password is wrong")
	// ErrStepToken means the step token is malformed, unknown, expired, consumed, out of attempts, made for another
	// purpose or browser, or that the account changed since it was issued. The sign-in starts again.
	ErrStepToken = errors.New("authn: step token: not valid")
	// ErrCode means the code is wrong or was used before. The step token stays usable within its attempts; a *[CodeError]
	// says how many are left.
	ErrCode = errors.New("authn: code: wrong or already used")
	// ErrThrottled means there were too many failures; a *[ThrottledError] says how long to wait.
	ErrThrottled = errors.New("authn: too many attempts")
	// ErrSession means the session does not exist, has ended, or belongs to another browser.
	ErrSession = errors.New("authn: session: not valid")
	// ErrEmail means the text is not an e-mail address this package accepts; see [NormalizeEmail].
	ErrEmail = errors.New("authn: e-mail: not valid")
)

// What a [Store] answers.
var (
	// ErrNotFound means the store has no such row in this tenant.
	ErrNotFound = errors.New("authn: store: not found")
	// ErrConflict means a precondition of a change no longer holds; nothing was changed.
	ErrConflict = errors.New("authn: store: changed meanwhile")
)

// ThrottledError says when the next attempt will be looked at. It is [ErrThrottled].
type ThrottledError struct {
	// RetryAfter is the remaining wait, rounded up to full seconds, at least one.
	RetryAfter time.Duration
}

// Error names the wait.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("%v: retry after %s", ErrThrottled, e.RetryAfter)
}

// Is reports whether target is [ErrThrottled].
func (e *ThrottledError) Is(target error) bool { return target == ErrThrottled }

// CodeError says how many attempts the step token has left. It is [ErrCode].
type CodeError struct {
	// AttemptsLeft is the number of further codes the step token accepts; at 0 the sign-in starts again.
	AttemptsLeft int
}

// Error names the attempts left.
func (e *CodeError) Error() string {
	return fmt.Sprintf("%v: %d attempts left", ErrCode, e.AttemptsLeft)
}

// Is reports whether target is [ErrCode].
func (e *CodeError) Is(target error) bool { return target == ErrCode }
