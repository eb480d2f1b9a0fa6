package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

const (
	// KeySize is the length in bytes of a key: AES-256.
	KeySize = 32
	// MaxPlaintext is the length in bytes of the longest field sealed.
	MaxPlaintext = 64 << 10

	prefix       = "$enc2$"
	legacyPrefix = "$enc$"
	overhead     = 12 + 16 // nonce and tag
	maxKeyID     = 32
)

var (
	// ErrOpen says that a value does not belong to this key and associated data, or was changed.
	ErrOpen = errors.New("seal: open: refused")
	// ErrFormat says that a value is not in one of the two forms.
	ErrFormat = errors.New("seal: open: not a sealed value")
	// ErrKeyID says that a value was sealed with a key that is not in the ring.
	ErrKeyID = errors.New("seal: open: unknown key id")
	// ErrLegacy says that a value is in the document's old form and Config.ReadLegacy does not allow it.
	ErrLegacy = errors.New("seal: open: legacy form not allowed")
	// ErrAAD says that associated data are missing.
	ErrAAD = errors.New("seal: no associated data")
	// ErrExhausted says that the active key has sealed all the values that random nonces allow; rotate it.
	ErrExhausted = errors.New("seal: key exhausted")
	// ErrTooLarge says that a plaintext is longer than MaxPlaintext.
	ErrTooLarge = errors.New("seal: plaintext too large")

	// Padded, as the document's format has it; strict about trailing bits.
	b64 = base64.StdEncoding.Strict()
)

// Key is an AES-256 key with its id.
type Key struct {
	// ID stands in sealed values: 1–32 characters of [a-z0-9-]. Empty means KeyID(Bytes).
	ID string
	// Bytes is the key, 32 bytes. New copies it into a cipher; the caller may wipe its own.
	Bytes []byte
}

// KeyID derives an id from a key: the first 8 hex digits of a tagged SHA-256. It reveals nothing useful of a random key.
func KeyID(key []byte) string {
	sum := sha256.Sum256(append([]byte("tomkit/seal/key-id/v1\x00"), key...))
	return hex.EncodeToString(sum[:4])
}

// Config describes a Ring.
type Config struct {
	// Active seals, and opens what it sealed. Required.
	Active Key
	// Old open what they sealed.
	Old []Key
	// Warn is called once when this process has sealed 2^31 values with the active key, half of what random nonces allow;
	// Seal fails with ErrExhausted at 2^32. Other processes with the same key count for themselves: rotate early. It must
	// not block. Nil means nobody is told.
	Warn func(keyID string)
	// ReadLegacy allows Open to read $enc$ values, with any key of the ring. Such values are bound to no row; allow it
	// only until they are resealed.
	ReadLegacy bool
}

// Ring seals and opens fields. It is safe for concurrent use and prints no keys.
type Ring struct {
	active     string
	ids        []string // active first
	key        func(id string) (key, bool)
	sealed     *atomic.Uint64 // values sealed with the active key
	warn       func(keyID string)
	readLegacy bool
}

// key is what a ring keeps of a Key.
type key struct {
	aead   cipher.AEAD // draws its own nonces
	secret []byte      // input of the keys of streams
}

// Values that one key may seal under random nonces: 2^32 of 96 bits collide with a chance of 2^-33 (NIST SP 800-38D section
// 8.3). The warning comes at half of it.
var nonceBudget uint64 = 1 << 32

// New returns a Ring, or an error naming the key id that makes no sense.
func New(cfg Config) (*Ring, error) {
	keys := make(map[string]key)
	var ids []string
	for _, k := range append([]Key{cfg.Active}, cfg.Old...) {
		if len(k.Bytes) != KeySize || bytes.Equal(k.Bytes, make([]byte, KeySize)) {
			return nil, fmt.Errorf("seal: new: key %q is not %d bytes long, or all zero", k.ID, KeySize)
		}
		if k.ID == "" {
			k.ID = KeyID(k.Bytes)
		}
		if !validID(k.ID) {
			return nil, errors.New("seal: new: key id is not 1-32 characters of [a-z0-9-]")
		}
		if _, twice := keys[k.ID]; twice {
			return nil, fmt.Errorf("seal: new: key id %q given twice", k.ID)
		}
		block, err := aes.NewCipher(k.Bytes)
		if err != nil {
			return nil, fmt.Errorf("seal: new: cipher: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("seal: new: cipher: %w", err)
		}
		keys[k.ID] = key{aead, slices.Clone(k.Bytes)}
		ids = append(ids, k.ID)
	}
	// Behind a function value, where no reflecting printer gets at the expanded keys.
	get := func(id string) (key, bool) { k, ok := keys[id]; return k, ok }
	return &Ring{active: ids[0], ids: ids, key: get, sealed: new(atomic.Uint64), warn: cfg.Warn, readLegacy: cfg.ReadLegacy}, nil
}

// ActiveKeyID returns the id of the key that seals.
func (r *Ring) ActiveKeyID() string { return r.active }

// Seal encrypts plaintext, of up to MaxPlaintext bytes, bound to aad. The result is ASCII of about 4/3 of the length.
func (r *Ring) Seal(plaintext, aad []byte) (string, error) {
	if len(aad) == 0 {
		return "", ErrAAD
	}
	if len(plaintext) > MaxPlaintext {
		return "", ErrTooLarge
	}
	if err := r.spend(); err != nil {
		return "", err
	}
	k, _ := r.key(r.active)
	return prefix + r.active + "$" + b64.EncodeToString(k.aead.Seal(nil, nil, plaintext, aad)), nil
}

// spend takes one nonce from the active key's budget.
func (r *Ring) spend() error {
	n := r.sealed.Add(1)
	if n == nonceBudget/2 && r.warn != nil {
		r.warn(r.active)
	}
	if n > nonceBudget {
		r.sealed.Add(^uint64(0)) // so that it never wraps
		return ErrExhausted
	}
	return nil
}

// Open returns the plaintext of a value that Seal made with the same aad and a key of the ring. Errors: ErrFormat, ErrKeyID,
// ErrLegacy, ErrAAD, ErrOpen. aad is not applied to legacy values, which have none.
func (r *Ring) Open(sealed string, aad []byte) ([]byte, error) {
	if len(aad) == 0 {
		return nil, ErrAAD
	}
	v, err := parse(sealed)
	if err != nil {
		return nil, err
	}
	if v.legacy {
		return r.openLegacy(v.body)
	}
	k, ok := r.key(v.kid)
	if !ok {
		return nil, ErrKeyID
	}
	plaintext, err := k.aead.Open(nil, nil, v.body, aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// openLegacy tries every key, since the old form names none.
func (r *Ring) openLegacy(body []byte) ([]byte, error) {
	if !r.readLegacy {
		return nil, ErrLegacy
	}
	for _, id := range r.ids {
		k, _ := r.key(id)
		if plaintext, err := k.aead.Open(nil, nil, body, nil); err == nil {
			return plaintext, nil
		}
	}
	return nil, ErrOpen
}

// NeedsReseal reports whether stored is anything but a value of the active key: plaintext, legacy, or sealed with an old
// key. It does not open it.
func (r *Ring) NeedsReseal(stored string) bool {
	v, err := parse(stored)
	return err != nil || v.legacy || v.kid != r.active
}

// AAD returns the associated data of a field: purpose ‖ 0x00 ‖ tenant ‖ user. The ids have a fixed length and stand at the
// end, so different fields never have the same associated data. A field of no user has the zero id.
func AAD(purpose string, tenant, user [16]byte) []byte {
	return slices.Concat([]byte(purpose), []byte{0}, tenant[:], user[:])
}

// value is a parsed sealed value.
type value struct {
	legacy bool
	kid    string
	body   []byte // nonce ‖ ciphertext ‖ tag
}

// parse reads the one canonical text of a sealed value.
func parse(s string) (value, error) {
	var v value
	encoded, ok := strings.CutPrefix(s, prefix)
	if ok {
		v.kid, encoded, ok = strings.Cut(encoded, "$")
		ok = ok && validID(v.kid)
	} else {
		encoded, ok = strings.CutPrefix(s, legacyPrefix)
		v.legacy = true
	}
	if !ok || len(encoded) > b64.EncodedLen(MaxPlaintext+overhead) {
		return value{}, ErrFormat
	}
	body, err := b64.DecodeString(encoded)
	// encoding/base64 skips line breaks even in strict mode; the length of the encoding gives them away.
	if err != nil || b64.EncodedLen(len(body)) != len(encoded) || len(body) < overhead {
		return value{}, ErrFormat
	}
	v.body = body
	return v, nil
}

func validID(id string) bool {
	if len(id) < 1 || len(id) > maxKeyID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
