package totp

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

const (
	// Period is the length of one time step (RFC 6238 section 5.2 recommends 30 seconds).
	Period = 30 * time.Second
	// Digits is the number of decimal digits of a code.
	Digits = 6
	// MinSecret is the length in bytes of the shortest secret accepted (RFC 4226 section 4 R6: 128 bit).
	MinSecret = 16
	// MaxSecret is the length in bytes of the longest secret accepted.
	MaxSecret = 128
	// Never is the last used step of a factor that has not been used yet.
	Never int64 = -1
)

// Algorithm is the hash function under the HMAC.
type Algorithm int

// The algorithms authenticator apps support. SHA1 is the default because several apps ignore the parameter and always
// use it; HMAC does not depend on collision resistance (RFC 6238 appendix B uses all of them).
const (
	SHA1   Algorithm = iota // HMAC-SHA-1, 20-byte secrets
	SHA256                  // HMAC-SHA-256, 32-byte secrets
)

var (
	// ErrMismatch says that the code does not belong to any step of the window.
	ErrMismatch = errors.New("totp: match: wrong code")
	// ErrReused says that the code is right but its step is not after the last one used. It wraps ErrMismatch: users
	// get the same answer, audit may tell the difference.
	ErrReused = fmt.Errorf("%w: step already used", ErrMismatch)
	// ErrSecret says that the secret's length is outside [MinSecret, MaxSecret].
	ErrSecret = errors.New("totp: secret: wrong length")
	// ErrTime says that a time lies before 1970 or is absurdly far away.
	ErrTime = errors.New("totp: time out of range")
)

// Config tunes a Verifier. The zero value is what authenticator apps expect.
type Config struct {
	// Algorithm is the hash function. Zero means SHA1.
	Algorithm Algorithm
	// CurrentStepOnly accepts codes of the current 30 second step alone. False means one step on either side as well.
	CurrentStepOnly bool
}

// Verifier matches codes. It is immutable and safe for concurrent use.
type Verifier struct {
	algorithm otp.Algorithm
	name      string // as in otpauth URIs
	secretLen int    // of new secrets, in bytes
	skew      int64  // steps on either side
}

// New returns a Verifier. It fails for an algorithm that does not exist.
func New(cfg Config) (*Verifier, error) {
	v := &Verifier{skew: 1}
	switch cfg.Algorithm {
	case SHA1:
		v.algorithm, v.name, v.secretLen = otp.AlgorithmSHA1, "SHA1", 20
	case SHA256:
		v.algorithm, v.name, v.secretLen = otp.AlgorithmSHA256, "SHA256", 32
	default:
		return nil, fmt.Errorf("totp: new: unknown algorithm %d", cfg.Algorithm)
	}
	if cfg.CurrentStepOnly {
		v.skew = 0
	}
	return v, nil
}

// NewSecret returns a fresh random secret: 20 bytes for SHA1, 32 for SHA256.
func (v *Verifier) NewSecret() ([]byte, error) {
	secret := make([]byte, v.secretLen)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("totp: new secret: random source: %w", err)
	}
	return secret, nil
}

// Match returns the step that code belongs to, if it lies in the window around t and after the last used step
// (Never for a fresh factor). The caller must store the returned step with a compare-and-swap before it believes the
// code: two requests with the same code both match here.
//
// It returns ErrMismatch for a wrong or ill-formed code (anything but six ASCII digits), ErrReused for a right one
// whose step is spent, ErrSecret and ErrTime for unusable arguments.
func (v *Verifier) Match(secret []byte, code string, t time.Time, after int64) (int64, error) {
	now, err := stepOf(t)
	if err != nil {
		return 0, err
	}
	encoded, err := encode(secret)
	if err != nil {
		return 0, err
	}
	given := []byte(code)
	if !wellFormed(code) {
		given = make([]byte, Digits) // no code equals six zero bytes; the work stays the same
	}
	var matched, spent int
	var step int64
	for s := now - v.skew; s <= now+v.skew; s++ {
		if s < 0 {
			continue
		}
		want, err := v.code(encoded, s)
		if err != nil {
			return 0, err
		}
		equal := subtle.ConstantTimeCompare(given, []byte(want))
		fresh := 0
		if s > after {
			fresh = 1
		}
		// Of two fresh steps with the same code the later one is taken: it spends both.
		if equal&fresh == 1 {
			step = s
		}
		matched |= equal & fresh
		spent |= equal
	}
	switch {
	case matched == 1:
		return step, nil
	case spent == 1:
		return 0, ErrReused
	}
	return 0, ErrMismatch
}

// Code returns the code of t's step, as an authenticator app would show it. It is meant for clients and tests.
func (v *Verifier) Code(secret []byte, t time.Time) (string, error) {
	step, err := stepOf(t)
	if err != nil {
		return "", err
	}
	encoded, err := encode(secret)
	if err != nil {
		return "", err
	}
	return v.code(encoded, step)
}

func (v *Verifier) code(encoded string, step int64) (string, error) {
	code, err := hotp.GenerateCodeCustom(encoded, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: v.algorithm})
	if err != nil {
		return "", errors.New("totp: code: generator failed") // the cause might quote the secret
	}
	return code, nil
}

// stepOf returns the number of whole periods since 1970.
func stepOf(t time.Time) (int64, error) {
	const year9999 = 253402300799
	s := t.Unix()
	if s < 0 || s > year9999 {
		return 0, ErrTime
	}
	return s / int64(Period/time.Second), nil
}

// encode returns secret as the base32 text the generator and the apps expect.
func encode(secret []byte) (string, error) {
	if len(secret) < MinSecret || len(secret) > MaxSecret {
		return "", ErrSecret
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret), nil
}

func wellFormed(code string) bool {
	if len(code) != Digits {
		return false
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}
