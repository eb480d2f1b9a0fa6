// Package totp verifies time-based one-time passwords (RFC 6238) so that a code works once.
//
// A code is valid for its 30 second step and, unless configured otherwise, for one step on either side (clock drift).
// RFC 6238 section 5.2 forbids accepting a code a second time, so [Verifier.Match] returns the step a code belongs to and
// refuses every step up to the last one used. The caller stores that step with a compare-and-swap in the user's row:
//
//	step, err := v.Match(secret, code, time.Now(), lastStep)
//	if err != nil { … }                       // ErrMismatch, ErrReused
//	// UPDATE … SET last_step = $step WHERE … AND last_step < $step   → no row: somebody used it first, refuse
//
// The same goes for the code that confirms an enrolment.
//
// # Security
//
// All steps of the window are computed and compared in constant time whether or not one has matched. A window of three
// steps makes a guess succeed with 3 in 10^6: the caller must budget attempts per step token and per account. Secrets
// come from the operating system, 20 bytes for SHA-1 (RFC 4226 section 4 R6) and 32 for SHA-256; they are stored sealed
// (see vault/seal). Codes are computed by github.com/pquerna/otp; window and replay rules are this package's own, since
// that library reports neither the matched step nor a reuse.
//
// Sources: RFC 6238, RFC 4226, TOM 1.2.1.
package totp
