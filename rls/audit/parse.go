package audit

import (
	"slices"
	"strings"
)

// nodeKind says what a node is.
type nodeKind byte

const (
	nodeOther  nodeKind = iota // anything else; args holds every part that could be read
	nodeConst                  // text is the literal
	nodeColumn                 // text is the last part of the name, table what stands before it
	nodeValue                  // session_user, current_user, …
	nodeCall                   // text is the function's name, qualified unless of pg_catalog
	nodeOp                     // text is the operator, one or two args
	nodeAny                    // text is the operator; args[0] op ANY (args[1])
	nodeAnd
	nodeOr
	nodeNot
	nodeCast   // text is the type
	nodeSelect // scalar subquery: args[0] is what it selects, the rest calls found elsewhere in it; tokens is set if it has a FROM
)

// node is one part of an expression as pg_get_expr writes it: with parentheses around every operation.
type node struct {
	kind   nodeKind
	text   string
	table  string
	args   []*node
	tokens []token
}

// walk calls visit for n and everything below until visit returns false.
func (n *node) walk(visit func(*node) bool) bool {
	if !visit(n) {
		return false
	}
	for _, a := range n.args {
		if !a.walk(visit) {
			return false
		}
	}
	return true
}

// has reports whether n or something below satisfies is.
func (n *node) has(is func(*node) bool) bool { return !n.walk(func(n *node) bool { return !is(n) }) }

// maxDepth bounds the recursion of the parser and maxParts the number of parts it reads, some of them more than once.
const (
	maxDepth = 100
	maxParts = 20000
)

type parser struct {
	tokens []token
	pos    int
	depth  int
	parts  *int // left to read, shared with the parsers of subqueries
}

// inner returns a parser for a part of the same expression.
func (p *parser) inner(tokens []token, pos int) *parser {
	return &parser{tokens: tokens, pos: pos, depth: p.depth, parts: p.parts}
}

// parse reads an expression. It never fails: what it does not know becomes a nodeOther, which no rule takes for a condition.
func parse(sql string) *node {
	tokens, ok := tokenise(sql)
	if !ok {
		return &node{kind: nodeOther}
	}
	p := newParser(tokens)
	n := p.or()
	if p.pos < len(p.tokens) {
		return &node{kind: nodeOther, args: append([]*node{n}, p.calls(p.tokens[p.pos:])...)}
	}
	return n
}

func newParser(tokens []token) *parser {
	parts := maxParts
	return &parser{tokens: tokens, parts: &parts}
}

func (p *parser) peek() token {
	if p.pos < len(p.tokens) {
		return p.tokens[p.pos]
	}
	return token{kind: mark}
}

// accept moves on if the next token is that word or mark.
func (p *parser) accept(kind tokenKind, text string) bool {
	if p.peek().is(kind, text) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) or() *node  { return p.list(nodeOr, "or", p.and) }
func (p *parser) and() *node { return p.list(nodeAnd, "and", p.not) }

func (p *parser) list(kind nodeKind, separator string, part func() *node) *node {
	first := part()
	if !p.peek().is(word, separator) {
		return first
	}
	n := &node{kind: kind, args: []*node{first}}
	for p.accept(word, separator) {
		n.args = append(n.args, part())
	}
	return n
}

func (p *parser) not() *node {
	if p.accept(word, "not") {
		p.depth++
		defer func() { p.depth-- }()
		if p.depth > maxDepth {
			return p.skip()
		}
		return &node{kind: nodeNot, args: []*node{p.not()}}
	}
	return p.comparison()
}

// comparison reads operators from left to right. PostgreSQL's precedence does not matter where everything is parenthesised.
func (p *parser) comparison() *node {
	left := p.postfix()
	for {
		switch {
		case p.peek().kind == operator:
			op := p.peek().text
			p.pos++
			left = p.right(op, left)
		case p.accept(word, "operator"):
			left = p.right(p.qualifiedOperator(), left)
		case p.accept(word, "is"):
			left = p.is(left)
		case p.accept(word, "in"):
			left = &node{kind: nodeAny, text: "=", args: []*node{left, p.primary()}}
		case p.accept(word, "collate"):
			p.path()
		default:
			return left
		}
	}
}

func (p *parser) right(op string, left *node) *node {
	if w := p.peek(); w.is(word, "any") || w.is(word, "some") {
		p.pos++
		return &node{kind: nodeAny, text: op, args: []*node{left, p.primary()}}
	}
	if p.accept(word, "all") {
		return &node{kind: nodeOther, args: []*node{left, p.primary()}}
	}
	return &node{kind: nodeOp, text: op, args: []*node{left, p.postfix()}}
}

// qualifiedOperator reads (schema.=). Only those of pg_catalog mean what they look like.
func (p *parser) qualifiedOperator() string {
	p.accept(mark, "(")
	path := p.path()
	op := p.peek().text
	p.pos++
	p.accept(mark, ")")
	if len(path) == 1 && path[0] == "pg_catalog" {
		return op
	}
	return strings.Join(path, ".") + "." + op
}

// is reads IS [NOT] NULL, TRUE, FALSE, UNKNOWN, DISTINCT FROM x.
func (p *parser) is(left *node) *node {
	op := "is"
	for w := p.peek(); w.kind == word && slices.Contains([]string{"not", "null", "true", "false", "unknown", "distinct", "from", "document", "normalized"}, w.text); w = p.peek() {
		op += " " + w.text
		p.pos++
	}
	n := &node{kind: nodeOp, text: op, args: []*node{left}}
	if strings.HasSuffix(op, " from") {
		n.args = append(n.args, p.postfix())
	}
	return n
}

func (p *parser) postfix() *node {
	n := p.primary()
	for {
		switch {
		case p.peek().kind == cast:
			p.pos++
			n = &node{kind: nodeCast, text: p.typeName(), args: []*node{n}}
		case p.accept(mark, "["):
			n = &node{kind: nodeOther, args: append([]*node{n}, p.until("]")...)}
		case p.accept(mark, "."):
			p.pos++
			n = &node{kind: nodeOther, args: []*node{n}}
		default:
			return n
		}
	}
}

// typeName reads the type of a cast, with the words, numbers and brackets some types have.
func (p *parser) typeName() string {
	name := strings.Join(p.path(), ".")
	for w := p.peek(); w.kind == word && slices.Contains([]string{"varying", "precision", "with", "without", "time", "zone"}, w.text); w = p.peek() {
		name += " " + w.text
		p.pos++
	}
	if p.peek().is(mark, "(") {
		p.pos++
		p.until(")")
	}
	for p.accept(mark, "[") {
		p.until("]")
		name += "[]"
	}
	return name
}

// path reads a.b.c.
func (p *parser) path() []string {
	var path []string
	for p.peek().name() {
		path = append(path, p.peek().text)
		p.pos++
		if p.pos+1 >= len(p.tokens) || !p.peek().is(mark, ".") || !p.tokens[p.pos+1].name() && p.tokens[p.pos+1].kind != operator {
			break
		}
		p.pos++
	}
	return path
}

// sessionValues are functions that SQL writes without parentheses.
var sessionValues = []string{"session_user", "current_user", "user", "current_role", "current_catalog", "current_schema",
	"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}

func (p *parser) primary() *node {
	p.depth++
	defer func() { p.depth-- }()
	if *p.parts--; p.depth > maxDepth || *p.parts < 0 {
		return p.skip()
	}
	t := p.peek()
	switch {
	case p.pos >= len(p.tokens):
		return &node{kind: nodeOther}
	case t.kind == literal, t.kind == number:
		p.pos++
		return &node{kind: nodeConst, text: t.text}
	case t.kind == operator:
		p.pos++
		return &node{kind: nodeOp, text: t.text, args: []*node{p.postfix()}}
	case t.is(mark, "("):
		p.pos++
		return p.parenthesis()
	case t.name():
		return p.named()
	}
	p.pos++
	return &node{kind: nodeOther}
}
