package abac

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of the policy language. They bound what a token can make the parser and the compiler do.
const (
	// MaxSegment is the longest resource and the longest action, in bytes.
	MaxSegment = 64
	// MaxPolicy is the longest policy text, in bytes: "!", two segments and ":".
	MaxPolicy = 2*MaxSegment + 2
	// MaxPolicies is the largest number of policies in one [Set]. A token within the 4 KiB cookie limit holds about 150.
	MaxPolicies = 1024
	// MaxPermissions is the largest number of permissions in one [Universe].
	MaxPermissions = 4096
)

// Any is the segment that stands for every resource or every action. It is valid in a policy, never in a permission.
const Any = "*"

// ErrPolicy is wrapped by every error about the text of a policy or a permission.
var ErrPolicy = errors.New("malformed policy")

// A ParseError says where a policy or permission text left the grammar. It does not repeat the text.
type ParseError struct {
	Offset int    // position of the first offending byte, 0-based
	Fact   string // what is wrong there
}

// Error returns the position and the fact, never the text.
func (e *ParseError) Error() string { return fmt.Sprintf("abac: parse: byte %d: %s", e.Offset, e.Fact) }

// Unwrap returns [ErrPolicy].
func (e *ParseError) Unwrap() error { return ErrPolicy }

// Policy is one parsed rule: "resource:action" allows, "!resource:action" denies.
//
// Resource covers itself and, where resources are dotted, everything below it: a rule on "devices" covers "devices.disk",
// not "devicesx". [Any] covers every resource or every action.
type Policy struct {
	Deny     bool   // the text began with "!"
	Resource string // a resource or Any
	Action   string // an action or Any
}

// ParsePolicy parses one policy text. The grammar is strict, lower-case ASCII, without white space:
//
//	policy   = [ "!" ] resource ":" action
//	resource = "*" / label *( "." label )      ; at most 64 bytes
//	action   = "*" / label                     ; at most 64 bytes
//	label    = ( a-z / 0-9 ) *( a-z / 0-9 / "_" / "-" )
//
// The error is a *[ParseError].
func ParsePolicy(text string) (Policy, error) {
	var p Policy
	start := 0
	if text != "" && text[0] == '!' {
		p.Deny, start = true, 1
	}
	colon, at, fact := split(text, start, true)
	if fact != "" {
		return Policy{}, &ParseError{at, fact}
	}
	p.Resource, p.Action = text[start:colon], text[colon+1:]
	return p, nil
}

// String returns the text that [ParsePolicy] parses back to p, "" for the zero Policy.
func (p Policy) String() string {
	switch {
	case p == Policy{}:
		return ""
	case p.Deny:
		return "!" + p.Resource + ":" + p.Action
	}
	return p.Resource + ":" + p.Action
}

// Covers reports whether p speaks about the permission resource:action, be it to allow or to deny it.
func (p Policy) Covers(resource, action string) bool {
	return (p.Action == Any || p.Action == action) && (p.Resource == Any || under(resource, p.Resource))
}

// ParsePermission splits a permission such as "devices:read" into resource and action. It follows the grammar of
// [ParsePolicy] without "!" and without [Any]: what is asked for is always concrete. The error is a *[ParseError].
func ParsePermission(text string) (resource, action string, err error) {
	colon, at, fact := split(text, 0, false)
	if fact != "" {
		return "", "", &ParseError{at, fact}
	}
	return text[:colon], text[colon+1:], nil
}

// under reports whether resource is top or lies below it.
func under(resource, top string) bool {
	return strings.HasPrefix(resource, top) && (len(resource) == len(top) || resource[len(top)] == '.')
}

// split checks text[start:] against the grammar and returns the offset of its colon, or the offset and nature of the first
// fault. It makes no error value, so that asking for nonsense costs no allocation.
func split(text string, start int, wildcards bool) (colon, at int, fact string) {
	if len(text) > MaxPolicy {
		return 0, MaxPolicy, "longer than a policy may be"
	}
	colon = strings.IndexByte(text, ':')
	if colon < 0 {
		return 0, len(text), "no colon"
	}
	if at, fact = checkSegment(text[start:colon], true, wildcards); fact != "" {
		return 0, start + at, fact
	}
	at, fact = checkSegment(text[colon+1:], false, wildcards)
	return colon, colon + 1 + at, fact
}

// checkSegment returns the offset and nature of the first fault in segment, or an empty fact.
func checkSegment(segment string, dots, wildcard bool) (int, string) {
	if segment == Any && wildcard {
		return 0, ""
	}
	if len(segment) > MaxSegment {
		return MaxSegment, "segment too long"
	}
	first := true // the next byte begins a label
	for i := 0; i < len(segment); i++ {
		switch class := classes[segment[i]]; {
		case class == alphanumeric:
			first = false
		case first:
			return i, "a label begins with a-z or 0-9"
		case class == dot && dots:
			first = true
		case class != joiner:
			return i, "byte outside the alphabet"
		}
	}
	if first {
		return len(segment), "empty label"
	}
	return 0, ""
}

const (
	foreign = iota
	alphanumeric
	joiner
	dot
)

// classes sorts bytes for checkSegment. A table, because permissions outside the universe are checked on every decision.
var classes = func() (t [256]uint8) {
	for c := 'a'; c <= 'z'; c++ {
		t[c] = alphanumeric
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = alphanumeric
	}
	t['_'], t['-'], t['.'] = joiner, joiner, dot
	return t
}()
