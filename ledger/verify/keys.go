package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"golang.org/x/mod/sumdb/note"
)

// Purpose says what a key signs. A key has one.
type Purpose string

// Purposes of a log's keys.
const (
	PurposeCheckpoint Purpose = "checkpoint"         // composite line of checkpoints
	PurposeStock      Purpose = "checkpoint-ed25519" // Ed25519 line of checkpoints, for stock tools and witnesses
	PurposeEntry      Purpose = "entry"              // composite signatures of critical entries
)

// Limits of a key history.
const (
	MaxKeys     = 1024    // keys
	MaxKeysFile = 4 << 20 // bytes of keys.json
)

// Key is one public key of a log and the part of the log it signs.
type Key struct {
	Purpose   Purpose
	Composite *sign.CompositePublicKey // for PurposeCheckpoint and PurposeEntry
	Ed25519   *sign.Ed25519PublicKey   // for PurposeStock
	// From is the first position the key is valid at: the seq of an entry, the size of a checkpoint.
	From uint64
	// Until is the first position the key is no longer valid at. Zero means it is still valid.
	Until uint64
	// Compromised says that the key got into wrong hands. What it signed where it was valid still counts, since later
	// checkpoints bind it; a report shows it.
	Compromised bool
}

// ID returns the key's id.
func (k *Key) ID() sign.KeyID {
	if k.Composite != nil {
		return k.Composite.ID()
	}
	return k.Ed25519.ID()
}

// Algorithm returns the key's algorithm name.
func (k *Key) Algorithm() string {
	if k.Composite != nil {
		return sign.CompositeName
	}
	return sign.Ed25519Name
}

// public returns the bytes of the public key.
func (k *Key) public() []byte {
	if k.Composite != nil {
		return k.Composite.Bytes()
	}
	return k.Ed25519.Bytes()
}

// ValidAt reports whether the key may sign at a position.
func (k *Key) ValidAt(position uint64) bool {
	return position >= k.From && (k.Until == 0 || position < k.Until)
}

func (k *Key) check() error {
	switch {
	case k.Purpose == PurposeStock && k.Ed25519 != nil && k.Composite == nil:
	case (k.Purpose == PurposeCheckpoint || k.Purpose == PurposeEntry) && k.Composite != nil && k.Ed25519 == nil:
	default:
		return malformed("keys", "unknown purpose, or not the purpose's algorithm")
	}
	if k.Until != 0 && k.Until <= k.From || k.From > math.MaxInt64 || k.Until > math.MaxInt64 {
		return malformed("keys", "key valid nowhere")
	}
	return nil
}

// KeyHistory is all keys a log ever had, under the log's newest origin. Whoever pins one obtains it by another way than the export it judges.
type KeyHistory struct {
	Origin string
	Keys   []Key
}

const keysFormat = "tomkit-keys/v1"

type keysFile struct {
	Format string    `json:"format"`
	Origin string    `json:"origin"`
	Keys   []keyFile `json:"keys"`
}

// keyFile has pointers where a member that is missing differs from its zero value.
type keyFile struct {
	ID          sign.KeyID  `json:"id"`
	Purpose     Purpose     `json:"purpose"`
	Algorithm   string      `json:"algorithm"`
	Public      base64Bytes `json:"public"`
	From        *uint64     `json:"from"`
	Until       *uint64     `json:"until,omitempty"`
	Compromised *bool       `json:"compromised,omitempty"`
}

// base64Bytes are bytes in base64 without line breaks and stray bits, which package json would let pass.
type base64Bytes []byte

// MarshalText returns the base64.
func (b base64Bytes) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText decodes base64 that is exactly what MarshalText returns.
func (b *base64Bytes) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || base64.StdEncoding.EncodedLen(len(raw)) != len(text) {
		return malformed("base64", "not in its only form")
	}
	*b = raw
	return nil
}

// ParseKeys parses keys.json. It refuses unknown members, unknown algorithms, ids that do not match their key, and a
// key that appears twice or under two purposes.
func ParseKeys(text []byte) (*KeyHistory, error) {
	if len(text) > MaxKeysFile {
		return nil, tooLarge("keys", len(text), MaxKeysFile)
	}
	var f keysFile
	if err := strictJSON(text, &f); err != nil || f.Format != keysFormat {
		return nil, malformed("keys", "not a "+keysFormat+" document")
	}
	h := &KeyHistory{Origin: f.Origin, Keys: make([]Key, 0, min(len(f.Keys), MaxKeys))}
	for _, kf := range f.Keys {
		k, err := kf.key()
		if err != nil {
			return nil, err
		}
		h.Keys = append(h.Keys, k)
	}
	return h, h.check()
}

func (f *keyFile) key() (Key, error) {
	if f.From == nil || f.Until != nil && *f.Until == 0 || f.Compromised != nil && !*f.Compromised {
		return Key{}, malformed("keys", "a member that is missing, or has no effect")
	}
	k := Key{Purpose: f.Purpose, From: *f.From, Compromised: f.Compromised != nil}
	if f.Until != nil {
		k.Until = *f.Until
	}
	var err error
	switch f.Algorithm {
	case sign.CompositeName:
		k.Composite, err = sign.ParseCompositePublicKey(f.Public)
	case sign.Ed25519Name:
		k.Ed25519, err = sign.ParseEd25519PublicKey(f.Public)
	default:
		return k, malformed("keys", "unknown algorithm")
	}
	if err != nil {
		return k, malformed("keys", "not a public key of its algorithm")
	}
	if k.ID() != f.ID {
		return k, malformed("keys", "id does not belong to the key")
	}
	return k, nil
}

func (h *KeyHistory) check() error {
	if _, _, _, err := ParseOrigin(h.Origin); err != nil {
		return err
	}
	if len(h.Keys) > MaxKeys {
		return malformed("keys", "too many keys")
	}
	seen := map[sign.KeyID]bool{}
	for i := range h.Keys {
		k := &h.Keys[i]
		if err := k.check(); err != nil {
			return err
		}
		if seen[k.ID()] {
			return malformed("keys", "a key appears twice")
		}
		seen[k.ID()] = true
	}
	return nil
}

// Marshal returns keys.json, or an error for a history that ParseKeys would refuse.
func (h *KeyHistory) Marshal() ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	f := keysFile{Format: keysFormat, Origin: h.Origin, Keys: []keyFile{}}
	for i := range h.Keys {
		k := &h.Keys[i]
		kf := keyFile{ID: k.ID(), Purpose: k.Purpose, Algorithm: k.Algorithm(), Public: k.public(), From: &k.From}
		if k.Until != 0 {
			kf.Until = &k.Until
		}
		if k.Compromised {
			kf.Compromised = &k.Compromised
		}
		f.Keys = append(f.Keys, kf)
	}
	text, err := json.MarshalIndent(f, "", "  ")
	return append(text, '\n'), err
}

// noteVerifiers returns the verifiers of the checkpoint keys valid at a size, for notes of an origin of the log.
func (h *KeyHistory) noteVerifiers(origin string, size uint64) ([]note.Verifier, purposeOf, error) {
	var list []note.Verifier
	purposes := purposeOf{}
	for i := range h.Keys {
		k := &h.Keys[i]
		if k.Purpose == PurposeEntry || !k.ValidAt(size) {
			continue
		}
		var v note.Verifier
		var err error
		if k.Composite != nil {
			v, err = k.Composite.NoteVerifier(origin)
		} else {
			v, err = k.Ed25519.NoteVerifier(origin)
		}
		if err != nil {
			return nil, nil, malformed("keys", "origin is not a note key name")
		}
		list = append(list, v)
		purposes[v.KeyHash()] = k.Purpose
	}
	return list, purposes, nil
}

// strictJSON decodes one JSON document that has only known members, each at most once and under its exact name, and nothing
// after it. Package json alone takes the last of several members and names in other letters, so that two readers could
// understand one document differently.
func strictJSON(text []byte, into any) error {
	if err := exactNames(json.NewDecoder(bytes.NewReader(text))); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return ErrMalformed
	}
	return nil
}

// exactNames walks one value and refuses objects with a name twice, or with one that is not [a-z0-9_].
func exactNames(d *json.Decoder) error {
	type object struct {
		names map[string]bool // nil for an array
		name  bool            // a name comes next
	}
	var open []object
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		top := len(open) - 1
		if name, ok := token.(string); ok && top >= 0 && open[top].name {
			if !nameOK(name, maxReason) || open[top].names[name] {
				return ErrMalformed
			}
			open[top].names[name], open[top].name = true, false
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, object{names: map[string]bool{}, name: true})
		case json.Delim('['):
			open = append(open, object{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
		}
		if top = len(open) - 1; top < 0 {
			return nil
		}
		if token != json.Delim('{') {
			open[top].name = open[top].names != nil
		}
	}
}
