package audit

import "strings"

// kind of a token.
type tokenKind byte

const (
	word     tokenKind = iota // key word or name, lower case
	quoted                    // "name"
	literal                   // string, bit string, dollar quote
	number                    // number or $1
	operator                  // =, <>, ||, …
	mark                      // ( ) [ ] , ; .
	cast                      // ::
)

type token struct {
	kind tokenKind
	text string // names and literals without their quotes
}

func (t token) is(kind tokenKind, text string) bool { return t.kind == kind && t.text == text }

// name reports whether the token may be an identifier.
func (t token) name() bool { return t.kind == word || t.kind == quoted }

// maxExpression bounds what is read, in bytes; policies are a few hundred.
const maxExpression = 1 << 16

// tokenise splits SQL by PostgreSQL's lexical rules (manual, chapter 4.1). ok is false for text that no server produces:
// an open quote or comment, a byte that begins no token, or too much of it.
func tokenise(sql string) (tokens []token, ok bool) {
	if len(sql) > maxExpression {
		return nil, false
	}
	l := lexer{rest: sql}
	for l.space() {
		t, ok := l.next()
		if !ok {
			return nil, false
		}
		tokens = append(tokens, t)
	}
	return tokens, !l.broken
}

type lexer struct {
	rest   string
	broken bool
}

// space skips blanks and comments and reports whether something follows.
func (l *lexer) space() bool {
	for {
		l.rest = strings.TrimLeft(l.rest, " \t\r\n\f\v")
		switch {
		case strings.HasPrefix(l.rest, "--"):
			_, l.rest, _ = strings.Cut(l.rest, "\n")
		case strings.HasPrefix(l.rest, "/*"):
			l.comment()
		default:
			return l.rest != ""
		}
	}
}

// comment skips a block comment; they nest.
func (l *lexer) comment() {
	depth, i := 0, 0
	for i < len(l.rest) {
		switch {
		case strings.HasPrefix(l.rest[i:], "/*"):
			depth, i = depth+1, i+2
		case strings.HasPrefix(l.rest[i:], "*/"):
			depth, i = depth-1, i+2
		default:
			i++
		}
		if depth == 0 {
			l.rest = l.rest[i:]
			return
		}
	}
	l.rest, l.broken = "", true
}

const operators = "+-*/<>=~!@#%^&|`?:"

func (l *lexer) next() (token, bool) {
	c := l.rest[0]
	switch {
	case c == '\'':
		return l.quoted(literal, '\'', false)
	case c == '"':
		return l.quoted(quoted, '"', false)
	case len(l.rest) > 1 && l.rest[1] == '\'' && strings.ContainsRune("eEbBxXnN", rune(c)):
		l.rest = l.rest[1:]
		return l.quoted(literal, '\'', c == 'e' || c == 'E')
	case len(l.rest) > 2 && (c == 'u' || c == 'U') && l.rest[1] == '&' && (l.rest[2] == '\'' || l.rest[2] == '"'):
		return token{}, false // the server writes none; what is escaped in it could be anything
	case strings.HasPrefix(l.rest, "::"):
		l.rest = l.rest[2:]
		return token{cast, "::"}, true
	case letter(c):
		return token{word, strings.ToLower(l.take(func(c byte) bool { return letter(c) || digit(c) || c == '$' }))}, true
	case digit(c), c == '.' && len(l.rest) > 1 && digit(l.rest[1]):
		return l.number(), true
	case c == '$':
		return l.dollar()
	case strings.IndexByte("()[],;.", c) >= 0:
		l.rest = l.rest[1:]
		return token{mark, string(c)}, true
	case strings.IndexByte(operators, c) >= 0:
		return token{operator, l.operator()}, true
	}
	return token{}, false
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
func digit(c byte) bool { return c >= '0' && c <= '9' }

func (l *lexer) take(in func(byte) bool) string {
	i := 0
	for i < len(l.rest) && in(l.rest[i]) {
		i++
	}
	taken := l.rest[:i]
	l.rest = l.rest[i:]
	return taken
}

// operator takes as many operator characters as belong together: a comment or a cast ends them.
func (l *lexer) operator() string {
	i := 1
	for i < len(l.rest) && strings.IndexByte(operators, l.rest[i]) >= 0 && !strings.HasPrefix(l.rest[i:], "--") &&
		!strings.HasPrefix(l.rest[i:], "/*") && !strings.HasPrefix(l.rest[i:], "::") {
		i++
	}
	taken := l.rest[:i]
	l.rest = l.rest[i:]
	return taken
}

func (l *lexer) number() token {
	text := l.take(func(c byte) bool { return digit(c) || letter(c) || c == '.' })
	if c := text[len(text)-1]; (c == 'e' || c == 'E') && l.rest != "" && (l.rest[0] == '-' || l.rest[0] == '+') {
		text += l.rest[:1]
		l.rest = l.rest[1:]
		text += l.take(digit)
	}
	return token{number, text}
}

// quoted takes a quoted text; the quote doubled stands for itself, and so does the character after a backslash in an
// escape string, which is exact enough to find its end.
func (l *lexer) quoted(kind tokenKind, quote byte, escapes bool) (token, bool) {
	var b strings.Builder
	for i := 1; i < len(l.rest); i++ {
		switch c := l.rest[i]; {
		case escapes && c == '\\' && i+1 < len(l.rest):
			i++
			b.WriteByte(l.rest[i])
		case c != quote:
			b.WriteByte(c)
		case i+1 < len(l.rest) && l.rest[i+1] == quote:
			i++
			b.WriteByte(c)
		default:
			l.rest = l.rest[i+1:]
			return token{kind, b.String()}, true
		}
	}
	return token{}, false
}

// dollar takes $1 or $tag$text$tag$.
func (l *lexer) dollar() (token, bool) {
	if len(l.rest) > 1 && digit(l.rest[1]) {
		l.rest = l.rest[1:]
		return token{number, "$" + l.take(digit)}, true
	}
	end := strings.IndexByte(l.rest[1:], '$')
	if end < 0 {
		return token{}, false
	}
	tag := l.rest[:end+2]
	for i := 1; i < len(tag)-1; i++ {
		if !letter(tag[i]) && !digit(tag[i]) {
			return token{}, false
		}
	}
	body, rest, found := strings.Cut(l.rest[len(tag):], tag)
	l.rest = rest
	return token{literal, body}, found
}
