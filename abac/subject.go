package abac

import (
	"time"

	"github.com/google/uuid"
)

// Level is how strongly a subject authenticated.
type Level uint8

// Levels, each stronger than the one before.
const (
	// SingleFactor is the zero Level: a password, or nothing known.
	SingleFactor Level = iota
	// MultiFactor is a password with a one-time code, or equal.
	MultiFactor
	// PhishingResistant is a passkey or security key bound to the site.
	PhishingResistant
)

// Subject is who asks: the facts of a verified token, put together by the server. It must not be changed once requests use
// it. This package never sees the token itself.
type Subject struct {
	ID      uuid.UUID // the user or device
	Tenant  uuid.UUID // the tenant whose scope the token is for
	Session uuid.UUID // the session, for the decision log; may be zero
	Role    string
	Set     *Set  // the token's policies; nil denies everything
	Version int64 // the policy version the token was issued under

	Level    Level
	AuthTime time.Time // when the subject last proved Level

	Clearance Clearance // what the subject is cleared for; nil clears nothing
}

// Request is what a decision looks at besides the subject.
type Request struct {
	// Tenant owns the resource. It matters to [SameTenant] only, for which the zero UUID is nobody's.
	Tenant uuid.UUID
	// Label is the resource's confidentiality label, a label.Label. It matters to [Cleared] only, for which nil is nobody's.
	Label any
	// Now is the current time.
	Now time.Time
	// MinVersion is the oldest policy version still accepted.
	MinVersion int64
}
