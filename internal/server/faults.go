package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/password"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/internal/server/fleet"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/rls"
)

// fault is what a client is told of an error.
type fault struct {
	is     error
	status int
	code   string
	detail string
}

// faults lists every error of the rooms that a client can do something about.
var faults = []fault{
	{authn.ErrSignIn, http.StatusUnauthorized, "sign_in", "E-mail or password is wrong."},
	{authn.ErrStepToken, http.StatusUnauthorized, "step_token", "The step token cannot be used (any more). Start again with the password."},
	{authn.ErrCode, http.StatusUnauthorized, "code", "The code is wrong or was used before."},
	{authn.ErrThrottled, http.StatusTooManyRequests, "throttled", "Too many attempts. Wait before the next one."},
	{authn.ErrSession, http.StatusUnauthorized, "session", "The session has ended. Sign in again."},
	{authn.ErrNotFound, http.StatusUnauthorized, "session", "The session has ended. Sign in again."},
	{abac.ErrEscalation, http.StatusForbidden, "escalation", "You may not change this user's rights in this way; see the rules of granting."},
	{pgauthn.ErrUser, http.StatusNotFound, "unknown_user", "There is no such user."},
	{pgauthn.ErrRole, http.StatusUnprocessableEntity, "unknown_role", "There is no such role."},
	{password.ErrOverloaded, http.StatusServiceUnavailable, "overloaded", "The server is busy. Try again."},
	{fleet.ErrCredential, http.StatusUnauthorized, "credential", "The token or credential is unknown, used up, expired or revoked."},
	{fleet.ErrEnrolled, http.StatusConflict, "already_enrolled", "This machine is enrolled already. Remove the device first."},
	{fleet.ErrUnknown, http.StatusNotFound, "unknown_device", "There is no such device."},
	{heartbeat.ErrInvalid, http.StatusUnprocessableEntity, "invalid", "The document is not valid."},
	{heartbeat.ErrUnknownDevice, http.StatusUnauthorized, "unknown_device", "The device was removed. Enrol it again."},
	{heartbeat.ErrOverloaded, http.StatusServiceUnavailable, "overloaded", "The server is busy. Try again."},
	{heartbeat.ErrUnavailable, http.StatusServiceUnavailable, "unavailable", "The database did not confirm. Send it again."},
	{ledger.ErrOverloaded, http.StatusServiceUnavailable, "overloaded", "The server is busy. Try again."},
	{ledger.ErrInvalid, http.StatusUnprocessableEntity, "invalid", "The change cannot be recorded as it is; nothing was changed."},
	{ledger.ErrTooLarge, http.StatusRequestEntityTooLarge, "too_large", "The change cannot be recorded, a value is too long; nothing was changed."},
	{ledger.ErrNoLog, http.StatusNotFound, "no_log", "The tenant's ledger has no entry yet."},
	{rls.ErrCommitUnknown, http.StatusServiceUnavailable, "unconfirmed", "The database did not confirm. Look whether the change was made before doing it again."},
	{rls.ErrCommitted, http.StatusServiceUnavailable, "unconfirmed", "The database did not confirm. Look whether the change was made before doing it again."},
}

// away reports whether err says that the database cannot be reached or takes no work: an outage, where the same request may succeed later.
func away(err error) bool {
	var connect *pgconn.ConnectError
	var refusal *pgconn.PgError
	var network net.Error
	switch {
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), pgconn.SafeToRetry(err):
		return true
	case errors.As(err, &refusal):
		// Connection exception, insufficient resources, shut-downs (PostgreSQL manual, appendix A).
		class := refusal.Code[:min(2, len(refusal.Code))]
		return class == "08" || class == "53" || strings.HasPrefix(refusal.Code, "57P")
	}
	return false
}

// retryAfter returns how long the client is to wait, zero where the error does not say.
func retryAfter(err error) time.Duration {
	var throttled *authn.ThrottledError
	var hashing *password.OverloadError
	var beats *heartbeat.OverloadedError
	switch {
	case errors.As(err, &throttled):
		return throttled.RetryAfter
	case errors.As(err, &hashing):
		return hashing.RetryAfter
	case errors.As(err, &beats):
		return beats.RetryAfter
	case errors.Is(err, ledger.ErrOverloaded), errors.Is(err, heartbeat.ErrUnavailable):
		return time.Second
	}
	return 0
}
