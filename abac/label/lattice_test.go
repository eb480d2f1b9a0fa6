package label_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/abac/label"
)

// small is a policy of which every label and every clearance can be listed.
func small(t testing.TB) *label.Policy {
	p, err := label.NewPolicy(label.PolicyData{
		Name:            "SMALL",
		Classifications: []label.Classification{{Name: "A"}, {Name: "B"}, {Name: "C"}},
		Tags:            []label.Tag{{Name: "all", Type: label.Restrictive}, {Name: "any", Type: label.Permissive}, {Name: "info", Type: label.Informative}},
	})
	require.NoError(t, err)
	return p
}

// subsets of two values, the empty one first.
var subsets = [][]string{nil, {"x"}, {"y"}, {"x", "y"}}

// everything lists the labels and the clearances of the small policy.
func everything(t testing.TB, p *label.Policy) (labels []label.Label, clearances []label.Clearance) {
	for _, class := range p.Classifications() {
		for _, all := range subsets {
			for _, one := range subsets {
				var categories []label.Category
				held := label.Held{}
				if all != nil {
					categories = append(categories, label.Category{Tag: "all", Type: label.Restrictive, Values: all})
					held["all"] = all
				}
				if one != nil {
					categories = append(categories, label.Category{Tag: "any", Type: label.Permissive, Values: one})
					held["any"] = one
				}
				l, err := p.Label(class, categories...)
				require.NoError(t, err)
				c, err := p.Clearance(class, held)
				require.NoError(t, err)
				labels, clearances = append(labels, l), append(clearances, c)
			}
		}
	}
	return labels, clearances
}

// TestTheLatticeOfASmallPolicy checks every law over all labels, pairs and triples of a policy.
func TestTheLatticeOfASmallPolicy(t *testing.T) {
	p := small(t)
	labels, clearances := everything(t, p)
	n := len(labels)
	require.Equal(t, 48, n)
	above := make([][]bool, n) // above[i][j]: i dominates j
	for i := range labels {
		above[i] = make([]bool, n)
		for j := range labels {
			above[i][j] = p.Dominates(labels[i], labels[j])
		}
	}
	t.Run("dominance is an order", func(t *testing.T) {
		for i := range n {
			require.True(t, above[i][i])
			for j := range n {
				require.False(t, above[i][j] && above[j][i] && i != j, "antisymmetric")
				for k := range n {
					require.False(t, above[i][j] && above[j][k] && !above[i][k], "transitive")
				}
			}
		}
	})
	t.Run("a dominates b exactly if every clearance for a is one for b", func(t *testing.T) {
		for i, a := range labels {
			for j, b := range labels {
				implied := true
				for _, c := range clearances {
					implied = implied && (!c.Dominates(a) || c.Dominates(b))
				}
				require.Equalf(t, implied, above[i][j], "%s %s", a, b)
			}
		}
	})
	t.Run("a clearance is what the specification says", func(t *testing.T) {
		cleared := 0
		for i, c := range clearances {
			for _, l := range labels {
				want := oracle(labels[i], l)
				require.Equalf(t, want, c.Dominates(l), "%s %s", c, l)
				if want {
					cleared++
				}
			}
		}
		require.Greater(t, cleared, 100)
	})
	t.Run("the join is the least upper bound, the meet the greatest lower", func(t *testing.T) {
		for i, a := range labels {
			for j, b := range labels {
				var uppers, lowers []int
				for k := range labels {
					if above[k][i] && above[k][j] {
						uppers = append(uppers, k)
					}
					if above[i][k] && above[j][k] {
						lowers = append(lowers, k)
					}
				}
				joined, ok := p.Join(a, b)
				require.Equalf(t, len(uppers) > 0, ok, "%s %s", a, b)
				if ok {
					at := index(t, labels, joined)
					require.True(t, above[at][i] && above[at][j])
					for _, k := range uppers {
						require.True(t, above[k][at], "least")
					}
				}
				met, ok := p.Meet(a, b)
				require.True(t, ok)
				at := index(t, labels, met)
				require.True(t, above[i][at] && above[j][at])
				for _, k := range lowers {
					require.True(t, above[at][k], "greatest")
				}
			}
		}
	})
	t.Run("who is cleared for the join is cleared for both", func(t *testing.T) {
		for _, a := range labels {
			for _, b := range labels {
				joined, ok := p.Join(a, b)
				for _, c := range clearances {
					require.False(t, ok && c.Dominates(joined) && !(c.Dominates(a) && c.Dominates(b)))
				}
			}
		}
	})
}

// oracle decides from the texts, in the plainest way, whether who holds everything on label have may see want.
func oracle(have, want label.Label) bool {
	h, w := have.Spec(), want.Spec()
	if h.Classification < w.Classification {
		return false
	}
	held := map[string]bool{}
	for _, c := range h.Categories {
		for _, v := range c.Values {
			held[c.Tag+v] = true
		}
	}
	for _, c := range w.Categories {
		count := 0
		for _, v := range c.Values {
			if held[c.Tag+v] {
				count++
			}
		}
		if c.Type == label.Restrictive && count < len(c.Values) || c.Type == label.Permissive && count == 0 {
			return false
		}
	}
	return true
}

func index(t testing.TB, labels []label.Label, l label.Label) int {
	for i := range labels {
		if labels[i].Equal(l) {
			return i
		}
	}
	require.Failf(t, "not among the labels", "%s", l)
	return -1
}

// TestLatticeLaws draws labels over larger policies.
func TestLatticeLaws(t *testing.T) {
	p, err := label.NewPolicy(label.PolicyData{
		Name:            "LARGE",
		Classifications: []label.Classification{{Name: "R", Aliases: []string{"r-alias"}}, {Name: "C"}, {Name: "S"}, {Name: "TS"}},
		Tags: []label.Tag{
			{Name: "all-1", Type: label.Restrictive}, {Name: "all-2", Type: label.Restrictive}, {Name: "any-1", Type: label.Permissive},
			{Name: "any-2", Type: label.Permissive}, {Name: "info", Type: label.Informative},
		},
	})
	require.NoError(t, err)
	types := map[string]label.Type{
		"all-1": label.Restrictive, "ALL-2": label.Restrictive, "any-1": label.Permissive, "ANY-2": label.Permissive, "info": label.Informative,
	}
	draw := func(t *rapid.T, name string) label.Label {
		var categories []label.Category
		for _, tag := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"all-1", "ALL-2", "any-1", "ANY-2", "info"}), rapid.ID).Draw(t, name+" tags") {
			values := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"u", "V", "w", "X", "ü"}), 1, 4, rapid.ID).Draw(t, name+" values")
			categories = append(categories, label.Category{Tag: tag, Type: types[tag], Values: values})
		}
		l, err := p.Label(rapid.SampledFrom([]string{"R", "c", "S", "ts", "R-ALIAS"}).Draw(t, name), categories...)
		require.NoError(t, err)
		return l
	}
	equivalent := func(a, b label.Label) bool { return p.Dominates(a, b) && p.Dominates(b, a) }
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := draw(t, "a"), draw(t, "b"), draw(t, "c")
		require.True(t, p.Dominates(a, a), "reflexive")
		require.False(t, p.Dominates(a, b) && p.Dominates(b, c) && !p.Dominates(a, c), "transitive")

		ab, abOK := p.Join(a, b)
		ba, baOK := p.Join(b, a)
		require.Equal(t, abOK, baOK)
		met, ok := p.Meet(a, b)
		require.True(t, ok)
		back, ok := p.Meet(b, a)
		require.True(t, ok)
		require.True(t, equivalent(met, back), "meet commutes")
		require.True(t, p.Dominates(a, met) && p.Dominates(b, met))
		self, ok := p.Join(a, a)
		require.True(t, ok && equivalent(self, a), "join is idempotent")
		absorbed, ok := p.Join(a, met)
		require.True(t, ok && equivalent(absorbed, a), "join absorbs meet")
		if abOK {
			require.True(t, equivalent(ab, ba), "join commutes")
			require.True(t, p.Dominates(ab, a) && p.Dominates(ab, b))
			absorbed, ok := p.Meet(a, ab)
			require.True(t, ok && equivalent(absorbed, a), "meet absorbs join")
			require.False(t, p.Dominates(c, a) && p.Dominates(c, b) && !p.Dominates(c, ab), "least")
			require.False(t, p.Dominates(a, b) && !equivalent(ab, a), "consistent")
			if bc, ok := p.Join(b, c); ok {
				left, leftOK := p.Join(ab, c)
				right, rightOK := p.Join(a, bc)
				require.Equal(t, leftOK, rightOK)
				require.True(t, !leftOK || equivalent(left, right), "join associates")
			}
		} else {
			require.False(t, p.Dominates(c, a) && p.Dominates(c, b), "an undefined join has no upper bound")
		}
	})
}

func TestNothingDominatesAcrossPolicies(t *testing.T) {
	all := label.Policies()
	for _, p := range all {
		names := p.Classifications()
		top, err := p.Label(names[len(names)-1])
		require.NoError(t, err)
		clearance, err := p.Clearance(names[len(names)-1], nil)
		require.NoError(t, err)
		for _, q := range all {
			bottom, err := q.Label(q.Classifications()[0])
			require.NoError(t, err)
			require.Equal(t, p == q, clearance.Dominates(bottom), "%s %s", p.Name(), q.Name())
			require.Equal(t, p == q, p.Dominates(top, bottom))
			_, ok := p.Join(top, bottom)
			require.Equal(t, p == q, ok)
			_, ok = p.Meet(top, bottom)
			require.Equal(t, p == q, ok)
		}
	}
	var none label.Label
	require.False(t, label.NATO().Dominates(none, none))
	require.False(t, (*label.Policy)(nil).Dominates(none, none))
	require.ErrorIs(t, (*label.Policy)(nil).Check(none), label.ErrPolicy)
}

func TestWhatAPolicyDoesNotKnowIsDominatedByNobody(t *testing.T) {
	nato := label.NATO()
	top, err := nato.Clearance("COSMIC TOP SECRET", label.Held{"Releasable To": {"DEU"}, "Additional Sensitivity": {"ATOMAL"}, "Only": {"DEU"}})
	require.NoError(t, err)
	for text, want := range map[string]bool{
		"NATO:SECRET":        true,
		"nato:nato%20secret": true,
		"NATO:SECRET;any:Releasable%20To=FRA,deu":                 true,
		"NATO:SECRET;all:ADDITIONAL%20SENSITIVITY=ATOMAL":         true,
		"NATO:SECRET;info:Administrative=STAFF":                   true,
		"NATO:SECRET;uri=urn%3Aoid%3A1.3.26.1.3.1":                true,
		"NATO:SECRET;uri=urn%3Aoid%3A1.3.26.1.3.2":                false, // same name, another policy
		"TLP:CLEAR;uri=urn%3Aoid%3A1.2":                           false,
		"NATO:COSMIC":                                             false,
		"OTHER:SECRET":                                            false,
		"NATO:SECRET;any:Releasable%20To=FRA":                     false,
		"NATO:SECRET;all:Additional%20Sensitivity=ATOMAL,BOHEMIA": false,
		"NATO:SECRET;all:Unknown=x":                               false,
		"NATO:SECRET;info:Unknown=x":                              false,
		"NATO:SECRET;info:Additional%20Sensitivity=BOHEMIA":       false, // a restriction dressed up as a remark
		"NATO:SECRET;any:Additional%20Sensitivity=ATOMAL,BOHEMIA": false,
		"NATO:\u017fECRET":                                        false,
	} {
		l, err := label.Parse(text)
		if err != nil {
			s := label.Spec{Policy: "NATO", Classification: strings.TrimPrefix(text, "NATO:")}
			l, err = label.New(s)
		}
		require.NoError(t, err, text)
		require.Equal(t, want, top.Dominates(l), text)
	}
}

func TestAPolicyThatHeedsCase(t *testing.T) {
	p, err := label.NewPolicy(label.PolicyData{
		Name: "P", CaseSensitive: true, Classifications: []label.Classification{{Name: "low"}, {Name: "LOW"}},
		Tags: []label.Tag{{Name: "t", Type: label.Restrictive}},
	})
	require.NoError(t, err)
	clearance, err := p.Clearance("low", label.Held{"t": {"a"}})
	require.NoError(t, err)
	for text, want := range map[string]bool{
		"P:low": true, "P:LOW": false, "p:low": false, "P:low;all:t=a": true, "P:low;all:t=A": false, "P:low;all:T=a": false,
	} {
		l, err := label.Parse(text)
		require.NoError(t, err)
		require.Equal(t, want, clearance.Dominates(l), text)
	}
}

func TestNewPolicyRefuses(t *testing.T) {
	class := []label.Classification{{Name: "LOW"}}
	for name, data := range map[string]label.PolicyData{
		"no name":                    {Classifications: class},
		"no classification":          {Name: "P"},
		"a URI that is no oid":       {Name: "P", URI: "x", Classifications: class},
		"a classification twice":     {Name: "P", Classifications: []label.Classification{{Name: "LOW"}, {Name: "low"}}},
		"an alias twice":             {Name: "P", Classifications: []label.Classification{{Name: "LOW", Aliases: []string{"low"}}}},
		"an empty classification":    {Name: "P", Classifications: []label.Classification{{}}},
		"a tag of no type":           {Name: "P", Classifications: class, Tags: []label.Tag{{Name: "t"}}},
		"a tag twice, of two types":  {Name: "P", Classifications: class, Tags: []label.Tag{{Name: "t", Type: label.Restrictive}, {Name: "T", Type: label.Informative}}},
		"a tag that cannot be seen":  {Name: "P", Classifications: class, Tags: []label.Tag{{Name: "\u200b", Type: label.Restrictive}}},
		"a name that cannot be seen": {Name: "\u200b", Classifications: class},
	} {
		_, err := label.NewPolicy(data)
		require.Error(t, err, name)
	}
}

func TestClearance(t *testing.T) {
	nato, tlp := label.NATO(), label.TLP()
	t.Run("refuses what the policy does not know", func(t *testing.T) {
		for _, held := range []label.Held{
			{"Unknown": {"x"}}, {"Administrative": {"x"}}, {"Releasable To": nil}, {"Releasable To": {"DEU", "deu"}},
			{"Releasable To": {"DEU"}, "RELEASABLE TO": {"FRA"}}, {"Releasable To": {""}},
		} {
			_, err := nato.Clearance("SECRET", held)
			require.ErrorIs(t, err, label.ErrPolicy, "%v", held)
		}
		_, err := nato.Clearance("GEHEIM", nil)
		require.ErrorIs(t, err, label.ErrPolicy)
	})
	secret, err := nato.Clearance("NS", label.Held{"Releasable To": {"FRA", "DEU"}, "Only": {"DEU"}})
	require.NoError(t, err)
	amber, err := tlp.Clearance("AMBER", nil)
	require.NoError(t, err)
	both, err := secret.And(amber)
	require.NoError(t, err)
	t.Run("of two policies clears the labels of both", func(t *testing.T) {
		for text, want := range map[string]bool{
			"NATO:SECRET": true, "NATO:TOP%20SECRET": false, "TLP:WHITE": true, "TLP:AMBER": true, "TLP:AMBER+STRICT": false, "TLP:RED": false,
		} {
			l, err := label.Parse(text)
			require.NoError(t, err)
			require.Equal(t, want, both.Dominates(l), text)
			require.Equal(t, want, both.Clears(l))
			require.False(t, label.Clearance{}.Dominates(l))
		}
		_, err := both.And(amber)
		require.ErrorIs(t, err, label.ErrPolicy)
	})
	t.Run("is text", func(t *testing.T) {
		require.Equal(t, "NATO:SECRET;Only=DEU;Releasable%20To=DEU,FRA TLP:AMBER", both.String())
		again, err := label.ParseClearance(both.String(), label.Policies()...)
		require.NoError(t, err)
		require.Equal(t, both.String(), again.String())
		none, err := label.ParseClearance("")
		require.NoError(t, err)
		require.Equal(t, label.Clearance{}.String(), none.String())
		for _, text := range []string{
			"NATO", "NATO:SECRET ", " NATO:SECRET", "TLP:AMBER NATO:SECRET", "NATO:NS", "nato:SECRET", "NATO:SECRET NATO:SECRET",
			"NATO:SECRET;Only=DEU;Only=FRA", "NATO:SECRET;Only=", "NATO:SECRET;Only", "NATO:SECRET;Administrative=x", "NATO:SECRET;Only=DEU,DEU",
			"OTHER:SECRET", "NATO:SECRET;Releasable%20To=DEU;Only=DEU", "NATO:%53ECRET", "NATO:SECRET;On%zzly=DEU", "NATO:SECRET;Only=D%zzEU", ":", "%:",
			strings.Repeat("x", label.MaxCompact+1),
		} {
			_, err := label.ParseClearance(text, label.Policies()...)
			require.Errorf(t, err, "%q", text)
		}
	})
	t.Run("does not allocate", func(t *testing.T) {
		l, err := label.Parse("nato:secret;any:Releasable%20To=FRA,deu")
		require.NoError(t, err)
		require.True(t, secret.Dominates(l))
		require.Zero(t, testing.AllocsPerRun(100, func() { secret.Dominates(l) }))
	})
}

func TestEquivalences(t *testing.T) {
	for _, e := range []*label.Equivalence{label.GermanyNATO(), label.GermanyEU(), label.EUNATO()} {
		require.NotEmpty(t, e.Source())
	}
	vs, err := label.Germany().Label("VS-NfD")
	require.NoError(t, err)
	restricted, err := label.GermanyNATO().Translate(vs, created)
	require.NoError(t, err)
	require.Equal(t, "NATO:RESTRICTED;kind=alternative;uri=urn%3Aoid%3A1.3.26.1.3.1;created=20261129T010000Z", restricted.String())
	back, err := label.GermanyNATO().Translate(restricted, created)
	require.NoError(t, err)
	require.Equal(t, "VS-NUR FÜR DEN DIENSTGEBRAUCH", back.Classification())
	t.Run("around the triangle every step comes back to itself", func(t *testing.T) {
		for _, name := range label.Germany().Classifications() {
			l, err := label.Germany().Label(name)
			require.NoError(t, err)
			viaEU, err := label.GermanyEU().Translate(l, created)
			require.NoError(t, err)
			viaEU, err = label.EUNATO().Translate(viaEU, created)
			require.NoError(t, err)
			direct, err := label.GermanyNATO().Translate(l, created)
			require.NoError(t, err)
			require.True(t, direct.Equal(viaEU), name)
		}
	})
	t.Run("a national clearance is none for what is equivalent", func(t *testing.T) {
		geheim, err := label.Germany().Clearance("STRENG GEHEIM", nil)
		require.NoError(t, err)
		require.True(t, geheim.Dominates(vs))
		require.False(t, geheim.Dominates(restricted))
	})
	t.Run("refuses what cannot be translated", func(t *testing.T) {
		for _, text := range []string{"NATO:UNCLASSIFIED", "TLP:RED", "NATO:SECRET;any:Releasable%20To=DEU", "NATO:SECRET;all:Additional%20Sensitivity=ATOMAL"} {
			l, err := label.Parse(text)
			require.NoError(t, err)
			_, err = label.GermanyNATO().Translate(l, created)
			require.ErrorIs(t, err, label.ErrPolicy, text)
		}
		for _, pairs := range [][][2]string{{{"GEHEIM", "x"}}, {{"x", "SECRET"}}, {{"GEHEIM", "SECRET"}, {"VS-VERTRAULICH", "TOP SECRET"}}, {{"VS-NfD", "SECRET"}, {"GEHEIM", "SECRET"}}} {
			_, err := label.NewEquivalence(label.Germany(), label.NATO(), "test", pairs)
			require.ErrorIs(t, err, label.ErrPolicy)
		}
	})
}

func TestThePoliciesOfThePackage(t *testing.T) {
	var names []string
	for _, p := range label.Policies() {
		require.NotEmpty(t, p.Source())
		names = append(names, fmt.Sprintf("%s %d", p.Name(), len(p.Classifications())))
	}
	require.Equal(t, []string{"NATO 5", "PUBLIC 1", "EU 4", "DEU 4", "TLP 5"}, names)
	require.Equal(t, []string{"CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"}, label.TLP().Classifications())
	_, err := label.TLP().Label("AMBER", label.Category{Tag: "Only", Type: label.Permissive, Values: []string{"x"}})
	require.ErrorIs(t, err, label.ErrPolicy)
}

func BenchmarkClearance(b *testing.B) {
	c, err := label.NATO().Clearance("SECRET", label.Held{"Releasable To": {"DEU", "FRA"}, "Additional Sensitivity": {"ATOMAL"}})
	require.NoError(b, err)
	l, err := label.Parse("NATO:SECRET;all:Additional%20Sensitivity=ATOMAL;any:Releasable%20To=DEU")
	require.NoError(b, err)
	b.Run("dominates", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Dominates(l)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = label.Parse("NATO:SECRET;all:Additional%20Sensitivity=ATOMAL;any:Releasable%20To=DEU")
		}
	})
}

func TestJoinAndMeetKeepWhatDecidesNothing(t *testing.T) {
	make := func(text string) label.Label {
		l, err := label.Parse(text)
		require.NoError(t, err)
		return l
	}
	a := make("NATO:SECRET;info:Administrative=A,B;mark=private;created=20261129T010000Z;review=20281129T010000Z")
	b := make("NATO:NR;info:Administrative=B,C;id=x;created=20261130T010000Z;review=20271129T010000Z")
	joined, ok := label.NATO().Join(a, b)
	require.True(t, ok)
	require.Equal(t, "NATO:SECRET;info:Administrative=A,B,C;uri=urn%3Aoid%3A1.3.26.1.3.1;created=20261130T010000Z;review=20271129T010000Z", joined.String())
	met, ok := label.NATO().Meet(b, a)
	require.True(t, ok)
	require.Equal(t, "NATO:NR;info:Administrative=B;uri=urn%3Aoid%3A1.3.26.1.3.1;created=20261130T010000Z;review=20271129T010000Z", met.String())
	joined, ok = label.NATO().Join(make("NATO:SECRET"), a)
	require.True(t, ok)
	require.Equal(t, a.Spec().Review, joined.Spec().Review, "no review time is none, not the earliest")
}
