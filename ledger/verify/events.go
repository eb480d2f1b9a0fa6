package verify

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/pioneerdesk/tomkit/ledger/sign"
)

// Actions of entries in which a log speaks about itself. They are critical, of scheme bound, about entity type
// [LedgerEntity] and the hexadecimal log id.
const (
	RotationAction = "ledger_keys_rotated" // details: Rotation
	RecoveryAction = "ledger_recovered"    // details: Recovery
	ClosingAction  = "ledger_closed"       // details: Closing; no entry follows
)

// LedgerEntity is the entity type of entries in which a log speaks about itself.
const LedgerEntity = "ledger"

// ReasonCompromise is the reason of a rotation after a key got into wrong hands. Such a rotation carries no trust: whoever
// holds the old keys could have written it, so its new keys must be pinned.
const ReasonCompromise = "compromise"

// maxReason bounds the reason of a rotation in bytes.
const maxReason = 64

// Rotation is what the details of an entry with RotationAction say: keys that are valid from the next position on, each in
// the place of the key of its purpose that was valid until then.
type Rotation struct {
	// Reason is a word of [a-z0-9_], such as scheduled or ReasonCompromise.
	Reason string
	// Keys are the new keys, at most one of a purpose. From is the entry's seq + 1; Until and Compromised are not told.
	Keys []Key
	// Compromised are the keys in wrong hands, replaced here or earlier; none unless the reason is ReasonCompromise.
	Compromised []sign.KeyID
}

// Details returns the details to record.
func (r *Rotation) Details() map[string]any {
	keys := make([]any, len(r.Keys))
	for i := range r.Keys {
		k := &r.Keys[i]
		keys[i] = map[string]any{
			"id": k.ID().String(), "purpose": string(k.Purpose), "algorithm": k.Algorithm(),
			"public": base64.StdEncoding.EncodeToString(k.public()), "from": int64(k.From),
		}
	}
	d := map[string]any{"reason": r.Reason, "keys": keys}
	if len(r.Compromised) > 0 {
		ids := make([]any, len(r.Compromised))
		for i, id := range r.Compromised {
			ids[i] = id.String()
		}
		d["compromised"] = ids
	}
	return d
}

// ParseRotation reads the details of an entry with RotationAction. Other members beside its own are ignored. The error
// wraps ErrMalformed.
func ParseRotation(details []byte) (*Rotation, error) {
	m, err := detailMembers(details)
	if err != nil {
		return nil, err
	}
	r := &Rotation{}
	var keys []map[string]json.RawMessage
	if !m.get("reason", &r.Reason) || !m.get("keys", &keys) || !nameOK(r.Reason, maxReason) || len(keys) == 0 || len(keys) > 3 {
		return nil, malformed("rotation", "no reason, or not one to three keys")
	}
	for _, k := range keys {
		key, err := announcedKey(k)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(r.Keys, func(o Key) bool { return o.Purpose == key.Purpose }) {
			return nil, malformed("rotation", "two keys of a purpose")
		}
		r.Keys = append(r.Keys, key)
	}
	if _, there := m["compromised"]; there && (!m.get("compromised", &r.Compromised) || len(r.Compromised) == 0 || len(r.Compromised) > MaxKeys) {
		return nil, malformed("rotation", "compromised is no list of key ids")
	}
	if (r.Reason == ReasonCompromise) != (len(r.Compromised) > 0) {
		return nil, malformed("rotation", "names compromised keys without the reason, or the reason without keys")
	}
	return r, nil
}

func announcedKey(m members) (Key, error) {
	var f keyFile
	var public string
	var from uint64
	ok := len(m) == 5 && m.get("id", &f.ID) && m.get("purpose", &f.Purpose) && m.get("algorithm", &f.Algorithm) &&
		m.get("public", &public) && m.get("from", &from)
	if !ok || f.Public.UnmarshalText([]byte(public)) != nil {
		return Key{}, malformed("rotation", "not a key")
	}
	f.From = &from
	k, err := f.key()
	if err == nil {
		err = k.check()
	}
	return k, err
}

// Recovery is what the details of an entry with RecoveryAction say: a log was restored from a backup that lacks entries
// which something outside remembers. The entry is the first of a new epoch.
type Recovery struct {
	// Epoch is the epoch that begins, greater than any before.
	Epoch uint64
	// LostFrom is the first position that was lost, which is the entry's own; LostUntil the size that is remembered.
	LostFrom, LostUntil uint64
	// WitnessedRoot is the root at size LostUntil that is remembered. Nil means that only the size is.
	WitnessedRoot *[32]byte
	// Approvers are the two different users who decided it.
	Approvers [2][16]byte
}

// Details returns the details to record.
func (r *Recovery) Details() map[string]any {
	d := map[string]any{
		"epoch": int64(r.Epoch), "lost_from": int64(r.LostFrom), "lost_until": int64(r.LostUntil),
		"approvers": []any{uuidText(r.Approvers[0]), uuidText(r.Approvers[1])},
	}
	if r.WitnessedRoot != nil {
		d["witnessed_root"] = hex.EncodeToString(r.WitnessedRoot[:])
	}
	return d
}

// ParseRecovery reads the details of an entry with RecoveryAction. Other members beside its own are ignored. The error
// wraps ErrMalformed.
func ParseRecovery(details []byte) (*Recovery, error) {
	m, err := detailMembers(details)
	if err != nil {
		return nil, err
	}
	r := &Recovery{}
	var approvers []string
	if !m.get("epoch", &r.Epoch) || !m.get("lost_from", &r.LostFrom) || !m.get("lost_until", &r.LostUntil) || !m.get("approvers", &approvers) {
		return nil, malformed("recovery", "lacks a member")
	}
	if r.LostUntil <= r.LostFrom || r.LostUntil > maxSize {
		return nil, malformed("recovery", "no entry was lost")
	}
	if len(approvers) != len(r.Approvers) || approvers[0] == approvers[1] {
		return nil, malformed("recovery", "not two approvers")
	}
	for i, a := range approvers {
		if !parseUUID(r.Approvers[i][:], a) {
			return nil, malformed("recovery", "an approver is no UUID")
		}
	}
	if _, there := m["witnessed_root"]; there {
		var text string
		r.WitnessedRoot = new([32]byte)
		if !m.get("witnessed_root", &text) || len(text) != 64 || !decodeHex(r.WitnessedRoot[:], []byte(text)) {
			return nil, malformed("recovery", "witnessed_root is no hash")
		}
	}
	return r, nil
}

// Closing is what the details of an entry with ClosingAction say.
type Closing struct {
	// Size is the final number of entries, this one counted.
	Size uint64
}

// Details returns the details to record.
func (c *Closing) Details() map[string]any { return map[string]any{"size": int64(c.Size)} }

// ParseClosing reads the details of an entry with ClosingAction. Other members are ignored. The error wraps ErrMalformed.
func ParseClosing(details []byte) (*Closing, error) {
	m, err := detailMembers(details)
	if err != nil {
		return nil, err
	}
	c := &Closing{}
	if !m.get("size", &c.Size) {
		return nil, malformed("closing", "no size")
	}
	return c, nil
}

// members are the members of a JSON object by their exact names; package json alone would take names in other letters.
type members map[string]json.RawMessage

// detailMembers splits details that are canonical.
func detailMembers(details []byte) (members, error) {
	if err := CheckDetails(details); err != nil {
		return nil, err
	}
	var m members
	if json.Unmarshal(details, &m) != nil {
		return nil, malformed("details", "not an object")
	}
	return m, nil
}

// get decodes a member, which must be there.
func (m members) get(name string, to any) bool {
	raw, ok := m[name]
	return ok && json.Unmarshal(raw, to) == nil
}

func nameOK(s string, limit int) bool {
	for i := range len(s) {
		if !nameByte[s[i]] {
			return false
		}
	}
	return s != "" && len(s) <= limit
}

// parseUUID parses the form that uuidText writes.
func parseUUID(dst []byte, s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	return decodeHex(dst, []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:]))
}
