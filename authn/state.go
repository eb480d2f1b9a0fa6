package authn

import (
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn/credential"
)

// State is where a sign-in stands after the first step: a *[Challenge], an *[Enrolment] or a *[Granted].
type State interface{ state() }

// Challenge asks for a code of the user's second factor.
type Challenge struct {
	// StepToken is presented with the code; see [Flow.TOTP]. Its text is for the client alone.
	StepToken credential.Credential
	// Factors are the ways to answer.
	Factors []Purpose
	// ExpiresAt is the end of the step token.
	ExpiresAt time.Time
}

// Enrolment asks the user to enrol a second factor, because the tenant requires one and the user has none.
type Enrolment struct {
	// StepToken is presented to [Flow.BeginTOTP] and [Flow.ConfirmTOTP]. Its text is for the client alone.
	StepToken credential.Credential
	// Factors are the kinds that can be enrolled.
	Factors []Purpose
	// ExpiresAt is the end of the step token.
	ExpiresAt time.Time
}

// Granted is a finished sign-in.
type Granted struct {
	// Session is what was granted to whom.
	Session Session
	// Access is the signed access token.
	Access Bearer
	// ExpiresAt is the end of the access token; [Flow.Renew] makes another while the session lives.
	ExpiresAt time.Time
}

func (*Challenge) state() {}
func (*Enrolment) state() {}
func (*Granted) state()   {}

// TOTPOffer is a secret to be put into an authenticator app. It prints redacted.
type TOTPOffer struct {
	// Secret is the base32 text to type in.
	Secret string
	// URI is the otpauth URI to show as a QR code.
	URI string
}

// Bearer is a token whose possession is enough. It prints redacted; convert it to string where it is handed out.
type Bearer string

// PasswordRequest is the first step. It prints redacted.
type PasswordRequest struct {
	// Tenant is the tenant the host or slug named, [uuid.Nil] if there is none: same work, same answer.
	Tenant uuid.UUID
	// Email and Password are as typed.
	Email, Password string
	// Binding ties the sign-in to the browser; required.
	Binding Binding
	// Address is where the request came from, for the back-off. The zero value counts as one address.
	Address netip.Addr
}

// CodeRequest is the second step, or the confirmation of an enrolment. It prints redacted.
type CodeRequest struct {
	// StepToken is the text of the step token.
	StepToken string
	// Code is the code as typed.
	Code string
	// Binding must be the first step's.
	Binding Binding
	// Address is where the request came from, for the ledger. The zero value is left out.
	Address netip.Addr
}

// visit is what is known of the request besides what it claims.
type visit struct {
	binding Binding
	from    netip.Addr
	now     time.Time
}

// StrangerAttempt is a sign-in at a tenant that does not exist.
type StrangerAttempt struct {
	// At is when it happened.
	At time.Time
	// Address is where it came from.
	Address netip.Addr
}
