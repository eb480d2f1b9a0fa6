package password

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Bounds of what a stored string may order. They are wide enough for every profile in common use and narrow enough that
// a hostile row cannot exhaust the machine; memory is also held to the budget.
const (
	maxMemory  = 1 << 20 // KiB: 1 GiB
	maxTime    = 16
	maxLanes   = 32
	minSalt    = 8 // RFC 9106 section 3.1
	maxSalt    = 64
	minTag     = 16
	maxTag     = 64
	phcPrefix  = "$argon2id$"
	phcVersion = "v=19" // 0x13, the only version x/crypto computes
)

var b64 = base64.RawStdEncoding.Strict()

// phc is a parsed Argon2id PHC string.
type phc struct {
	params
	pepper string // id, or empty
	salt   []byte
	tag    []byte
}

func (h phc) String() string {
	var s strings.Builder
	s.WriteString(phcPrefix + phcVersion + "$m=")
	s.WriteString(strconv.FormatUint(uint64(h.memory), 10))
	s.WriteString(",t=")
	s.WriteString(strconv.FormatUint(uint64(h.time), 10))
	s.WriteString(",p=")
	s.WriteString(strconv.FormatUint(uint64(h.lanes), 10))
	if h.pepper != "" {
		s.WriteString(",keyid=")
		s.WriteString(b64.EncodeToString([]byte(h.pepper)))
	}
	s.WriteString("$" + b64.EncodeToString(h.salt) + "$" + b64.EncodeToString(h.tag))
	return s.String()
}

// parsePHC reads the one canonical form: String of its result is s again.
func parsePHC(s string) (phc, bool) {
	var h phc
	if len(s) > MaxStored {
		return h, false
	}
	rest, ok := strings.CutPrefix(s, phcPrefix+phcVersion+"$")
	if !ok {
		return h, false
	}
	costs, rest, ok1 := strings.Cut(rest, "$")
	salt, tag, ok2 := strings.Cut(rest, "$")
	if !ok1 || !ok2 || !h.parseCosts(costs) {
		return h, false
	}
	h.salt, ok1 = decode(salt, minSalt, maxSalt)
	h.tag, ok2 = decode(tag, minTag, maxTag)
	return h, ok1 && ok2
}

// parseCosts reads "m=…,t=…,p=…[,keyid=…]", in this order.
func (h *phc) parseCosts(s string) bool {
	m, s, ok1 := strings.Cut(s, ",")
	t, s, ok2 := strings.Cut(s, ",")
	p, keyid, peppered := strings.Cut(s, ",")
	if !ok1 || !ok2 {
		return false
	}
	memory, ok1 := number(m, "m=", maxMemory)
	time, ok2 := number(t, "t=", maxTime)
	lanes, ok3 := number(p, "p=", maxLanes)
	if !ok1 || !ok2 || !ok3 || memory < 8*lanes { // RFC 9106 section 3.1
		return false
	}
	h.params = params{memory: memory, time: time, lanes: uint8(lanes)}
	if !peppered {
		return true
	}
	encoded, ok := strings.CutPrefix(keyid, "keyid=")
	if !ok {
		return false
	}
	id, ok := decode(encoded, 1, 8)
	h.pepper = string(id)
	return ok && validPepperID(h.pepper)
}

// number reads name followed by a decimal from 1 to limit without leading zeros.
func number(s, name string, limit uint32) (uint32, bool) {
	digits, ok := strings.CutPrefix(s, name)
	if !ok || len(digits) == 0 || len(digits) > 10 || digits[0] == '0' {
		return 0, false
	}
	var n uint64
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if n > uint64(limit) {
		return 0, false
	}
	return uint32(n), true
}

// decode reads canonical unpadded base64 of lo to hi bytes.
func decode(s string, lo, hi int) ([]byte, bool) {
	n := b64.DecodedLen(len(s))
	if n < lo || n > hi {
		return nil, false
	}
	out := make([]byte, n)
	// encoding/base64 skips line breaks even in strict mode; the number of decoded bytes gives them away.
	got, err := b64.Decode(out, []byte(s))
	return out, err == nil && got == n
}
