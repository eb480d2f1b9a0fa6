package audit

import (
	"slices"
	"strings"
)

// parenthesis reads (expression), (a, b) or (SELECT …); the opening one is read.
func (p *parser) parenthesis() *node {
	if w := p.peek(); w.is(word, "select") || w.is(word, "with") || w.is(word, "values") {
		return p.subquery()
	}
	parts := p.until(")")
	if len(parts) == 1 {
		return parts[0]
	}
	return &node{kind: nodeOther, args: parts}
}

// until reads expressions up to the closing mark, which is read too. Whatever follows an expression before the next comma
// makes it a nodeOther.
func (p *parser) until(closing string) []*node {
	var parts []*node
	for p.pos < len(p.tokens) && !p.accept(mark, closing) {
		for w := p.peek(); w.is(word, "variadic") || w.is(word, "distinct"); w = p.peek() {
			p.pos++
		}
		start := p.pos
		n := p.or()
		if t := p.peek(); p.pos < len(p.tokens) && !t.is(mark, ",") && !t.is(mark, closing) {
			from := p.pos
			p.balance(closing)
			n = &node{kind: nodeOther, args: append([]*node{n}, p.calls(p.tokens[from:p.pos])...)}
		}
		parts = append(parts, n)
		p.accept(mark, ",")
		if p.pos == start {
			p.pos++
		}
	}
	return parts
}

// balance moves to the next comma or closing mark of this level.
func (p *parser) balance(closing string) {
	for level := 0; p.pos < len(p.tokens); p.pos++ {
		t := p.peek()
		switch {
		case level == 0 && (t.is(mark, closing) || t.is(mark, ",")):
			return
		case t.is(mark, "("), t.is(mark, "["):
			level++
		case t.is(mark, ")"), t.is(mark, "]"):
			level--
		}
	}
}

// skip gives up on the rest of the expression: it is nested too deeply.
func (p *parser) skip() *node {
	p.pos = len(p.tokens)
	return &node{kind: nodeOther}
}

func (p *parser) named() *node {
	t := p.peek()
	next := token{}
	if p.pos+1 < len(p.tokens) {
		next = p.tokens[p.pos+1]
	}
	if t.kind == word {
		switch {
		case t.text == "true" || t.text == "false" || t.text == "null":
			p.pos++
			return &node{kind: nodeConst, text: t.text}
		case slices.Contains(sessionValues, t.text) && !next.is(mark, "(") && !next.is(mark, "."):
			p.pos++
			return &node{kind: nodeValue, text: t.text}
		case t.text == "case":
			p.pos++
			return p.caseWhen()
		case t.text == "exists" && next.is(mark, "("):
			p.pos++
			return &node{kind: nodeOther, args: []*node{p.primary()}}
		case t.text == "array" && next.is(mark, "["):
			p.pos += 2
			return &node{kind: nodeOther, args: p.until("]")}
		}
	}
	path := p.path()
	if p.accept(mark, "(") {
		if w := p.peek(); w.is(word, "select") {
			return &node{kind: nodeOther, args: []*node{p.subquery()}} // ARRAY(SELECT …)
		}
		return &node{kind: nodeCall, text: functionName(path), args: p.until(")")}
	}
	n := &node{kind: nodeColumn, text: path[len(path)-1]}
	n.table = strings.Join(path[:len(path)-1], ".")
	return n
}

func functionName(path []string) string {
	return strings.TrimPrefix(strings.Join(path, "."), "pg_catalog.")
}

// caseWhen collects the parts of CASE … END.
func (p *parser) caseWhen() *node {
	n := &node{kind: nodeOther}
	for p.pos < len(p.tokens) && !p.accept(word, "end") {
		if w := p.peek(); w.is(word, "when") || w.is(word, "then") || w.is(word, "else") {
			p.pos++
			continue
		}
		start := p.pos
		if t := p.peek(); t.is(mark, ")") || t.is(mark, "]") || t.is(mark, ",") {
			break // no END
		}
		n.args = append(n.args, p.or())
		if p.pos == start {
			p.pos++
		}
	}
	return n
}

// subquery reads up to its closing parenthesis, which is read too.
func (p *parser) subquery() *node {
	start, level := p.pos, 0
	for ; p.pos < len(p.tokens); p.pos++ {
		if t := p.peek(); t.is(mark, "(") {
			level++
		} else if t.is(mark, ")") {
			if level--; level < 0 {
				break
			}
		}
	}
	inner := p.tokens[start:p.pos]
	p.pos++
	return p.selected(inner)
}

// selected reads SELECT expression [AS name], the form of a value that is computed once, and takes anything longer as one
// with a FROM.
func (p *parser) selected(tokens []token) *node {
	in := p.inner(tokens, 0)
	if !in.accept(word, "select") {
		return &node{kind: nodeSelect, args: append([]*node{{kind: nodeOther}}, p.calls(tokens)...), tokens: tokens}
	}
	n := &node{kind: nodeSelect, args: []*node{in.or()}}
	if in.accept(word, "as") {
		in.pos++
	}
	if in.pos < len(tokens) {
		n.tokens = tokens
		n.args = append(n.args, p.calls(tokens[in.pos:])...)
	}
	return n
}

// notFunctions are words that stand before a parenthesis without being called.
var notFunctions = []string{"and", "or", "not", "where", "on", "in", "any", "some", "all", "exists", "as", "from", "join", "select", "values",
	"when", "then", "else", "case", "by", "having", "using", "over", "filter", "union", "intersect", "except", "lateral", "is", "return", "operator",
	"with", "array", "row", "distinct", "limit", "offset", "if", "elsif", "while", "perform", "returning"}

// calls collects the function calls in text that is not an expression, such as FROM and WHERE of a subquery.
func (p *parser) calls(tokens []token) []*node {
	if p.depth > maxDepth/4 {
		return nil
	}
	var calls []*node
	for i := 0; i+1 < len(tokens) && *p.parts > 0; i++ {
		t := tokens[i]
		if !t.name() || t.kind == word && slices.Contains(notFunctions, t.text) {
			continue
		}
		at := p.inner(tokens, i)
		at.depth++
		at.path()
		if at.accept(mark, "(") {
			at.pos = i
			calls = append(calls, at.primary())
			i = at.pos - 1
		} else if t.kind == word && slices.Contains(sessionValues, t.text) {
			calls = append(calls, &node{kind: nodeValue, text: t.text})
		}
	}
	return calls
}
