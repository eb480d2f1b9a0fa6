package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// What is wrong with a document.
var (
	ErrSyntax    = errors.New("not one JSON object")        // or not UTF-8, or half a surrogate pair
	ErrDuplicate = errors.New("a name given twice")         // in one object, however it is escaped
	ErrDepth     = errors.New("nested too deeply")          // deeper than Config.MaxDepth
	ErrCount     = errors.New("too many values")            // more than Config.MaxValues
	errType      = errors.New("missing or of another type") // with the name of the field
)

// kind is the first byte of a JSON value: { [ " t f n, and 0 for numbers.
type kind byte

// node is a value of a document. Its text is a part of the parsed bytes, or a buffer of its own where there were escapes.
type node struct {
	kind     kind
	text     []byte // of a string, decoded; of a number, as written
	names    [][]byte
	children []node // of an object, in the order of names; of an array
}

// parser walks bytes that are known to be valid JSON, so nothing is checked twice.
type parser struct {
	data   []byte
	at     int
	depth  int // left
	values int // left
}

// Parse reads one JSON object strictly: UTF-8, no names given twice, nothing behind it, within cfg's MaxBody, MaxDepth and
// MaxValues, which have their defaults if zero. The Object refers to data, which must not change until the Object was wiped.
// Errors are fixed words and repeat nothing.
func Parse(data []byte, cfg Config) (*Object, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(data) > cfg.MaxBody {
		return nil, ErrTooLarge
	}
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, ErrSyntax
	}
	p := &parser{data: data, depth: cfg.MaxDepth, values: cfg.MaxValues}
	root, err := p.value()
	switch {
	case err == nil && root.kind != '{':
		err = ErrSyntax
	case err == nil:
		return &Object{node: root, fault: new(error)}, nil
	}
	root.wipe()
	return nil, err
}

func (p *parser) value() (node, error) {
	p.space()
	if p.values--; p.values < 0 {
		return node{}, ErrCount
	}
	switch c := p.data[p.at]; c {
	case '{', '[':
		if p.depth--; p.depth < 0 {
			return node{}, ErrDepth
		}
		defer func() { p.depth++ }()
		return p.members(kind(c))
	case '"':
		text, err := p.str()
		return node{kind: '"', text: text}, err
	case 't', 'f', 'n':
		p.scalar()
		return node{kind: kind(c)}, nil
	}
	return node{text: p.scalar()}, nil
}

// members reads an object or an array. What was read before an error is returned with it, to be wiped.
func (p *parser) members(k kind) (n node, err error) {
	n.kind = k
	seen := map[string]struct{}{}
	for p.at++; p.more(); {
		if k == '{' {
			name, err := p.str()
			if err != nil {
				return n, err
			}
			if _, twice := seen[string(name)]; twice {
				return n, ErrDuplicate
			}
			seen[string(name)] = struct{}{}
			n.names = append(n.names, name)
			p.space()
			p.at++ // the colon
		}
		child, err := p.value()
		n.children = append(n.children, child)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// more moves to the next member, or behind the closing bracket and reports false.
func (p *parser) more() bool {
	p.space()
	if p.data[p.at] == ',' {
		p.at++
		p.space()
	}
	if c := p.data[p.at]; c == '}' || c == ']' {
		p.at++
		return false
	}
	return true
}

func (p *parser) space() {
	for p.at < len(p.data) && bytes.IndexByte([]byte(" \t\r\n"), p.data[p.at]) >= 0 {
		p.at++
	}
}

// scalar reads a number or a literal.
func (p *parser) scalar() []byte {
	end := len(p.data)
	if n := bytes.IndexAny(p.data[p.at:], ",]} \t\r\n"); n >= 0 {
		end = p.at + n
	}
	text := p.data[p.at:end]
	p.at = end
	return text
}

// str reads a string. Only one with escapes gets a buffer of its own.
func (p *parser) str() ([]byte, error) {
	start := p.at + 1
	for p.at = start; p.data[p.at] != '"'; p.at++ {
		if p.data[p.at] == '\\' {
			p.at++
		}
	}
	text := p.data[start:p.at]
	p.at++
	if bytes.IndexByte(text, '\\') < 0 {
		return text, nil
	}
	return unescape(text)
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func unescape(text []byte) ([]byte, error) {
	out := make([]byte, 0, len(text)) // no escape is shorter than what it stands for
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\':
			out = append(out, text[i])
			continue
		case text[i+1] != 'u':
			out = append(out, escapes[text[i+1]])
			i++
			continue
		}
		r := hexRune(text[i+2:])
		i += 5
		if utf16.IsSurrogate(r) {
			if i+6 >= len(text) || text[i+1] != '\\' || text[i+2] != 'u' {
				clear(out)
				return nil, ErrSyntax
			}
			if r = utf16.DecodeRune(r, hexRune(text[i+3:])); r == utf8.RuneError {
				clear(out)
				return nil, ErrSyntax
			}
			i += 6
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

func hexRune(digits []byte) (r rune) {
	for _, c := range digits[:4] {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c&^0x20 - 'A' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

func (n *node) wipe() {
	clear(n.text)
	for i := range n.children {
		n.children[i].wipe()
	}
}

// Quote appends text to dst as a JSON string. Unlike encoding/json it makes no copies. Bytes that are not UTF-8 are an error.
func Quote(dst, text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return dst, ErrSyntax
	}
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"'), nil
}
