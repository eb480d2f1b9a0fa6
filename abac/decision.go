package abac

// Decision is the answer to one question. The zero Decision denies.
type Decision struct {
	// Allowed is true only where a policy allows, no policy denies and every condition holds.
	Allowed bool
	// Reason says why, as a stable code.
	Reason Reason
}

// Reason says why a [Decision] came out as it did. Its text form is stable: clients and logs may branch on it.
type Reason uint8

// Reasons. Only Allowed goes with a Decision that allows.
const (
	// NoDecision is the reason of the zero Decision: nobody decided, so nobody is let through.
	NoDecision Reason = iota
	// Allowed: a policy allows and none denies.
	Allowed
	// NoMatch: no policy speaks about the permission (default deny, TOM 1.3.2).
	NoMatch
	// ExplicitDeny: a policy denies; no other policy can change that (deny override, TOM 1.3.2).
	ExplicitDeny
	// NoToken: there is no subject at all.
	NoToken
	// InvalidPolicy: the subject's policies could not be compiled, so all of them are void.
	InvalidPolicy
	// InvalidPermission: what was asked for is not a permission, for example because it holds a wildcard.
	InvalidPermission
	// StalePolicy: the subject's policies are older than the minimum version; a new token is needed.
	StalePolicy
	// TenantMismatch: the resource belongs to another tenant than the one the subject is working in.
	TenantMismatch
	// MFARequired: the policies allow, but the subject's authentication is too weak or too old for this permission.
	MFARequired
	// OutsideTimeWindow: the policies allow, but not at this time of the week.
	OutsideTimeWindow
	// NetworkNotAllowed: the policies allow, but not from the client's address.
	NetworkNotAllowed
	// DevicePosture: the policies allow, but the device does not show what is demanded, or did so too long ago.
	DevicePosture
	// LabelTooLow: the policies allow, but the subject's clearance does not dominate the resource's label.
	LabelTooLow
	// DualControlRequired: the policies allow, but a second person's approval is missing.
	DualControlRequired
	// InvalidCondition: a condition is not valid or belongs to other permissions; it holds for nobody.
	InvalidCondition
	reasons // number of reasons
)

var reasonCodes = [reasons]string{
	NoDecision:          "no_decision",
	Allowed:             "allowed",
	NoMatch:             "no_match",
	ExplicitDeny:        "explicit_deny",
	NoToken:             "no_token",
	InvalidPolicy:       "invalid_policy",
	InvalidPermission:   "invalid_permission",
	StalePolicy:         "stale_policy",
	TenantMismatch:      "tenant_mismatch",
	MFARequired:         "mfa_required",
	OutsideTimeWindow:   "outside_time_window",
	NetworkNotAllowed:   "network_not_allowed",
	DevicePosture:       "device_posture",
	LabelTooLow:         "label_too_low",
	DualControlRequired: "dual_control_required",
	InvalidCondition:    "invalid_condition",
}

// String returns the stable code, such as "no_match".
func (r Reason) String() string {
	if r < reasons {
		return reasonCodes[r]
	}
	return reasonCodes[NoDecision]
}

// MarshalText returns the stable code. It never fails.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// deny is a Decision against, for reason r.
func deny(r Reason) Decision { return Decision{Reason: r} }
