package rls

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// contextTTL bounds the life of a signed context. PostgreSQL compares it with the start of the transaction, so a
// transaction may outlive it; it only has to cover the way to the server and the difference of the two clocks.
const contextTTL = 60 * time.Second

// ContextKey signs contexts. Several may be valid in a database at once, so that they can be rotated: install the new
// one, restart with it, retire the old one.
type ContextKey struct {
	// ID names the key: 1 to 32 of a-z, 0-9, '_' and '-'.
	ID string
	// Key is 32 to 64 random bytes.
	Key []byte
}

// String hides the key.
func (k ContextKey) String() string { return "ContextKey(" + k.ID + ")" }

// GoString hides the key.
func (k ContextKey) GoString() string { return k.String() }

func (k ContextKey) validate() error {
	if err := validKeyID(k.ID); err != nil {
		return err
	}
	if len(k.Key) < 32 || len(k.Key) > sha256.BlockSize {
		return errors.New("rls: context key: must have 32 to 64 bytes")
	}
	return nil
}

func validKeyID(id string) error {
	ok := len(id) >= 1 && len(id) <= 32
	for i := 0; ok && i < len(id); i++ {
		ok = codeByte(id[i]) && id[i] != '.'
	}
	if !ok {
		return errors.New("rls: context key: id must be 1 to 32 of a-z, 0-9, '_', '-'")
	}
	return nil
}

// block derives the secret that authenticates one kind of context: HKDF (RFC 5869) with SHA-512, 64 bytes, which is a
// block of SHA-256. The blocks, not the key, are what the database stores, and a block speaks for one kind and one key id.
func (k ContextKey) block(of kind) ([sha256.BlockSize]byte, error) {
	derived, err := hkdf.Key(sha512.New, k.Key, nil, "tomkit/context/v1/"+string(of)+"/"+k.ID, sha256.BlockSize)
	if err != nil {
		return [sha256.BlockSize]byte{}, fmt.Errorf("rls: context key: derive: %w", err)
	}
	return [sha256.BlockSize]byte(derived), nil
}

// kind says what the id in a context names. Each kind has a block of its own, so a tenant's context is no MSP's.
type kind byte

const (
	kindTenant kind = 't'
	kindMSP    kind = 'm'
)

// A signer makes the value of the setting app.tenant_id.
type signer struct {
	now         func() time.Time
	tenant, msp [sha256.BlockSize]byte
	plain       bool
}

func newSigner(cfg Config) (*signer, error) {
	s := &signer{now: cfg.Now, plain: cfg.UnsignedContextUnsafe}
	if s.plain || len(cfg.ContextKey.Key) == 0 { // the system login signs nothing
		return s, nil
	}
	var err error
	if s.tenant, err = cfg.ContextKey.block(kindTenant); err != nil {
		return nil, err
	}
	s.msp, err = cfg.ContextKey.block(kindMSP)
	return s, err
}

// context returns the setting for one id: a signed context, or the bare id in the plain mode.
func (s *signer) context(k kind, id uuid.UUID) string {
	switch {
	case s.plain && k == kindMSP:
		return "m:" + id.String()
	case s.plain:
		return id.String()
	case k == kindMSP:
		return signed(&s.msp, id, s.now())
	}
	return signed(&s.tenant, id, s.now())
}

// Lengths in a signed context "<mac>.<uuid>.<expiry>". All contexts have one length, and the MAC relies on it.
const (
	macLen     = 2 * sha256.Size
	expiryLen  = 10 // Unix seconds until the year 2286
	messageLen = 1 + 36 + 1 + expiryLen
)

// signed returns "<mac>.<uuid>.<unix expiry>". The MAC is the SHA-256, in hexadecimal, of block and of all that follows the
// MAC: one block of secret, one of message, that is the compression function under a secret state. The migration that
// checks it says why this needs no HMAC.
func signed(block *[sha256.BlockSize]byte, id uuid.UUID, now time.Time) string {
	var hashed [sha256.BlockSize + messageLen]byte
	copy(hashed[:], block[:])
	message := append(hashed[:sha256.BlockSize], '.')
	message = appendUUID(message, id)
	message = append(message, '.')
	message = message[:len(message)+expiryLen]
	expiry := now.Add(contextTTL).Unix()
	for i := len(message) - 1; i >= len(message)-expiryLen; i-- {
		message[i] = '0' + byte(expiry%10)
		expiry /= 10
	}
	sum := sha256.Sum256(message)
	var text [macLen + messageLen]byte
	return string(append(hex.AppendEncode(text[:0], sum[:]), message[sha256.BlockSize:]...))
}

// appendUUID appends the canonical text of id.
func appendUUID(dst []byte, id uuid.UUID) []byte {
	start := 0
	for _, end := range [...]int{4, 6, 8, 10, 16} {
		if start > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[start:end])
		start = end
	}
	return dst
}
