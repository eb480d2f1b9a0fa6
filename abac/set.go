package abac

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTooMany is returned when a set would have more than [MaxPolicies] policies.
var ErrTooMany = errors.New("too many policies")

// Source is a list of policy texts and the name of what they come from, usually a role. The name is shown by
// [Set.Explain] and has no influence on decisions.
type Source struct {
	Role     string
	Policies []string
}

// A CompileError says which policy voided a set. It does not repeat the policy's text.
type CompileError struct {
	Role  string // where the policy came from
	Index int    // its position in that source, 0-based
	Err   error  // a *ParseError or ErrTooMany
}

// Error returns source, position and cause.
func (e *CompileError) Error() string {
	return fmt.Sprintf("abac: compile: policy %d of source %q: %v", e.Index, e.Role, e.Err)
}

// Unwrap returns the cause.
func (e *CompileError) Unwrap() error { return e.Err }

// Set is a compiled list of policies. It is immutable and safe for concurrent use. A nil Set and the zero Set hold no
// policy and so deny everything.
type Set struct {
	universe  *Universe
	words     []word // one per 64 registered permissions
	rules     []rule
	heads     map[string]int32 // resource → its first rule; rules of one resource are linked by next
	anyHead   int32            // first rule about any resource
	otherwise Reason           // for a permission that is neither allowed nor denied
	void      error
}

// word is the part of a set about 64 registered permissions, side by side so that a decision reads one cache line.
type word struct {
	allow uint64 // allowed and not denied
	deny  uint64
}

type rule struct {
	Policy
	next int32 // next rule about the same resource, none at the end
	role string
}

const none = int32(-1)

// Compile makes a Set of all the sources' policies. Their order does not matter and repetitions change nothing.
//
// A policy that cannot be parsed voids the whole set: it may have been meant as a deny, and leaving out a deny would open
// what it was to close. The Set returned beside an error is never nil and denies everything with [InvalidPolicy]. The
// error is a *[CompileError].
func (u *Universe) Compile(sources ...Source) (*Set, error) {
	count := 0
	for _, src := range sources {
		count += len(src.Policies)
	}
	s := u.newSet(count)
	for _, src := range sources {
		for i, text := range src.Policies {
			p, err := ParsePolicy(text)
			if len(s.rules) == MaxPolicies {
				err = ErrTooMany
			}
			if err != nil {
				return u.voidSet(&CompileError{Role: src.Role, Index: i, Err: err})
			}
			s.add(p, text, src.Role)
		}
	}
	for i := range s.words {
		s.words[i].allow &^= s.words[i].deny
	}
	return s, nil
}

func (u *Universe) newSet(policies int) *Set {
	return &Set{
		universe:  u,
		words:     make([]word, u.words),
		otherwise: NoMatch,
		rules:     make([]rule, 0, min(policies, MaxPolicies)),
		heads:     make(map[string]int32, min(policies, MaxPolicies)),
		anyHead:   none,
	}
}

func (u *Universe) voidSet(err error) (*Set, error) {
	s := u.newSet(0)
	s.void, s.otherwise = err, InvalidPolicy
	return s, err
}

func (s *Set) add(p Policy, text, role string) {
	r := rule{Policy: p, role: role, next: s.anyHead}
	here := int32(len(s.rules))
	if p.Resource == Any {
		s.anyHead = here
	} else {
		if head, ok := s.heads[p.Resource]; ok {
			r.next = head
		} else {
			r.next = none
		}
		s.heads[p.Resource] = here
	}
	s.rules = append(s.rules, r)
	s.universe.mark(s.words, p, strings.TrimPrefix(text, "!"))
}

// Err returns the error that voided the set, nil if it is in force.
func (s *Set) Err() error {
	if s == nil {
		return nil
	}
	return s.void
}

// Policies returns the texts of the set's policies in the order they were compiled, nil for a void set.
func (s *Set) Policies() []string {
	if s == nil || len(s.rules) == 0 {
		return nil
	}
	texts := make([]string, len(s.rules))
	for i := range s.rules {
		texts[i] = s.rules[i].Policy.String()
	}
	return texts
}

// Decide says whether the set allows a registered permission. It does not allocate. An ID of another Universe, the zero ID
// included, is denied with [NoMatch].
func (s *Set) Decide(id ID) Decision {
	if s == nil || s.universe != id.universe || int(id.word) >= len(s.words) {
		return Decision{false, NoMatch}
	}
	w := &s.words[id.word]
	if w.allow&id.bit != 0 {
		return Decision{true, Allowed}
	}
	if w.deny&id.bit != 0 {
		return Decision{false, ExplicitDeny}
	}
	return Decision{false, s.otherwise}
}

// DecideString says whether the set allows a permission given as text, registered or not. It does not allocate. Text that
// is no permission is denied with [InvalidPermission].
func (s *Set) DecideString(permission string) Decision {
	if s == nil || s.universe == nil {
		return deny(NoMatch)
	}
	if e, ok := s.universe.index[permission]; ok {
		return s.Decide(ID{s.universe, e.word, e.bit})
	}
	return s.decideUnregistered(permission)
}

func (s *Set) decideUnregistered(permission string) Decision {
	if s.void != nil {
		return deny(InvalidPolicy)
	}
	colon, _, fact := split(permission, 0, false)
	if fact != "" {
		return deny(InvalidPermission)
	}
	return s.decideParts(permission[:colon], permission[colon+1:])
}

// decideParts decides about any permission by looking only at the rules about resource, the resources above it and Any.
func (s *Set) decideParts(resource, action string) Decision {
	allowed, denied := s.scan(s.anyHead, action)
	for r, more := resource, true; more && !denied; r, more = parent(r) {
		if head, ok := s.heads[r]; ok {
			a, d := s.scan(head, action)
			allowed, denied = allowed || a, denied || d
		}
	}
	switch {
	case denied:
		return deny(ExplicitDeny)
	case allowed:
		return Decision{true, Allowed}
	}
	return deny(NoMatch)
}

// scan follows the rules linked from head and reports whether any allows and whether any denies action.
func (s *Set) scan(head int32, action string) (allowed, denied bool) {
	for i := head; i != none; i = s.rules[i].next {
		if r := &s.rules[i]; r.Action == Any || r.Action == action {
			if r.Deny {
				return allowed, true
			}
			allowed = true
		}
	}
	return allowed, false
}
