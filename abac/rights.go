package abac

import (
	"maps"
	"slices"
	"strconv"
)

// Rights are what the holders of a role may do, as something to ask questions about: policies, and the constraints that
// bind the role. The questions are about every permission there can be, not only the registered ones, and about every
// request; they are answered exactly, with a counterexample, because the language is finite (see [Answer] for the one
// exception). They are meant for reviewers and tools, not for the request path.
type Rights struct {
	Set         *Set
	Role        string       // whom Constraints may name
	Constraints *Constraints // nil means none
}

// Answer is the answer to a question about [Rights]. Unknown is given only where time windows in more than one zone meet and
// no minute of the year 2026 decides.
type Answer uint8

// Answers. The zero Answer is Unknown.
const (
	Unknown Answer = iota
	Yes
	No
)

// String returns "yes", "no" or "unknown".
func (a Answer) String() string { return [...]string{"unknown", "yes", "no"}[a] }

// Verdict is an Answer and, where it is No, a case that shows it.
type Verdict struct {
	Answer         Answer
	Counterexample *Case
}

// Case is one question that can be put to [Rights.Decide].
type Case struct {
	Permission string
	Subject    Subject // without Set and Role: those are of the Rights
	Request    Request
}

// Decide decides about any permission, registered or not, as a holder of the rights.
func (r Rights) Decide(c Case) Decision {
	resource, action, err := ParsePermission(c.Permission)
	if err != nil {
		return deny(InvalidPermission)
	}
	d := r.Set.DecideString(c.Permission)
	if !d.Allowed || r.Constraints == nil {
		return d
	}
	for i := range r.Constraints.list {
		if one := &r.Constraints.list[i]; one.binds(r.Role) && one.Covers(resource, action) {
			if _, reason := one.firstFailing(&c.Subject, &c.Request, c.Permission); reason != Allowed {
				return deny(reason)
			}
		}
	}
	return d
}

// Implies says whether other allows everything that r allows. The counterexample is allowed by r and not by other.
func (r Rights) Implies(other Rights) Verdict {
	return overCells(func(resource, action string) (*Case, Answer) { return r.exceeds(other, resource, action) }, r, other)
}

// Equivalent says whether r and other allow the same. The counterexample is allowed by one of them only.
func (r Rights) Equivalent(other Rights) Verdict {
	there := r.Implies(other)
	if there.Answer == No {
		return there
	}
	back := other.Implies(r)
	if back.Answer == Yes {
		return there
	}
	return back
}

// Disjoint says whether nothing is allowed by both. The counterexample is.
func (r Rights) Disjoint(other Rights) Verdict {
	return overCells(func(resource, action string) (*Case, Answer) {
		if !r.allows(resource, action) || !other.allows(resource, action) {
			return nil, Yes
		}
		return r.demand(resource, action).and(other.demand(resource, action)).witness(resource, action)
	}, r, other)
}

// NeverAllows says whether r allows nothing at all, be it that its policies do not or that its constraints contradict each
// other. The counterexample is allowed.
func (r Rights) NeverAllows() Verdict { return r.Disjoint(everything()) }

// AlwaysAllows says whether r allows everything to everybody who holds it. The counterexample is not allowed.
func (r Rights) AlwaysAllows() Verdict { return everything().Implies(r) }

// everything are rights without any limit.
func everything() Rights {
	u, err := NewUniverse()
	if err != nil {
		panic(err) // an empty universe is always valid
	}
	s, err := u.Compile(Source{Policies: []string{"*:*"}})
	if err != nil {
		panic(err) // a constant
	}
	return Rights{Set: s}
}

// allows says what the policies say, whatever the constraints.
func (r Rights) allows(resource, action string) bool {
	return r.Set != nil && r.Set.universe != nil && r.Set.void == nil && r.Set.decideParts(resource, action).Allowed
}

// demand is what the constraints say about a permission.
func (r Rights) demand(resource, action string) demand {
	var d demand
	if r.Constraints == nil {
		return d
	}
	for i := range r.Constraints.list {
		if one := &r.Constraints.list[i]; one.binds(r.Role) && one.Covers(resource, action) {
			for j := range one.when {
				d.add(&one.when[j])
			}
		}
	}
	return d
}

// exceeds looks for a case of one permission that r allows and other does not. The answer is Yes if there is none.
func (r Rights) exceeds(other Rights, resource, action string) (*Case, Answer) {
	if !r.allows(resource, action) {
		return nil, Yes
	}
	mine := r.demand(resource, action)
	if !other.allows(resource, action) {
		return mine.witness(resource, action)
	}
	return mine.beyond(other.demand(resource, action), resource, action)
}

// overCells asks about one representative of every kind of permission. Rules and constraints tell two resources apart only
// if one of them lies at or below a resource that is mentioned and the other does not: what matters is the lowest mentioned
// resource at or above. Likewise for actions. So the resources and actions mentioned, and one of each that is not, stand for
// all.
func overCells(ask func(resource, action string) (*Case, Answer), rights ...Rights) Verdict {
	verdict := Verdict{Answer: Yes}
	resources, actions := mentioned(rights...)
	for _, resource := range resources {
		for _, action := range actions {
			switch found, answer := ask(resource, action); answer {
			case No:
				return Verdict{No, found}
			case Unknown:
				verdict.Answer = Unknown
			}
		}
	}
	return verdict
}

// mentioned returns the resources and the actions that rights tell apart, and one of each that none of them mentions.
func mentioned(rights ...Rights) (resources, actions []string) {
	r, a := make(names), make(names)
	add := func(p Policy) { r[p.Resource], a[p.Action] = struct{}{}, struct{}{} }
	for _, one := range rights {
		if one.Set != nil {
			for i := range one.Set.rules {
				add(one.Set.rules[i].Policy)
			}
		}
		if one.Constraints != nil {
			for i := range one.Constraints.list {
				add(one.Constraints.list[i].Policy)
			}
		}
	}
	return r.sorted(), a.sorted()
}

// names is a set of resources or of actions.
type names map[string]struct{}

// sorted returns the names but Any, and one name that is not among them.
func (n names) sorted() []string {
	delete(n, Any)
	other, taken := "other", true
	for i := 2; taken; i++ {
		if _, taken = n[other]; taken {
			other = "other" + strconv.Itoa(i)
		}
	}
	n[other] = struct{}{}
	return slices.Sorted(maps.Keys(n))
}
