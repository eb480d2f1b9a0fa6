package vault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Key is the name of a secret.
type Key string

// The names of tomkit's secrets.
const (
	MFAKey        Key = "MFA_ENCRYPTION_KEY" // seals TOTP secrets, AES-256
	JWTSeed       Key = "JWT_ED25519_SEED"   // signs access tokens
	LedgerKEK     Key = "LEDGER_KEK"         // seals the tenants' ledger keys, AES-256
	ContextMACKey Key = "CONTEXT_MAC_KEY"    // authenticates the tenant context given to the database

	PasswordPepper Key = "PASSWORD_PEPPER" // optional: keyed step before Argon2id

	DatabaseAppPassword      Key = "DATABASE_APP_PASSWORD"      // login tomkit_app
	DatabaseMSPPassword      Key = "DATABASE_MSP_PASSWORD"      // login tomkit_msp
	DatabaseSystemPassword   Key = "DATABASE_SYSTEM_PASSWORD"   // login tomkit_system
	DatabaseMigratorPassword Key = "DATABASE_MIGRATOR_PASSWORD" // login tomkit_migrator
	DatabaseBackupPassword   Key = "DATABASE_BACKUP_PASSWORD"   // login tomkit_backup
	RedisPassword            Key = "REDIS_PASSWORD"             // optional
	StackitLLMToken          Key = "STACKIT_LLM_TOKEN"          // optional
)

// valid reports whether k is 1–128 characters of [A-Za-z0-9_./-]: safe in error texts, paths and files.
func (k Key) valid() bool {
	for i := range len(k) {
		c := k[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("_./-", rune(c)) {
			return false
		}
	}
	return len(k) >= 1 && len(k) <= 128
}

// Format is the form in which a source keeps a secret.
type Format int

const (
	// Key256 is 32 random bytes, kept as standard base64 with padding (44 characters). All zero bytes are refused.
	Key256 Format = iota
	// Text is 1 to 4,096 bytes of printable ASCII without spaces at its ends: a password or a token.
	Text
)

const (
	keySize = 32
	maxText = 4096 // bytes
)

// Requirement is one line of a Manifest.
type Requirement struct {
	Key      Key    // its name; in a manifest once
	Format   Format // the form it is kept in
	Optional bool   // may be absent; if present it must be well-formed all the same
}

// Manifest lists the secrets a program needs. It is the whole list: nothing else is fetched.
type Manifest []Requirement

// DefaultManifest returns tomkit's own secrets. Credentials of databases and services are optional, since these may be
// reached without a password (a private socket, client certificates); a program that needs one says so with [Manifest.Require].
func DefaultManifest() Manifest {
	return Manifest{
		{Key: MFAKey}, {Key: JWTSeed}, {Key: LedgerKEK}, {Key: ContextMACKey},
		{Key: PasswordPepper, Optional: true},
		{Key: DatabaseAppPassword, Format: Text, Optional: true},
		{Key: DatabaseMSPPassword, Format: Text, Optional: true},
		{Key: DatabaseSystemPassword, Format: Text, Optional: true},
		{Key: DatabaseMigratorPassword, Format: Text, Optional: true},
		{Key: DatabaseBackupPassword, Format: Text, Optional: true},
		{Key: RedisPassword, Format: Text, Optional: true},
		{Key: StackitLLMToken, Format: Text, Optional: true},
	}
}

// Require returns a copy of m in which the named secrets are not optional. A name that m does not have is added as Text.
func (m Manifest) Require(keys ...Key) Manifest {
	out := slices.Clone(m)
	for _, k := range keys {
		i := slices.IndexFunc(out, func(r Requirement) bool { return r.Key == k })
		if i < 0 {
			out = append(out, Requirement{Key: k, Format: Text})
			continue
		}
		out[i].Optional = false
	}
	return out
}

// Keys returns the names in m, in order.
func (m Manifest) Keys() []Key {
	keys := make([]Key, len(m))
	for i, r := range m {
		keys[i] = r.Key
	}
	return keys
}

// check refuses a manifest with unusable or repeated names or unknown formats.
func (m Manifest) check() error {
	seen := make(map[Key]bool, len(m))
	for _, r := range m {
		if !r.Key.valid() || seen[r.Key] || r.Format != Key256 && r.Format != Text {
			return fmt.Errorf("vault: manifest: key %q is no name, repeated or of no known format", r.Key)
		}
		seen[r.Key] = true
	}
	return nil
}

// ErrIncomplete is matched by every ManifestError.
var ErrIncomplete = errors.New("vault: secrets incomplete")

// ManifestError says which secrets cannot be used. It holds names only.
type ManifestError struct {
	Missing   []Key // not in the source
	Empty     []Key // in the source without a value
	Malformed []Key // of the wrong length or form
}

// Error implements error with the names of the keys.
func (e *ManifestError) Error() string {
	var b strings.Builder
	b.WriteString("vault: load:")
	part := func(what string, keys []Key) {
		for i, k := range keys {
			if i == 0 {
				b.WriteString(" " + what)
			}
			b.WriteString(" " + string(k))
		}
	}
	part("missing", e.Missing)
	part("empty", e.Empty)
	part("malformed", e.Malformed)
	return b.String()
}

// Is reports whether target is ErrIncomplete.
func (e *ManifestError) Is(target error) bool { return target == ErrIncomplete }

// Load fetches the secrets of m from src and decodes them: a Key256 becomes its 32 bytes. What the source sent is wiped, what
// is kept is guarded ([NewGuardedSecret]).
// If a secret is missing, empty or malformed the error is a ManifestError that names all of them, and nothing is kept.
func (m Manifest) Load(ctx context.Context, src Source) (*Snapshot, error) {
	if src == nil {
		return nil, errors.New("vault: load: no source")
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	raw, err := src.Fetch(ctx, m.Keys())
	if err != nil {
		return nil, fmt.Errorf("vault: load: fetch: %w", err)
	}
	defer raw.Wipe()
	out := NewSnapshot(nil)
	var bad ManifestError
	for _, r := range m {
		s, ok := raw.Secret(r.Key)
		switch {
		case !ok && !r.Optional:
			bad.Missing = append(bad.Missing, r.Key)
		case !ok:
		case s.Len() == 0:
			bad.Empty = append(bad.Empty, r.Key)
		default:
			var decoded Secret
			erased(func() { decoded, ok = r.Format.decode(s) })
			if !ok {
				bad.Malformed = append(bad.Malformed, r.Key)
				continue
			}
			out.secrets[r.Key] = decoded
		}
	}
	if len(bad.Missing)+len(bad.Empty)+len(bad.Malformed) > 0 {
		out.Wipe()
		return nil, &bad
	}
	return out, nil
}

// decode turns the form kept in a source into the bytes a program uses.
func (f Format) decode(s Secret) (Secret, bool) {
	raw := s.Reveal()
	defer clear(raw)
	if f == Text {
		if len(raw) < 1 || len(raw) > maxText || raw[0] == ' ' || raw[len(raw)-1] == ' ' {
			return Secret{}, false
		}
		for _, c := range raw {
			if c < 0x20 || c > 0x7e {
				return Secret{}, false
			}
		}
		return NewGuardedSecret(raw), true
	}
	enc := base64.StdEncoding.Strict()
	if len(raw) != enc.EncodedLen(keySize) {
		return Secret{}, false
	}
	key := make([]byte, enc.DecodedLen(len(raw)))
	defer clear(key)
	n, err := enc.Decode(key, raw)
	if err != nil || n != keySize || allZero(key[:n]) {
		return Secret{}, false
	}
	return NewGuardedSecret(key[:n]), true
}

func allZero(b []byte) bool {
	var or byte
	for _, c := range b {
		or |= c
	}
	return or == 0
}
