package authn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn/password"
	"github.com/pioneerdesk/tomkit/authn/token"
)

// Passwords hashes and checks passwords; [password.Hasher] implements it.
type Passwords interface {
	// Hash encodes a password with the active profile.
	Hash(ctx context.Context, password string) (string, error)
	// Verify is nil only for the right password, [password.ErrMismatch] for a wrong one; other errors decide nothing.
	Verify(ctx context.Context, stored, given string) (password.Result, error)
	// VerifyDummy does the work of Verify and never succeeds.
	VerifyDummy(ctx context.Context, given string) error
}

// Codes makes TOTP secrets and matches codes; [totp.Verifier] implements it.
type Codes interface {
	NewSecret() ([]byte, error)
	// Match returns the time step code belongs to, later than after; [totp.ErrMismatch] if there is none.
	Match(secret []byte, code string, at time.Time, after int64) (int64, error)
	URI(issuer, account string, secret []byte) (string, error)
}

// Sealer encrypts secrets bound to associated data; vault/seal implements it.
type Sealer interface {
	Seal(plaintext, aad []byte) (string, error)
	Open(sealed string, aad []byte) ([]byte, error)
}

// Tokens signs access tokens of at most 15 minutes (TOM 1.2.3); [token.Issuer] implements it.
type Tokens interface {
	// Issue returns the token and the claims as a verifier will read them.
	Issue(c token.Claims) (string, token.Claims, error)
}

// Limits of the configuration.
const (
	// MaxStepTTL is the longest life of a step token.
	MaxStepTTL = 15 * time.Minute
	// MaxAttempts is the largest attempt budget of a step token. With three valid codes at a time, ten guesses hit one of
	// 10⁶ with a probability of 3·10⁻⁵.
	MaxAttempts = 10

	defaultStepTTL  = 5 * time.Minute // TOM 1.2.1
	defaultAttempts = 5
	defaultIdle     = 30 * time.Minute
	defaultAbsolute = 12 * time.Hour
)

// Config makes a [Flow]. Store, Passwords, Codes, Seal and Tokens are required; everything else has a default.
type Config struct {
	Store     Store
	Passwords Passwords
	Codes     Codes
	Seal      Sealer
	Tokens    Tokens
	// Product is the name an authenticator app shows. Empty means "tomkit".
	Product string
	// StepTTL is the life of a step token. Zero means 5m; negative or more than [MaxStepTTL] is an error.
	StepTTL time.Duration
	// Attempts is how many codes a step token accepts. Zero means 5; negative or more than [MaxAttempts] is an error.
	Attempts int
	// Idle ends a session that was not renewed for this long. Zero means 30m; negative is an error.
	Idle time.Duration
	// Absolute ends a session however busy it is. Zero means 12h; less than Idle is an error.
	Absolute time.Duration
	// Throttle slows down guessing. Zero fields mean their defaults.
	Throttle Throttle
	// Stranger is told of every sign-in at a tenant that does not exist; there is no tenant whose log could hold it.
	// Nil means nobody is told. It must not block.
	Stranger func(ctx context.Context, a StrangerAttempt)
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Flow runs sign-ins. It is safe for concurrent use.
type Flow struct {
	cfg       Config
	strangers strangers
	// nowhere is a tenant that does not exist, looked up where the tenant is unknown.
	nowhere uuid.UUID
}

// New returns a Flow, or an error naming the field of cfg that makes no sense.
func New(cfg Config) (*Flow, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	return &Flow{cfg: cfg, nowhere: uuid.New()}, nil
}

// resolve checks cfg and fills in the defaults.
func (cfg Config) resolve() (Config, error) {
	if cfg.Store == nil || cfg.Passwords == nil || cfg.Codes == nil || cfg.Seal == nil || cfg.Tokens == nil {
		return cfg, errors.New("authn: config: Store, Passwords, Codes, Seal and Tokens are required")
	}
	if cfg.Product == "" {
		cfg.Product = "tomkit"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = defaultAttempts
	}
	if cfg.Attempts < 0 || cfg.Attempts > MaxAttempts {
		return cfg, fmt.Errorf("authn: config: Attempts %d outside 1 to %d", cfg.Attempts, MaxAttempts)
	}
	for _, d := range []struct {
		name string
		at   *time.Duration
		def  time.Duration
	}{{"StepTTL", &cfg.StepTTL, defaultStepTTL}, {"Idle", &cfg.Idle, defaultIdle}, {"Absolute", &cfg.Absolute, defaultAbsolute}} {
		if *d.at == 0 {
			*d.at = d.def
		}
		if *d.at < 0 {
			return cfg, fmt.Errorf("authn: config: %s is negative", d.name)
		}
	}
	if cfg.StepTTL > MaxStepTTL {
		return cfg, fmt.Errorf("authn: config: StepTTL above %s", MaxStepTTL)
	}
	if cfg.Absolute < cfg.Idle {
		return cfg, errors.New("authn: config: Absolute is shorter than Idle")
	}
	var err error
	cfg.Throttle, err = cfg.Throttle.resolve()
	return cfg, err
}

// now is the present in the precision that is stored.
func (f *Flow) now() time.Time { return f.cfg.Now().UTC().Truncate(time.Microsecond) }

// secretPurpose is the purpose part of the associated data of TOTP secrets.
const secretPurpose = "mfa/totp"

// SecretAAD is the associated data a user's TOTP secret is sealed with: purpose ‖ 0x00 ‖ tenant ‖ user. A sealed secret
// does not open in another user's row.
func SecretAAD(tenant, user uuid.UUID) []byte {
	aad := append([]byte(secretPurpose), 0)
	aad = append(aad, tenant[:]...)
	return append(aad, user[:]...)
}

// access signs the access token of s.
func (f *Flow) access(s Session) (Bearer, time.Time, error) {
	text, claims, err := f.cfg.Tokens.Issue(token.Claims{
		Subject: s.User, Tenant: s.Tenant, Session: s.ID, Role: s.Role, Policies: s.Policies, PolicyVersion: s.PolicyVersion,
		Methods: s.AMR, AuthTime: s.AuthTime,
	})
	return Bearer(text), claims.Expires, err
}
