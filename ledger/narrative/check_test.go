package narrative_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// bind makes the entry of a narrative, with other details beside its form.
func bind(t require.TestingT, n record.Narrative, details map[string]any, commit narrative.Committer) *verify.Entry {
	bound, err := narrative.Bind(n, commit)
	require.NoError(t, err)
	details = maps.Clone(details)
	if details == nil {
		details = map[string]any{}
	}
	details[narrative.Member] = bound.Form
	text, err := verify.CanonicalDetails(details)
	require.NoError(t, err)
	return &verify.Entry{Scheme: verify.SchemeBound, Narrative: bound.Text, Details: text}
}

func requireStatus(t *testing.T, e *verify.Entry, want narrative.Status, cause error) {
	t.Helper()
	have, err := narrative.Check(e)
	require.Equal(t, want, have, "%v", err)
	require.ErrorIs(t, err, cause)
}

func login(value, method string) record.Narrative {
	return record.Narrative{Template: "login", Args: map[string]any{
		"user": person(value), "method": method, "at": time.Date(2026, 3, 9, 14, 23, 1, 0, time.UTC)}}
}

func TestEverySentenceIsRenderedAgainFromItsEntry(t *testing.T) {
	for _, tm := range narrative.All() {
		o := openings{}
		e := bind(t, record.Narrative{Template: tm.ID(), Args: sampleArgs(tm)}, map[string]any{"a": "before", "zz": []any{1, true}}, o.commit)
		requireStatus(t, e, narrative.Rendered, nil)
		again, err := narrative.Render(e.Details)
		require.NoError(t, err)
		require.Equal(t, e.Narrative, again)
		require.NotContains(t, narrative.Readable(again, o.open), "{c:")
	}
}

// What an entry may say instead of the truth.
func TestCheckTellsWhatIsWrong(t *testing.T) {
	form := func(old, new string) func(*verify.Entry) {
		return func(e *verify.Entry) {
			require.Contains(t, string(e.Details), old)
			e.Details = bytes.Replace(e.Details, []byte(old), []byte(new), 1)
		}
	}
	for name, c := range map[string]struct {
		edit   func(*verify.Entry)
		status narrative.Status
		cause  error
	}{
		"the sentence was changed":              {func(e *verify.Entry) { e.Narrative += "!" }, narrative.Differs, narrative.ErrDiffers},
		"the sentence is gone":                  {func(e *verify.Entry) { e.Narrative = "" }, narrative.Differs, narrative.ErrDiffers},
		"another method":                        {form(`"TOTP"`, `"SMS"`), narrative.Differs, narrative.ErrDiffers},
		"another template with these arguments": {form(`"login"`, `"login_first_factor"`), narrative.Differs, narrative.ErrDiffers},
		"a template with other arguments":       {form(`"login"`, `"logout"`), narrative.Differs, narrative.ErrForm},
		"a template nobody knows":               {form(`"login"`, `"grant"`), narrative.Unknown, narrative.ErrUnknownTemplate},
		"a catalogue to come":                   {form(`"v":1`, `"v":2`), narrative.Unknown, narrative.ErrUnknownTemplate},
		"a version before the template":         {form(`"v":1`, `"v":0`), narrative.Differs, narrative.ErrForm},
		"a version that is no integer":          {form(`"v":1`, `"v":01`), narrative.Differs, narrative.ErrForm},
		"a person in plain text": {func(e *verify.Entry) {
			e.Details = []byte(`{"narrative":{"a":{"at":"2026-03-09T14:23:01Z","method":"TOTP","user":"a@b.de"},"t":"login","v":1}}`)
		}, narrative.Differs, narrative.ErrForm},
		"a time that does not exist":  {form(`-03-09T`, `-02-30T`), narrative.Differs, narrative.ErrForm},
		"an hour that does not exist": {form(`T14:`, `T24:`), narrative.Differs, narrative.ErrForm},
		"a leap second":               {form(`:01Z`, `:60Z`), narrative.Differs, narrative.ErrForm},
		"the year 0":                  {form(`"2026-`, `"0000-`), narrative.Differs, narrative.ErrForm},
		"a time in another form":      {form(`01Z"`, `01+00:00"`), narrative.Differs, narrative.ErrForm},
		"a text that is not escaped":  {form(`"TOTP"`, `"{c:"`), narrative.Differs, narrative.ErrForm},
		"a text with a bidi override": {form(`"TOTP"`, "\"\u202eTOTP\""), narrative.Differs, narrative.ErrForm},
		"an escape Escape never made": {form(`"TOTP"`, `"\\u0041"`), narrative.Differs, narrative.ErrForm},
		"half an escape":              {form(`"TOTP"`, `"TOTP\\u20"`), narrative.Differs, narrative.ErrForm},
		"a member more":               {form(`"v":1`, `"v":1,"w":1`), narrative.Differs, narrative.ErrForm},
		"an argument more":            {form(`"method"`, `"extra":1,"method"`), narrative.Differs, narrative.ErrForm},
		"an argument less":            {form(`"method":"TOTP",`, ``), narrative.Differs, narrative.ErrForm},
		"a form that is a text":       {func(e *verify.Entry) { e.Details = []byte(`{"narrative":"login"}`) }, narrative.Differs, narrative.ErrForm},
		"no form":                     {func(e *verify.Entry) { e.Details = []byte(`{"n":1}`) }, narrative.None, nil},
		"a form one level down":       {func(e *verify.Entry) { e.Details = []byte(`{"n":{"narrative":{}}}`) }, narrative.None, nil},
		"no details":                  {func(e *verify.Entry) { e.Details = []byte(`{}`) }, narrative.None, nil},
		"a plain entry":               {func(e *verify.Entry) { e.Scheme = verify.SchemePlain }, narrative.None, nil},
	} {
		t.Run(name, func(t *testing.T) {
			e := bind(t, login("a@b.de", "TOTP"), nil, openings{}.commit)
			c.edit(e)
			requireStatus(t, e, c.status, c.cause)
			_, err := narrative.Check(e)
			if err != nil {
				require.NotContains(t, err.Error(), "a@b.de")
			}
		})
	}
}

// The sentence alone does not say where an argument ends; the form does.
func TestTwoReadingsOfOneSentenceHaveTwoForms(t *testing.T) {
	args := func(granted, revoked string) record.Narrative {
		return record.Narrative{Template: "permission_changed", Args: map[string]any{"subject": person("s"), "user": person("u"),
			"at": time.Unix(0, 0), "granted": granted, "revoked": revoked}}
	}
	commit := openings{}.commit
	a := bind(t, args("a; entzogen b", "c"), nil, commit)
	b := bind(t, args("a", "b; entzogen c"), nil, commit)
	require.Equal(t, a.Narrative, b.Narrative)
	require.NotEqual(t, a.Details, b.Details)
}

func TestAValueSurvivesTheFormAsItStandsInTheSentence(t *testing.T) {
	for _, value := range []string{`"quoted"`, `back\slash`, "zeile\nzwei", "\u202eabc", "{c:x}", "\xff\xfe", "\x00", "ü u\u0308", "\U000e0041", "😀", `\\\"`, ""} {
		e := bind(t, login("a@b.de", value), nil, openings{}.commit)
		requireStatus(t, e, narrative.Rendered, nil)
		require.Contains(t, e.Narrative, narrative.Escape(value))
	}
}

func TestSummaryNamesFaults(t *testing.T) {
	var s narrative.Summary
	good := bind(t, login("a@b.de", "TOTP"), nil, openings{}.commit)
	s.Add(good)
	s.Add(&verify.Entry{Scheme: verify.SchemePlain, Seq: 1})
	changed, unknown := *good, *good
	changed.Seq, changed.Narrative = 2, "Nichts geschah."
	unknown.Seq, unknown.Details = 3, []byte(`{"narrative":{"a":{},"t":"new","v":9}}`)
	s.Add(&changed)
	s.Add(&unknown)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"rendered":1,"unknown":1,"differing":1,"none":1,"faults":[
		{"seq":2,"status":"differs","reason":"narrative: check: the narrative is not what its form gives"},
		{"seq":3,"status":"unknown","reason":"narrative: check: unknown template"}]}`, string(text))
	for range 2 * narrative.MaxFaults {
		s.Add(&changed)
	}
	require.Len(t, s.Faults, narrative.MaxFaults)
	require.EqualValues(t, 2*narrative.MaxFaults+1, s.Differing)
}

// text is short enough that no sentence becomes too large, however much of it is escaped.
var text = rapid.OneOf(rapid.StringN(-1, -1, 120), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }))

func arguments(t *rapid.T, tm *narrative.Template) map[string]any {
	args := map[string]any{}
	for _, a := range tm.Args() {
		switch a.Kind {
		case narrative.Text:
			args[a.Name] = text.Draw(t, a.Name)
			if rapid.Bool().Draw(t, "personal") {
				args[a.Name] = person(rapid.StringN(0, 20, 60).Draw(t, a.Name))
			}
		case narrative.Person:
			args[a.Name] = person(rapid.StringN(0, 20, 60).Draw(t, a.Name))
		case narrative.Count:
			args[a.Name] = rapid.Int64Range(-1<<53+1, 1<<53-1).Draw(t, a.Name)
		case narrative.Moment:
			args[a.Name] = time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, a.Name), 0)
		}
	}
	return args
}

// Whatever the arguments: the entry gives its sentence again, and no other entry does.
func TestRenderingLaws(t *testing.T) {
	all := narrative.All()
	rapid.Check(t, func(t *rapid.T) {
		tm := rapid.SampledFrom(all).Draw(t, "template")
		n := record.Narrative{Template: tm.ID(), Args: arguments(t, tm)}
		e := bind(t, n, map[string]any{"n": 1, "z": "z"}, openings{}.commit)
		if s, err := narrative.Check(e); s != narrative.Rendered {
			t.Fatalf("%v: %v", s, err)
		}
		at := rapid.IntRange(0, len(e.Narrative)-1).Draw(t, "at")
		changed := []byte(e.Narrative)
		changed[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		e.Narrative = string(changed)
		if s, _ := narrative.Check(e); s != narrative.Differs {
			t.Fatalf("a changed sentence is %v", s)
		}
	})
}

// Any bytes: nothing panics, and what is rendered is a sentence that could have been bound.
func FuzzCheck(f *testing.F) {
	for _, tm := range narrative.All()[:20] {
		e := bind(f, record.Narrative{Template: tm.ID(), Args: sampleArgs(tm)}, map[string]any{"x": "y"}, openings{}.commit)
		f.Add(e.Details)
	}
	f.Add([]byte(`{"narrative":{"a":{"at":"2026-03-09T14:23:01Z","method":"\\`))
	f.Fuzz(func(t *testing.T, details []byte) {
		e := &verify.Entry{Scheme: verify.SchemeBound, Details: details}
		var err error
		if e.Narrative, err = narrative.Render(details); err != nil {
			return
		}
		if s, err := narrative.Check(e); s != narrative.Rendered {
			t.Fatalf("rendered, yet %v: %v", s, err)
		}
		for _, r := range e.Narrative {
			if r < 0x20 || r == 0x202e || r == 0x2028 || r == 0xfffd && !bytes.Contains(details, []byte("\ufffd")) {
				t.Fatalf("%q in a sentence", r)
			}
		}
	})
}

// The reader of canonical JSON and encoding/json find the same member.
func TestMemberIsTheOneJSONSees(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return rapid.StringMatching(`[ -~äöü{}\[\]":,\\]{0,12}`).Draw(t, "text")
		case 1:
			return rapid.Int64Range(-9999, 9999).Draw(t, "number")
		case 2:
			return []any{rapid.StringMatching(`[\]}{\["\\]{0,4}`).Draw(t, "in a list"), true}
		}
		return map[string]any{rapid.StringMatching(`[\]}{\["\\]{0,4}`).Draw(t, "in an object"): "x", "narrative": "inner"}
	})
	rapid.Check(t, func(t *rapid.T) {
		details := rapid.MapOf(rapid.StringMatching(`[a-z"\\{]{0,3}`), value).Draw(t, "details")
		e := bind(t, login("a", "b"), details, openings{}.commit)
		if s, err := narrative.Check(e); s != narrative.Rendered {
			t.Fatalf("%s: %v: %v", e.Details, s, err)
		}
		without, err := verify.CanonicalDetails(details)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := narrative.Check(&verify.Entry{Scheme: verify.SchemeBound, Details: without}); s != narrative.None {
			t.Fatalf("%s: %v: %v", without, s, err)
		}
	})
}

var update = flag.Bool("update", false, "write the golden file of the catalogue's newest version, before it is published")

// golden is the file of every sentence of a version: template, example for people, and the entry's narrative and details.
func golden(version int) string { return fmt.Sprintf("testdata/v%d.txt", version) }

func TestPublishedSentencesStay(t *testing.T) {
	if *update {
		require.NoError(t, os.WriteFile(golden(narrative.Version), goldenText(t, narrative.Version), 0o644))
	}
	for version := 1; version <= narrative.Version; version++ {
		text, err := os.ReadFile(golden(version))
		require.NoError(t, err)
		require.Equal(t, string(text), string(goldenText(t, version)), "a published sentence or its rendering changed")
	}
}

func goldenText(t *testing.T, version int) []byte {
	var b bytes.Buffer
	for _, tm := range narrative.All() {
		if tm.Since() != version {
			continue
		}
		o := openings{}
		args := sampleArgs(tm)
		for _, a := range tm.Args() {
			if a.Kind == narrative.Text {
				args[a.Name] = fmt.Sprintf("Beispiel \"%s\"", a.Name)
			}
		}
		e := bind(t, record.Narrative{Template: tm.ID(), Args: args}, nil, o.commit)
		fmt.Fprintf(&b, "%s\n%s\n%s\n%s\n%s\n\n", tm.ID(), tm.Sentence(), narrative.Readable(e.Narrative, o.open), e.Narrative, e.Details)
	}
	return b.Bytes()
}

// Entries of every version that was ever published are rendered again: from the file, with nothing of today's Bind.
func TestFrozenEntriesAreRenderedAgain(t *testing.T) {
	for version := 1; version <= narrative.Version; version++ {
		text, err := os.ReadFile(golden(version))
		require.NoError(t, err)
		lines := slices.Collect(func(yield func(string) bool) {
			for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan() && yield(s.Text()); {
			}
		})
		require.NotEmpty(t, lines)
		for record := range slices.Chunk(lines, 6) {
			requireStatus(t, &verify.Entry{Scheme: verify.SchemeBound, Narrative: record[3], Details: []byte(record[4])}, narrative.Rendered, nil)
		}
	}
}

// What the form costs: the figures of the package comment.
func TestFormCosts(t *testing.T) {
	var sum, plain, persons, n int
	for _, tm := range narrative.All() {
		e := bind(t, record.Narrative{Template: tm.ID(), Args: sampleArgs(tm)}, nil, openings{}.commit)
		p := strings.Count(string(e.Details), `{"c":"`)
		sum += len(e.Details)
		persons += p
		plain += len(e.Details) - 73*p
		n++
	}
	t.Logf("%d templates: form of %d bytes on average, %d without commitments, %.1f commitments", n, sum/n, plain/n, float64(persons)/float64(n))
	require.Less(t, sum/n, 256)
}

func BenchmarkCheck(b *testing.B) {
	e := bind(b, login("a@b.de", "Passwort und TOTP"), map[string]any{"n": 1, "address": map[string]any{"c": strings.Repeat("ab", 32)}}, openings{}.commit)
	b.ReportAllocs()
	for b.Loop() {
		if s, err := narrative.Check(e); s != narrative.Rendered {
			b.Fatal(err)
		}
	}
}
