package abac

import (
	"net/netip"
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

// Posture is what is known about the device a request comes from: a set of facts, each of them good.
type Posture uint16

// The facts about a device.
const (
	Managed           Posture = 1 << iota // enrolled with the platform
	DiskEncrypted                         // its system disk is encrypted
	FirewallOn                            // its firewall is on
	MalwareProtection                     // protection against malware runs
	ScreenLock                            // it locks itself
	UpToDate                              // no security update is outstanding
	allPosture        = UpToDate<<1 - 1
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

	Posture     Posture   // of the device the subject uses, for [Device]
	PostureTime time.Time // when Posture was found
	Clearance   Clearance // what the subject is cleared for; nil clears nothing
}

// Request is what a decision looks at besides the subject. A condition whose fact is left zero does not hold.
type Request struct {
	// Tenant owns the resource. It matters to [SameTenant] and [WithinTenant], for which the zero UUID is nobody's.
	Tenant uuid.UUID
	// Hierarchy says which tenant lies below which, for [WithinTenant]. Nil means none lies below another.
	Hierarchy Hierarchy
	// Now is the current time.
	Now time.Time
	// MinVersion is the oldest policy version still accepted.
	MinVersion int64
	// Addr is the client's address, for [From].
	Addr netip.Addr
	// Label is the resource's confidentiality label, a label.Label, for [Cleared].
	Label any
	// Object is what is acted upon, and Approval what a second person approved about it, for [DualControl].
	Object   uuid.UUID
	Approval *Approval
	// Constraints are those of the policy set in force. Nil means none.
	Constraints *Constraints
}

// Approval is a second person's consent to one action of somebody else's. The server keeps it, and uses it once.
type Approval struct {
	By         *Subject  // who approves, with the rights of that moment
	For        uuid.UUID // the subject who may then act
	Permission string    // what it may then do, such as "iam:write"
	Object     uuid.UUID // to what; the zero UUID is the action without an object
	At         time.Time
}

// approves reports whether a is consent to sub's using permission on object: by somebody else who works in the same tenant,
// is no weaker authenticated, and might have used the permission as well.
func (a *Approval) approves(sub *Subject, permission string, object uuid.UUID, now time.Time, maxAge time.Duration) bool {
	if a == nil || a.By == nil || a.By.ID == uuid.Nil || sub.ID == uuid.Nil {
		return false
	}
	return a.For == sub.ID && a.By.ID != sub.ID && a.By.Tenant == sub.Tenant && a.By.Level >= sub.Level &&
		a.Permission == permission && a.Object == object && a.By.Set.DecideString(permission).Allowed && recent(a.At, now, maxAge)
}
