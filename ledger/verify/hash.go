package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// ChainHash returns the chain link of TOM 3.3: SHA-256 over the text
//
//	hex(prev) ‖ action ‖ entityID ‖ narrative ‖ at
//
// with prev as 64 lower-case hexadecimal digits and at in UTC, cut to microseconds, as RFC 3339 with the fraction's
// trailing zeros removed (time.RFC3339Nano). The first entry's prev is zero. Anybody can redo a link with printf and
// sha256sum. The formula neither separates nor covers all fields; the leaf hash does.
func ChainHash(prev [32]byte, action, entityID, narrative string, at time.Time) [32]byte {
	b := make([]byte, 0, 64+len(action)+len(entityID)+len(narrative)+len(time.RFC3339Nano))
	b = hex.AppendEncode(b, prev[:])
	b = append(b, action...)
	b = append(b, entityID...)
	b = append(b, narrative...)
	b = Timestamp(at).AppendFormat(b, time.RFC3339Nano)
	return sha256.Sum256(b)
}

// appendHex appends the lower-case digits of a hash, four bytes at a time; package hex takes three times as long.
func appendHex(b []byte, h *[32]byte) []byte {
	var digits [64]byte
	for i := 0; i < len(h); i += 4 {
		x := uint64(binary.LittleEndian.Uint32(h[i:]))
		x = (x | x<<16) & 0x0000ffff0000ffff // a byte in every two
		x = (x | x<<8) & 0x00ff00ff00ff00ff
		x = (x>>4 | x<<8) & (0x0f * ones) // a half byte in every one, the upper half first
		letters := (x + 6*ones) >> 4 & ones
		binary.LittleEndian.PutUint64(digits[2*i:], x+'0'*ones+letters*('a'-'0'-10))
	}
	return append(b, digits[:]...)
}

// link is ChainHash for a view, with scratch memory.
func (v *view) link(scratch []byte) (sum [32]byte, grown []byte) {
	b := appendHex(scratch[:0], &v.prev)
	b = append(b, v.action...)
	b = append(b, v.entityID...)
	b = append(b, v.narrative...)
	b = appendMicros(b, v.micros)
	return sha256.Sum256(b), b
}

// LeafHash returns the RFC 6962 §2.1 leaf hash of an entry's canonical form: SHA-256(0x00 ‖ canonical).
func LeafHash(canonical []byte) [32]byte {
	// A stack buffer spares the hash.Hash allocation for ordinary entries.
	var buf [2048]byte
	b := append(buf[:0], 0)
	b = append(b, canonical...)
	return sha256.Sum256(b)
}

const personalTag = "tomkit/personal/v1"

// Commitment returns what a log binds in place of a personal value:
//
//	SHA-256("tomkit/personal/v1" ‖ 0x00 ‖ salt ‖ value)
//
// The salt is random, used once, and erased together with the value (Art. 17 GDPR); what stays says nothing about it.
func Commitment(salt [32]byte, value string) [32]byte {
	b := make([]byte, 0, len(personalTag)+1+len(salt)+MaxPersonal)
	b = append(b, personalTag...)
	b = append(b, 0)
	b = append(b, salt[:]...)
	b = append(b, value...)
	return sha256.Sum256(b)
}
