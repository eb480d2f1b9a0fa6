package legacy

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// MaxLine is the number of bytes a line may have, without its newline.
const MaxLine = 512 << 10

// members are the document's fields.
var members = [...]string{"id", "tenant_id", "user_id", "action", "entity_type", "entity_id", "details", "nis2_narrative",
	"previous_hash", "current_hash", "dilithium_signature", "created_at"}

// line is an entry as the chain holds it.
type line struct {
	entry     verify.Entry // without seq
	signature []byte       // nil if unsigned
	fit       fit
	reason    string // why details were kept as text
}

// parseLine parses one line, strictly.
func parseLine(text []byte) (*line, error) {
	if !utf8.Valid(text) {
		return nil, malformed("not UTF-8")
	}
	raw, err := object(text)
	if err != nil {
		return nil, err
	}
	l := &line{entry: verify.Entry{Scheme: verify.SchemePlain}}
	e := &l.entry
	p := parser{raw: raw}
	e.ID = p.uuid("id")
	e.Tenant = p.uuid("tenant_id")
	if !p.null("user_id") {
		user := p.uuid("user_id")
		e.User = &user
	}
	e.Action = p.text("action")
	e.EntityType = p.optional("entity_type")
	e.EntityID = p.optional("entity_id")
	e.Narrative = p.optional("nis2_narrative")
	e.PreviousHash = p.hash("previous_hash")
	e.CurrentHash = p.hash("current_hash")
	e.CreatedAt = p.time("created_at")
	l.signature = p.signature("dilithium_signature")
	if p.err != nil {
		return nil, p.err
	}
	e.Details, l.fit, l.reason, err = canonicalDetails(raw["details"])
	return l, err
}

// object splits a line into its members, which must be those of the document, each once.
func object(text []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, malformed("not a JSON object")
	}
	raw := make(map[string]json.RawMessage, len(members))
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, malformed("not a JSON object")
		}
		if !known(name) {
			return nil, malformed("an unknown member")
		}
		if _, twice := raw[name]; twice {
			return nil, malformed("member " + name + " twice")
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, malformed("member " + name + " is not JSON")
		}
		raw[name] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, malformed("not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, malformed("bytes behind the object")
	}
	for _, name := range members {
		if _, there := raw[name]; !there {
			return nil, malformed("member " + name + " is missing")
		}
	}
	return raw, nil
}

func known(name string) bool {
	for _, m := range members {
		if m == name {
			return true
		}
	}
	return false
}

// parser reads members; err is its first error, after which what it returns means nothing.
type parser struct {
	raw map[string]json.RawMessage
	err error
}

func (p *parser) fail(name, want string) {
	if p.err == nil {
		p.err = malformed("member " + name + " is not " + want)
	}
}

func (p *parser) null(name string) bool { return string(p.raw[name]) == "null" }

func (p *parser) text(name string) (s string) {
	if p.null(name) || json.Unmarshal(p.raw[name], &s) != nil || loneSurrogate(p.raw[name]) {
		p.fail(name, "a text")
	}
	return s
}

func (p *parser) optional(name string) string {
	if p.null(name) {
		return ""
	}
	return p.text(name)
}

func (p *parser) uuid(name string) [16]byte {
	s := p.text(name)
	id, err := uuid.Parse(s)
	if err != nil || id.String() != strings.ToLower(s) {
		p.fail(name, "a UUID")
	}
	return id
}

func (p *parser) hash(name string) (h [32]byte) {
	s := p.text(name)
	if n, err := hex.Decode(h[:], []byte(s[:min(len(s), 64)])); err != nil || n != len(h) || hex.EncodeToString(h[:]) != s {
		p.fail(name, "64 lower-case hexadecimal digits")
	}
	return h
}

func (p *parser) time(name string) time.Time {
	s := p.text(name)
	at, err := time.Parse(time.RFC3339Nano, s)
	zone := strings.HasSuffix(s, "Z") || strings.HasSuffix(s, "+00:00")
	if err != nil || !zone || strings.Contains(s, ",") || at.Nanosecond()%1000 != 0 {
		p.fail(name, "RFC 3339 in UTC with at most microseconds")
	}
	return at.UTC()
}

func (p *parser) signature(name string) []byte {
	s := p.optional(name)
	if s == "" {
		return nil
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(sig) != s || len(sig) != sign.Dilithium3SignatureSize {
		p.fail(name, "base64 of "+strconv.Itoa(sign.Dilithium3SignatureSize)+" bytes")
	}
	return sig
}

// loneSurrogate reports whether JSON holds an escaped half of a surrogate pair, which encoding/json would replace silently.
func loneSurrogate(raw []byte) bool {
	code := func(i int) (uint64, bool) {
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
		return n, err == nil
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		n, ok := code(i)
		switch {
		case !ok:
			i++ // a two-character escape
		case n>>10 == 0xd800>>10:
			if low, ok := code(i + 6); !ok || low>>10 != 0xdc00>>10 {
				return true
			}
			i += 11
		case n>>10 == 0xdc00>>10:
			return true
		default:
			i += 5
		}
	}
	return false
}
