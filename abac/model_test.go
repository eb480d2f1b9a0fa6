package abac_test

import (
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

// The small scope: every policy over three resources, one of them below another, and two actions, wildcards and denies
// included. The questions are all combinations of these, of one resource below, and of names no policy mentions.
var (
	scopePolicies  = crossed([]string{"", "!"}, []string{"*", "a", "a.b", "c"}, []string{"*", "x", "y"})
	scopeQuestions = crossed([]string{""}, []string{"a", "a.b", "a.b.d", "ab", "c", "z"}, []string{"x", "y", "z"})
)

func crossed(marks, resources, actions []string) (texts []string) {
	for _, m := range marks {
		for _, r := range resources {
			for _, a := range actions {
				texts = append(texts, m+r+":"+a)
			}
		}
	}
	return texts
}

// oracleCovers says what a policy means in the plainest words, sharing nothing with the engine.
func oracleCovers(policy, permission string) bool {
	p, q := strings.Split(strings.TrimPrefix(policy, "!"), ":"), strings.Split(permission, ":")
	if p[1] != "*" && p[1] != q[1] {
		return false
	}
	if p[0] == "*" {
		return true
	}
	want, have := strings.Split(p[0], "."), strings.Split(q[0], ".")
	return len(have) >= len(want) && slices.Equal(want, have[:len(want)])
}

// oracle decides about one permission: default deny, deny override.
func oracle(policies []string, permission string) abac.Reason {
	reason := abac.NoMatch
	for _, p := range policies {
		if oracleCovers(p, permission) {
			if strings.HasPrefix(p, "!") {
				return abac.ExplicitDeny
			}
			reason = abac.Allowed
		}
	}
	return reason
}

// known marks a verdict as given; there are fewer than 31 questions.
const known = 1 << 31

// model holds what the engine said about every set of the scope so far: bit q of allowed is set if question q was allowed.
type model struct {
	t        *testing.T
	universe *abac.Universe
	ids      []abac.ID // for questions that are registered
	covers   []uint32  // policy → questions it covers, by the oracle
	verdicts []uint32  // set → questions allowed, with the bit known
	checked  int
	random   *rand.Rand
}

func newModel(t *testing.T) *model {
	m := &model{t: t, verdicts: make([]uint32, 1<<len(scopePolicies)), random: rand.New(rand.NewPCG(1, 2))}
	var registered []string
	for q, question := range scopeQuestions { // two of three are registered, so that both paths meet every rule
		if q%3 != 2 {
			registered = append(registered, question)
		}
	}
	var err error
	m.universe, err = abac.NewUniverse(registered...)
	require.NoError(t, err)
	for _, question := range scopeQuestions {
		id, _ := m.universe.ID(question)
		m.ids = append(m.ids, id)
	}
	for _, p := range scopePolicies {
		var covered uint32
		for q, question := range scopeQuestions {
			if oracleCovers(p, question) {
				covered |= 1 << q
			}
		}
		m.covers = append(m.covers, covered)
	}
	return m
}

// expect returns the questions the oracle allows and those it denies for the set of policies in mask.
func (m *model) expect(mask uint32) (allowed, denied uint32) {
	for rest := mask; rest != 0; rest &= rest - 1 {
		if p := bits.TrailingZeros32(rest); scopePolicies[p][0] == '!' {
			denied |= m.covers[p]
		} else {
			allowed |= m.covers[p]
		}
	}
	return allowed &^ denied, denied
}

// ask compiles policies and asks every question by id and by text.
func (m *model) ask(policies []string) (allowed, denied uint32) {
	s, err := m.universe.Compile(abac.Source{Policies: policies})
	if err != nil {
		m.t.Fatalf("%v: %v", policies, err)
	}
	for q, question := range scopeQuestions {
		d := s.DecideString(question)
		if id := m.ids[q]; id != (abac.ID{}) && s.Decide(id) != d {
			m.t.Fatalf("%v: %s: by id %v, by text %v", policies, question, s.Decide(id), d)
		}
		if d.Allowed != (d.Reason == abac.Allowed) {
			m.t.Fatalf("%v: %s: %v contradicts itself", policies, question, d)
		}
		switch d.Reason {
		case abac.Allowed:
			allowed |= 1 << q
		case abac.ExplicitDeny:
			denied |= 1 << q
		case abac.NoMatch:
		default:
			m.t.Fatalf("%v: %s: unexpected reason %v", policies, question, d.Reason)
		}
	}
	return allowed, denied
}

// check proves one set: the oracle agrees (default deny and deny override are its definition), and neither order nor
// repetition matters; of large sets only one order is asked.
func (m *model) check(mask uint32, all bool) {
	policies := make([]string, 0, 2*len(scopePolicies))
	for p, text := range scopePolicies {
		if mask>>p&1 != 0 {
			policies = append(policies, text)
		}
	}
	wantAllowed, wantDenied := m.expect(mask)
	forms := [][]string{policies, append(policies, policies...), slices.Clone(policies)}
	m.random.Shuffle(len(forms[2]), func(i, j int) { forms[2][i], forms[2][j] = forms[2][j], forms[2][i] })
	if !all {
		forms = forms[2:]
	}
	for _, form := range forms {
		if allowed, denied := m.ask(form); allowed != wantAllowed || denied != wantDenied {
			m.t.Fatalf("%v: allowed %b denied %b, the oracle says %b and %b", form, allowed, denied, wantAllowed, wantDenied)
		}
	}
	m.verdicts[mask] = wantAllowed | known
	m.checked++
}

// checkMonotony proves for a set that every smaller set by one policy is related as it must be: adding a deny allows
// nothing new, adding an allow takes nothing away.
func (m *model) checkMonotony(mask, allowed uint32) {
	for rest := mask; rest != 0; rest &= rest - 1 {
		p := bits.TrailingZeros32(rest)
		before := m.verdicts[mask&^(1<<p)]
		if before&known == 0 {
			m.t.Fatalf("set %b was not checked before %b", mask&^(1<<p), mask)
		}
		if scopePolicies[p][0] == '!' && allowed&^before != 0 {
			m.t.Fatalf("set %b: adding %s allowed %b", mask, scopePolicies[p], allowed&^before)
		}
		if scopePolicies[p][0] != '!' && before&^allowed != 0 {
			m.t.Fatalf("set %b: adding %s took away %b", mask, scopePolicies[p], before&^allowed)
		}
	}
}

// TestEveryPolicySetOfASmallScope checks all sets of up to eight of the 24 policies, 1,271,626 sets, those of up to six in
// every form; with TOMKIT_SOAK=1 all 16,777,216 sets in every form.
func TestEveryPolicySetOfASmallScope(t *testing.T) {
	largest, inFull := 8, 6
	if os.Getenv("TOMKIT_SOAK") == "1" {
		largest, inFull = len(scopePolicies), len(scopePolicies)
	}
	m := newModel(t)
	for mask := uint32(0); mask < 1<<len(scopePolicies); mask++ {
		if size := bits.OnesCount32(mask); size <= largest {
			m.check(mask, size <= inFull)
		}
	}
	for mask, allowed := range m.verdicts {
		if allowed&known != 0 {
			m.checkMonotony(uint32(mask), allowed)
		}
	}
	require.GreaterOrEqual(t, m.checked, 1_000_000)
	t.Logf("%d sets of up to %d policies, %d questions each", m.checked, largest, len(scopeQuestions))
}
