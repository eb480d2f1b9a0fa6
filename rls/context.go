package rls

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"strconv"
	"sync"
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
		ok = codeByte(id[i]) && id[i] != '.' // the dot separates the fields of a context
	}
	if !ok {
		return errors.New("rls: context key: id must be 1 to 32 of a-z, 0-9, '_', '-'")
	}
	return nil
}

// pads returns the key's two HMAC blocks (RFC 2104 §2). PostgreSQL has sha256() but no HMAC, so the blocks are what the
// database stores.
func (k ContextKey) pads() (inner, outer []byte) {
	inner, outer = make([]byte, sha256.BlockSize), make([]byte, sha256.BlockSize)
	copy(inner, k.Key)
	copy(outer, k.Key)
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	return inner, outer
}

// kind says what the id in a context names. It is part of what is signed, so a tenant's context is no MSP's.
type kind byte

const (
	kindTenant kind = 't'
	kindMSP    kind = 'm'
)

// A signer makes the value of the setting app.tenant_id.
type signer struct {
	id    string // empty: bare ids
	now   func() time.Time
	macs  sync.Pool // of hash.Hash keyed with the key
	plain bool
}

func newSigner(cfg Config) *signer {
	s := &signer{id: cfg.ContextKey.ID, now: cfg.Now, plain: cfg.UnsignedContextUnsafe}
	key := append([]byte(nil), cfg.ContextKey.Key...)
	s.macs.New = func() any { return hmac.New(sha256.New, key) }
	return s
}

// context returns "1.<kind>.<uuid>.<unix expiry>.<key id>.<hex HMAC-SHA256 of what stands before the last dot>", or the
// bare id in the plain mode.
func (s *signer) context(k kind, id uuid.UUID) string {
	if s.plain {
		if k == kindMSP {
			return "m:" + id.String()
		}
		return id.String()
	}
	buf := make([]byte, 0, 160)
	buf = append(buf, '1', '.', byte(k), '.')
	buf = append(buf, make([]byte, 36)...)
	encodeUUID(buf[4:40], id)
	buf = append(buf, '.')
	buf = strconv.AppendInt(buf, s.now().Add(contextTTL).Unix(), 10)
	buf = append(buf, '.')
	buf = append(buf, s.id...)
	mac := s.macs.Get().(hash.Hash)
	mac.Reset()
	mac.Write(buf)
	var sum [sha256.Size]byte
	mac.Sum(sum[:0])
	s.macs.Put(mac)
	buf = append(buf, '.')
	return string(hex.AppendEncode(buf, sum[:]))
}

func encodeUUID(dst []byte, id uuid.UUID) {
	text, _ := id.MarshalText() // never fails
	copy(dst, text)
}
