package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Kind says what a credential is for. A credential of one kind is never accepted as another.
type Kind string

// The kinds of credential.
const (
	Step    Kind = "step"    // between the first and the second factor of a login
	Refresh Kind = "refresh" // renews an access token
	API     Kind = "api"     // an API key
	Enrol   Kind = "enrol"   // enrols one endpoint
	Device  Kind = "device"  // an enrolled endpoint
)

const (
	prefix      = "tk1_"
	randomBytes = 32
	tenantChars = 22 // unpadded base64url of 16 bytes
	randomChars = 43 // unpadded base64url of 32 bytes
	mark        = "[credential]"
)

// MaxLen is the length in bytes of the longest credential. Longer input is refused unread.
const MaxLen = len(prefix) + len(Refresh) + 1 + tenantChars + 1 + randomChars

var (
	// ErrMalformed says that the text is not a credential in its one canonical form.
	ErrMalformed = errors.New("credential: parse: malformed")
	// ErrKind says that the text is a credential of another kind than the one expected, or that a kind does not exist.
	ErrKind = errors.New("credential: wrong kind")
	// ErrTenant says that the tenant id is nil.
	ErrTenant = errors.New("credential: no tenant")
)

var strict = base64.RawURLEncoding.Strict()

func (k Kind) known() bool {
	switch k {
	case Step, Refresh, API, Enrol, Device:
		return true
	}
	return false
}

// Credential is one opaque credential. It is immutable, safe for concurrent use and cannot be compared with ==;
// compare hashes. The zero value is no credential: its kind is empty, its tenant nil and its text empty.
type Credential struct {
	kind   Kind
	tenant uuid.UUID
	// A function value is opaque to reflection, so no printer that walks unexported fields can reach the bytes.
	random func() [randomBytes]byte
}

func build(kind Kind, tenant uuid.UUID, random [randomBytes]byte) Credential {
	return Credential{kind: kind, tenant: tenant, random: func() [randomBytes]byte { return random }}
}

// New returns a fresh credential of the given kind for tenant, from the operating system's random source.
// It returns ErrKind for an unknown kind and ErrTenant for the nil tenant.
func New(kind Kind, tenant uuid.UUID) (Credential, error) {
	if !kind.known() {
		return Credential{}, ErrKind
	}
	if tenant == uuid.Nil {
		return Credential{}, ErrTenant
	}
	var random [randomBytes]byte
	if _, err := rand.Read(random[:]); err != nil {
		return Credential{}, fmt.Errorf("credential: new: random source: %w", err)
	}
	return build(kind, tenant, random), nil
}

// Parse reads text as a credential of the expected kind. It returns ErrKind for a well-formed credential of another
// kind and ErrMalformed for everything else; neither repeats any of text.
func Parse(expected Kind, text string) (Credential, error) {
	if !expected.known() {
		return Credential{}, ErrKind
	}
	if len(text) > MaxLen {
		return Credential{}, ErrMalformed
	}
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return Credential{}, ErrMalformed
	}
	// The alphabet of base64url contains the separator, so only the kind is found by searching.
	name, rest, ok := strings.Cut(rest, "_")
	if !ok || !Kind(name).known() || len(rest) != tenantChars+1+randomChars || rest[tenantChars] != '_' {
		return Credential{}, ErrMalformed
	}
	var tenant uuid.UUID
	var random [randomBytes]byte
	if !decode(tenant[:], rest[:tenantChars]) || !decode(random[:], rest[tenantChars+1:]) || tenant == uuid.Nil {
		return Credential{}, ErrMalformed
	}
	if Kind(name) != expected {
		return Credential{}, ErrKind
	}
	return build(expected, tenant, random), nil
}

// decode fills dst from s and reports whether s was exactly its canonical encoding.
func decode(dst []byte, s string) bool {
	// encoding/base64 skips line breaks even in strict mode; the number of decoded bytes gives them away.
	n, err := strict.Decode(dst, []byte(s))
	return err == nil && n == len(dst)
}

// Kind returns what the credential is for.
func (c Credential) Kind() Kind { return c.kind }

// Tenant returns the tenant the credential claims to belong to. It is proven only once [Credential.Hash] was found there.
func (c Credential) Tenant() uuid.UUID { return c.tenant }

// Hash returns the SHA-256 of the random part: the form a credential is stored and looked up in.
// For the zero Credential it is the zero array, which no credential hashes to.
func (c Credential) Hash() [sha256.Size]byte {
	if c.random == nil {
		return [sha256.Size]byte{}
	}
	b := c.random()
	return sha256.Sum256(b[:])
}

// Reveal returns the credential's text, to be given to the client once and stored nowhere. It is empty for the zero
// Credential.
func (c Credential) Reveal() string {
	if c.random == nil {
		return ""
	}
	b := c.random()
	return prefix + string(c.kind) + "_" + strict.EncodeToString(c.tenant[:]) + "_" + strict.EncodeToString(b[:])
}
