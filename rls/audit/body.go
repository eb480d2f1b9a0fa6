package audit

import "slices"

// relationWords stand before the name of a relation.
var relationWords = []string{"from", "join", "into", "update", "table"}

// calledWords stand before a parenthesis without being looked up in the search path.
var calledWords = slices.Concat(notFunctions, []string{"coalesce", "nullif", "greatest", "least", "extract", "substring", "position", "trim",
	"overlay", "cast", "execute", "exception", "raise", "format", "constant", "type", "check", "default", "set", "insert", "conflict", "for"})

// unqualified returns the first name in a function's body that the caller's search path decides: an operator, a called
// function, a relation or the type of a cast. Empty means that there is none. It is stricter than PL/pgSQL where a variable
// looks like a relation.
func unqualified(body string) string {
	tokens, ok := tokenise(body)
	if !ok {
		return "body"
	}
	at := func(i int) token {
		if i >= 0 && i < len(tokens) {
			return tokens[i]
		}
		return token{kind: mark}
	}
	for i, t := range tokens {
		before, after := at(i-1), at(i+1)
		qualified := before.is(mark, ".") || after.is(mark, ".")
		switch {
		case t.kind == operator:
			star := t.text == "*" && (before.is(word, "select") || before.is(mark, ".") || before.is(mark, "("))
			if t.text != ":=" && !star && !before.is(mark, ".") {
				return t.text
			}
		case !t.name() || qualified:
		case before.kind == cast:
			return t.text
		case after.is(mark, "(") && (t.kind == quoted || !slices.Contains(calledWords, t.text)):
			return t.text
		case before.kind == word && slices.Contains(relationWords, before.text) && !slices.Contains([]string{"select", "lateral", "only"}, t.text):
			return t.text
		}
	}
	return ""
}
