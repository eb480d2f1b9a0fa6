package label_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/label"
)

var created = time.Date(2026, 11, 29, 1, 0, 0, 0, time.UTC)

// full returns a spec in which every part is set.
func full(t testing.TB) label.Spec {
	next, err := label.New(label.Spec{Policy: "NATO", Classification: "RESTRICTED", Created: created})
	require.NoError(t, err)
	return label.Spec{
		Kind: label.Metadata, ID: "label-1", Policy: "NATO", PolicyURI: "urn:oid:1.3.26.1.3.1", Classification: "SECRET",
		PrivacyMark: "Personal & <private>",
		Categories: []label.Category{
			{Tag: "Releasable To", Type: label.Permissive, Values: []string{"FRA", "DEU"}, URI: "urn:oid:1.3.26.1.4.2"},
			{Tag: "Additional Sensitivity", Type: label.Restrictive, Values: []string{"ATOMAL, \"x\""}},
			{Tag: "Administrative", Type: label.Informative, Values: []string{"STÄBE"}},
		},
		Originator: label.OriginatorID{Type: "rfc822Name", Value: "author@example.org"},
		Created:    created.Add(123 * time.Nanosecond), Review: created.AddDate(5, 0, 0),
		Succession: label.Succession{At: created.AddDate(1, 0, 0), Label: next},
	}
}

func TestNewRefuses(t *testing.T) {
	require.NoError(t, fault(full(t)))
	category := func(change func(*label.Category)) func(*label.Spec) {
		return func(s *label.Spec) { change(&s.Categories[0]) }
	}
	for name, change := range map[string]func(*label.Spec){
		"no policy":                           func(s *label.Spec) { s.Policy = "" },
		"no classification":                   func(s *label.Spec) { s.Classification = "" },
		"a text that is too long":             func(s *label.Spec) { s.Classification = strings.Repeat("x", label.MaxText+1) },
		"blanks around a text":                func(s *label.Spec) { s.Classification = "SECRET " },
		"two blanks in a row":                 func(s *label.Spec) { s.Classification = "TOP  SECRET" },
		"a zero-width character":              func(s *label.Spec) { s.Classification = "SEC\u200bRET" },
		"a bidi override":                     func(s *label.Spec) { s.PrivacyMark = "\u202eTERCES" },
		"a line break":                        func(s *label.Spec) { s.PrivacyMark = "a\nb" },
		"a no-break space":                    func(s *label.Spec) { s.Classification = "TOP\u00a0SECRET" },
		"what is not UTF-8":                   func(s *label.Spec) { s.Policy = "NATO\xff" },
		"a replacement character":             func(s *label.Spec) { s.Policy = "NATO\ufffd" },
		"a kind that is not known":            func(s *label.Spec) { s.Kind = 9 },
		"an id that is no XML name":           func(s *label.Spec) { s.ID = "1" },
		"a policy URI that is no oid":         func(s *label.Spec) { s.PolicyURI = "http://example.org" },
		"a kind just beyond the last":         func(s *label.Spec) { s.Kind = label.Plain + 1 },
		"an oid without urn:oid":              func(s *label.Spec) { s.PolicyURI = "1.3.26" },
		"an oid that is too long":             func(s *label.Spec) { s.PolicyURI = "urn:oid:1" + strings.Repeat(".1", label.MaxText/2) },
		"an oid with a leading zero":          func(s *label.Spec) { s.PolicyURI = "urn:oid:1.03" },
		"an oid that ends in a dot":           func(s *label.Spec) { s.PolicyURI = "urn:oid:1." },
		"an originator of an unknown type":    func(s *label.Spec) { s.Originator.Type = "email" },
		"an originator without a value":       func(s *label.Spec) { s.Originator.Value = "" },
		"a year that cannot be written":       func(s *label.Spec) { s.Created = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"a successor without its time":        func(s *label.Spec) { s.Succession.At = time.Time{} },
		"a time without its successor":        func(s *label.Spec) { s.Succession.Label = label.Label{} },
		"a category of no type":               category(func(c *label.Category) { c.Type = 0 }),
		"a category of an unknown type":       category(func(c *label.Category) { c.Type = 4 }),
		"a category without a tag":            category(func(c *label.Category) { c.Tag = "" }),
		"a category without values":           category(func(c *label.Category) { c.Values = nil }),
		"a value twice":                       category(func(c *label.Category) { c.Values = []string{"DEU", "DEU"} }),
		"a value twice, in two cases":         category(func(c *label.Category) { c.Values = []string{"DEU", "deu"} }),
		"an empty value":                      category(func(c *label.Category) { c.Values = []string{""} }),
		"a tag twice":                         category(func(c *label.Category) { c.Tag = "Administrative" }),
		"a tag twice, in two cases":           category(func(c *label.Category) { c.Tag = "ADMINISTRATIVE" }),
		"a tag twice, with another type":      category(func(c *label.Category) { c.Tag, c.Type = "administrative", label.Restrictive }),
		"a category URI that is no oid":       category(func(c *label.Category) { c.URI = "x" }),
		"more categories than there may be":   func(s *label.Spec) { s.Categories = many(label.MaxCategories + 1) },
		"more values than there may be":       category(func(c *label.Category) { c.Values = numbered(label.MaxValues + 1) }),
		"a successor with an id":              succeededBy(t, func(s *label.Spec) { s.ID = "x" }),
		"a successor that is of another kind": succeededBy(t, func(s *label.Spec) { s.Kind = label.Alternative }),
		"a successor with a review time":      succeededBy(t, func(s *label.Spec) { s.Review = created }),
	} {
		t.Run(name, func(t *testing.T) {
			s := full(t)
			change(&s)
			err := fault(s)
			require.ErrorIs(t, err, label.ErrLabel)
			var spec *label.SpecError
			require.ErrorAs(t, err, &spec)
			require.NotContains(t, err.Error(), "SECRET", "an error repeats nothing of the label")
		})
	}
	t.Run("a chain of successors that is too long", func(t *testing.T) {
		s := label.Spec{Policy: "P", Classification: "C"}
		for n := 1; ; n++ {
			l, err := label.New(s)
			if err != nil {
				require.Equal(t, label.MaxSuccessions+1, n)
				return
			}
			s.Succession = label.Succession{At: created, Label: l}
		}
	})
}

func TestNewAcceptsWhatIsJustWithinTheLimits(t *testing.T) {
	s := full(t)
	s.Classification = strings.Repeat("x", label.MaxText)
	s.PolicyURI = "urn:oid:" + strings.Repeat("1", label.MaxText-len("urn:oid:"))
	s.ID = "_Az0.-9" + strings.Repeat("x", label.MaxText-7)
	s.Categories = many(label.MaxCategories)
	s.Categories[0].Values = numbered(label.MaxValues)
	require.NoError(t, fault(s))
	s.ID += "x"
	require.Error(t, fault(s))
}

func fault(s label.Spec) error {
	_, err := label.New(s)
	return err
}

func succeededBy(t testing.TB, change func(*label.Spec)) func(*label.Spec) {
	return func(s *label.Spec) {
		next := label.Spec{Policy: "NATO", Classification: "RESTRICTED"}
		change(&next)
		l, err := label.New(next)
		require.NoError(t, err)
		s.Succession.Label = l
	}
}

func numbered(n int) (texts []string) {
	for i := range n {
		texts = append(texts, "V"+strings.Repeat("i", i%100)+strings.Repeat("o", i/100))
	}
	return texts
}

func many(n int) (all []label.Category) {
	for _, tag := range numbered(n) {
		all = append(all, label.Category{Tag: tag, Type: label.Restrictive, Values: []string{"x"}})
	}
	return all
}

func TestALabelIsImmutable(t *testing.T) {
	s := full(t)
	l, err := label.New(s)
	require.NoError(t, err)
	before := l.String()
	s.Categories[0].Values[0], s.Categories[0].Tag, s.Classification = "changed", "changed", "changed"
	got := l.Spec()
	got.Categories[0].Values[0], got.Categories[0].Tag, got.Classification = "changed", "changed", "changed"
	require.Equal(t, before, l.String())
}

func TestEqual(t *testing.T) {
	l, err := label.New(full(t))
	require.NoError(t, err)
	reordered := full(t)
	reordered.Categories[0], reordered.Categories[2] = reordered.Categories[2], reordered.Categories[0]
	reordered.Categories[2].Values = []string{"DEU", "FRA"}
	reordered.Created = reordered.Created.In(time.FixedZone("CET", 3600))
	m, err := label.New(reordered)
	require.NoError(t, err)
	require.True(t, l.Equal(m), "the order of categories and the zone of a time say nothing")
	require.Equal(t, l.String(), m.String())
	require.True(t, label.Label{}.Equal(label.Label{}))
	require.False(t, l.Equal(label.Label{}))
	require.False(t, label.Label{}.Equal(l))
	for name, change := range map[string]func(*label.Spec){
		"kind":           func(s *label.Spec) { s.Kind = label.Plain },
		"id":             func(s *label.Spec) { s.ID = "label-2" },
		"policy":         func(s *label.Spec) { s.Policy = "nato" },
		"policy URI":     func(s *label.Spec) { s.PolicyURI = "" },
		"classification": func(s *label.Spec) { s.Classification = "TOP SECRET" },
		"privacy mark":   func(s *label.Spec) { s.PrivacyMark = "" },
		"value":          func(s *label.Spec) { s.Categories[0].Values[0] = "ITA" },
		"category":       func(s *label.Spec) { s.Categories = s.Categories[1:] },
		"type":           func(s *label.Spec) { s.Categories[2].Type = label.Restrictive },
		"category URI":   func(s *label.Spec) { s.Categories[0].URI = "" },
		"originator":     func(s *label.Spec) { s.Originator = label.OriginatorID{} },
		"creation":       func(s *label.Spec) { s.Created = created },
		"review":         func(s *label.Spec) { s.Review = time.Time{} },
		"succession":     func(s *label.Spec) { s.Succession.At = created },
		"successor":      succeededBy(t, func(s *label.Spec) { s.Classification = "SECRET" }),
	} {
		s := full(t)
		change(&s)
		m, err := label.New(s)
		require.NoError(t, err, name)
		require.False(t, l.Equal(m), name)
		require.NotEqual(t, l.String(), m.String(), name)
	}
}

func TestCompactForm(t *testing.T) {
	l, err := label.New(full(t))
	require.NoError(t, err)
	require.Equal(t, "NATO:SECRET;all:Additional%20Sensitivity=ATOMAL%2C%20%22x%22;info:Administrative=ST%C3%84BE;"+
		"any:Releasable%20To=DEU,FRA,oid:1.3.26.1.4.2;kind=metadata;id=label-1;uri=urn%3Aoid%3A1.3.26.1.3.1;"+
		"mark=Personal%20%26%20%3Cprivate%3E;by=rfc822Name,author@example.org;created=20261129T010000.000000123Z;"+
		"review=20311129T010000Z;next=20271129T010000Z,NATO%3ARESTRICTED%3Bcreated%3D20261129T010000Z", l.String())
	again, err := label.Parse(l.String())
	require.NoError(t, err)
	require.True(t, l.Equal(again))
	t.Run("is the marking itself where there is no more to say", func(t *testing.T) {
		l, err := label.TLP().Label("AMBER+STRICT")
		require.NoError(t, err)
		require.Equal(t, "TLP:AMBER+STRICT", l.String())
	})
	t.Run("has one text for a label", func(t *testing.T) {
		for _, text := range []string{
			"", "NATO", "NATO:", ":SECRET", "NATO:SECRET;", "NATO:SECRET; created=20261129T010000Z", "NATO:TOP SECRET",
			"NATO:%53ECRET", "NATO:TOP%20SECRET%", "NATO:TOP%2", "NATO:A%2fB", "NATO:SECRET;all:A=x;all:A=y", "NATO:SECRET;all:A=",
			"NATO:SECRET;all:A=y,x", "NATO:SECRET;all:B=x;all:A=x", "NATO:SECRET;some:A=x", "NATO:SECRET;all:A", "NATO:SECRET;kind=originator",
			"NATO:SECRET;kind=other", "NATO:SECRET;mark=", "NATO:SECRET;mark=a;mark=b", "NATO:SECRET;what=ever", "NATO:SECRET;created=20261129T010000.100Z",
			"NATO:SECRET;created=2026-11-29T01:00:00Z", "NATO:SECRET;review=20261129T010000Z;created=20261129T010000Z", "NATO:SECRET;by=x,y",
			"NATO:SECRET;next=20261129T010000Z", "NATO:SECRET;next=20261129T010000Z,", "NATO:SECRET;next=,NATO%3ASECRET",
			"NATO:SECRET;all:A=x,oid:", "NATO:SECRET;all:A=x,oid:1.2,oid:1.3", "NATO:SECRET;created=00010101T000000Z", "NATO:SECRET\n", "\x00",
		} {
			_, err := label.Parse(text)
			require.ErrorIsf(t, err, label.ErrLabel, "%q", text)
		}
		_, err := label.Parse("NATO:" + strings.Repeat("x", label.MaxCompact))
		require.ErrorIs(t, err, label.ErrLabel)
	})
	t.Run("is the text in JSON", func(t *testing.T) {
		out, err := json.Marshal(map[string]label.Label{"l": l, "none": {}})
		require.NoError(t, err)
		var in map[string]label.Label
		require.NoError(t, json.Unmarshal(out, &in))
		require.True(t, in["l"].Equal(l))
		require.True(t, in["none"].IsZero())
		require.Error(t, json.Unmarshal([]byte(`{"l":"nonsense"}`), &in))
	})
}

// texts draws what a text of a label may be, odd characters included.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[A-Z]{1,6}( [A-Z]{1,6})?`),
		rapid.SampledFrom([]string{"Ü", "a&b", "<x>", "a,b", "a;b", "a:b", "a=b", "%41", "\"'", "oid:1", "]]>", "日本", "ß", "a/b", "-", ",oid:1"}),
	)
}

func specs() *rapid.Generator[label.Spec] {
	return rapid.Custom(func(t *rapid.T) label.Spec {
		s := label.Spec{
			Kind:           label.Kind(rapid.IntRange(0, 3).Draw(t, "kind")),
			ID:             rapid.SampledFrom([]string{"", "a", "_x-1.2"}).Draw(t, "id"),
			Policy:         texts().Draw(t, "policy"),
			PolicyURI:      rapid.SampledFrom([]string{"", "urn:oid:1.2.3", "urn:oid:0"}).Draw(t, "uri"),
			Classification: texts().Draw(t, "classification"),
			PrivacyMark:    rapid.OneOf(rapid.Just(""), texts()).Draw(t, "mark"),
			Created:        time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "created"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")),
		}
		for _, tag := range rapid.SliceOfNDistinct(texts(), 0, 4, strings.ToUpper).Draw(t, "tags") {
			s.Categories = append(s.Categories, label.Category{
				Tag: tag, Type: label.Type(rapid.IntRange(1, 3).Draw(t, "type")),
				Values: rapid.SliceOfNDistinct(texts(), 1, 4, strings.ToUpper).Draw(t, "values"),
				URI:    rapid.SampledFrom([]string{"", "urn:oid:2.25.7"}).Draw(t, "oid"),
			})
		}
		if rapid.Bool().Draw(t, "originator") {
			s.Originator = label.OriginatorID{Type: rapid.SampledFrom(label.OriginatorTypes()).Draw(t, "type"), Value: texts().Draw(t, "by")}
		}
		if rapid.Bool().Draw(t, "reviewed") {
			s.Review = created
		}
		return s
	})
}

// TestBothFormsKeepEverything writes and reads labels of every shape, successors included.
func TestBothFormsKeepEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := specs().Draw(t, "label")
		if rapid.Bool().Draw(t, "succeeded") {
			next := specs().Draw(t, "successor")
			next.Kind, next.ID, next.Review = label.Originator, "", time.Time{}
			l, err := label.New(next)
			require.NoError(t, err)
			s.Succession = label.Succession{At: created, Label: l}
		}
		l, err := label.New(s)
		require.NoError(t, err)

		parsed, err := label.Parse(l.String())
		require.NoError(t, err)
		require.True(t, l.Equal(parsed))
		require.Equal(t, l.String(), parsed.String())

		document, err := l.XML()
		require.NoError(t, err)
		read, err := label.ParseXML(document)
		require.NoError(t, err)
		require.Truef(t, l.Equal(read), "%s\n%s\n%s", document, l, read)
		again, err := read.XML()
		require.NoError(t, err)
		require.Equal(t, string(document), string(again))
	})
}

func TestAClearanceIsAConditionOfABAC(t *testing.T) {
	u, err := abac.NewUniverse("reports:read")
	require.NoError(t, err)
	q, err := u.Require("reports:read", abac.Cleared())
	require.NoError(t, err)
	set, err := u.Compile(abac.Source{Policies: []string{"*:*"}})
	require.NoError(t, err)
	secret, err := label.NATO().Clearance("SECRET", nil)
	require.NoError(t, err)
	report, err := label.NATO().Label("SECRET")
	require.NoError(t, err)
	above, err := label.NATO().Label("TOP SECRET")
	require.NoError(t, err)
	sub := &abac.Subject{Set: set, Clearance: secret}
	require.True(t, q.Decide(sub, abac.Request{Label: report}).Allowed)
	require.Equal(t, abac.LabelTooLow, q.Decide(sub, abac.Request{Label: above}).Reason)
	require.Equal(t, abac.LabelTooLow, q.Decide(sub, abac.Request{Label: label.Label{}}).Reason)
	require.Equal(t, abac.LabelTooLow, q.Decide(sub, abac.Request{Label: &report}).Reason)
	require.Equal(t, abac.LabelTooLow, q.Decide(&abac.Subject{Set: set, Clearance: label.Clearance{}}, abac.Request{Label: report}).Reason)
	require.Zero(t, testing.AllocsPerRun(100, func() { q.Decide(sub, abac.Request{Label: report}) }))
}
