package boot

import (
	"time"

	"github.com/pioneerdesk/tomkit/vault"
)

// Step is a part of a boot.
type Step string

// The steps, in their order. StepPause comes where a boot waits, between tries and before a failure is returned.
const (
	StepAuthenticate Step = "authenticate"
	StepSweep        Step = "sweep"
	StepInstance     Step = "instance"
	StepCreateUser   Step = "create_user"
	StepLogin        Step = "login"
	StepFetch        Step = "fetch"
	StepRevoke       Step = "revoke_token"
	StepDelete       Step = "delete_user"
	StepHandOver     Step = "hand_over"
	StepPause        Step = "pause"
)

// Event says that a step ended, or for StepPause that it begins.
type Event struct {
	Step Step
	Try  int           // from 1
	Took time.Duration // of StepPause: how long it will be
	Err  error         // nil if the step was successful
}

// Version is a secret's name and its version in the Vault.
type Version struct {
	Key    vault.Key
	Number int64
}

// Report says how a boot went.
type Report struct {
	Began    time.Time     // UTC
	Took     time.Duration // until Run returned
	Tries    int
	Versions []Version // of the secrets handed over, in the manifest's order
	Swept    int       // users of dead boots that were deleted
	// TokenUntil is when the token of the last try ends that the Vault does not let it revoke; zero if it is revoked.
	TokenUntil time.Time
	// Leftover is why the user or token of a try could not be removed; nil if none is left.
	Leftover error
}
