package abac

import (
	"iter"
	"math/bits"
	"slices"
)

// Permissions is a set of registered permissions: the answer to many questions at once, such as which entries of a menu to
// show. It is immutable; the zero Permissions is empty.
type Permissions struct {
	universe *Universe
	words    []uint64
}

// DecideAll decides about every registered permission. Its only allocation is the answer.
func (s *Set) DecideAll() Permissions {
	if s == nil || s.universe == nil {
		return Permissions{}
	}
	p := Permissions{s.universe, make([]uint64, len(s.words))}
	for i := range s.words {
		p.words[i] = s.words[i].allow
	}
	return p
}

// DecideAll decides about every registered permission as a [Requirement] without conditions of its own would: policy
// version, policies and constraints. A nil Subject may do nothing.
func (s *Subject) DecideAll(req Request) Permissions {
	if s == nil || s.Version < req.MinVersion {
		return Permissions{}
	}
	p := s.Set.DecideAll()
	if req.Constraints == nil {
		return p
	}
	for id := range p.IDs() {
		if req.Constraints.check(s, &req, id) != Allowed {
			p.words[id.word] &^= id.bit
		}
	}
	return p
}

// Has reports whether id is among them.
func (p Permissions) Has(id ID) bool {
	return p.universe == id.universe && int(id.word) < len(p.words) && p.words[id.word]&id.bit != 0
}

// Len returns how many there are.
func (p Permissions) Len() (n int) {
	for _, w := range p.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// IDs returns them in the order in which they were registered.
func (p Permissions) IDs() iter.Seq[ID] {
	return func(yield func(ID) bool) {
		for i := range p.words {
			for rest := p.words[i]; rest != 0; rest &= rest - 1 {
				if !yield(ID{p.universe, uint16(i), rest & -rest}) {
					return
				}
			}
		}
	}
}

// Names returns their texts in the order in which they were registered.
func (p Permissions) Names() []string {
	names := make([]string, 0, p.Len())
	for id := range p.IDs() {
		names = append(names, id.String())
	}
	return names
}

// Bits returns them as a bitset: bit n%64 of word n/64 stands for the nth registered permission.
func (p Permissions) Bits() []uint64 { return slices.Clone(p.words) }
