package narrative_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/record"
)

// openings is a committer with the memory of a ledger's side table.
type openings map[[32]byte]string

func (o openings) commit(p record.Personal) ([32]byte, error) {
	c := sha256.Sum256([]byte("salt" + p.Value))
	o[c] = p.Value
	return c, nil
}

func (o openings) open(c [32]byte) (string, bool) {
	v, ok := o[c]
	return v, ok
}

func person(value string) record.Personal {
	return record.Personal{Subject: uuid.New(), Value: value}
}

// sample returns an argument of the right kind.
func sample(k narrative.Kind) any {
	switch k {
	case narrative.Text:
		return "beispiel"
	case narrative.Person:
		return person("nutzer@klinikum.de")
	case narrative.Count:
		return int64(3)
	}
	return time.Date(2026, 3, 9, 14, 23, 1, 999999999, time.FixedZone("", 3600))
}

func sampleArgs(tm *narrative.Template) map[string]any {
	args := map[string]any{}
	for _, a := range tm.Args() {
		args[a.Name] = sample(a.Kind)
	}
	return args
}

func TestTheDocumentsExamples(t *testing.T) {
	for _, c := range []struct {
		name string
		n    record.Narrative
		want string
	}{
		{"approval of a remediation script", record.Narrative{Template: "remediation_approved", Args: map[string]any{
			"user": person("admin@klinikum.de"), "script": "Firewall-Regel für Port 445", "count": 12,
			"at": time.Date(2026, 3, 9, 14, 23, 1, 0, time.UTC)}},
			"Benutzer admin@klinikum.de hat Remediation-Skript 'Firewall-Regel für Port 445' am 2026-03-09T14:23:01Z zur Ausführung auf 12 Geräten freigegeben."},
		{"approval of a patch an agent found critical", record.Narrative{Template: "patch_approved", Args: map[string]any{
			"agent": "AutoRemediator", "patch": "KB5034441", "user": person("tenant_admin@bank.de"),
			"at": time.Date(2026, 3, 9, 16, 1, 33, 0, time.FixedZone("CET", 3600))}},
			"KI-Agent AutoRemediator hat Patch KB5034441 als kritisch eingestuft. Human-in-the-Loop-Genehmigung durch tenant_admin@bank.de am 2026-03-09T15:01:33Z."},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := openings{}
			bound, err := narrative.Bind(c.n, o.commit)
			require.NoError(t, err)
			require.NotContains(t, bound.Text, "@")
			require.Equal(t, c.want, narrative.Readable(bound.Text, o.open))
			require.Contains(t, narrative.Readable(bound.Text, nil), narrative.Erased)
			require.Len(t, narrative.Commitments(bound.Text), 1)
		})
	}
}

// The actions that TOM 3.3 lists, in its order.
func TestTheDocumentsActionsHaveSentences(t *testing.T) {
	for action, ids := range map[string][]string{
		"Benutzeranmeldung/-abmeldung":              {"login", "logout"},
		"MFA-Aktivierung/-Deaktivierung":            {"mfa_enabled", "mfa_disabled"},
		"Passwortänderung":                          {"password_changed", "password_reset"},
		"Lösungsfreigabe/-ablehnung":                {"solution_approved", "solution_rejected"},
		"KI-Remediations-Genehmigung/-Ablehnung":    {"remediation_approved", "remediation_rejected", "patch_approved"},
		"Berechtigungsänderungen":                   {"permission_changed", "role_defined"},
		"manuelle Befehlsausführung auf Endgeräten": {"command_executed"},
		"Geräteregistrierung/-löschung":             {"device_enrolled", "device_removed"},
		"Fleet-Update-Auslösung":                    {"fleet_update_triggered"},
	} {
		for _, id := range ids {
			_, ok := narrative.Lookup(id)
			require.True(t, ok, "%s: no template %s", action, id)
		}
	}
}

func TestEveryTemplate(t *testing.T) {
	all := narrative.All()
	require.GreaterOrEqual(t, len(all), 40)
	for _, tm := range all {
		t.Run(tm.ID(), func(t *testing.T) {
			o := openings{}
			n := record.Narrative{Template: tm.ID(), Args: sampleArgs(tm)}
			bound, err := narrative.Bind(n, o.commit)
			require.NoError(t, err)
			again, err := narrative.Bind(n, o.commit)
			require.NoError(t, err)
			require.Equal(t, bound, again, "rendering is deterministic")
			readable := narrative.Readable(bound.Text, o.open)
			require.NotContains(t, readable, "{")
			require.True(t, strings.HasSuffix(readable, "."))
			for _, a := range tm.Args() {
				t.Run("refuses a missing "+a.Name, func(t *testing.T) {
					args := sampleArgs(tm)
					delete(args, a.Name)
					requireArgument(t, tm.ID(), a.Name, args)
				})
				t.Run("refuses a wrongly typed "+a.Name, func(t *testing.T) {
					args := sampleArgs(tm)
					args[a.Name] = 1.5
					requireArgument(t, tm.ID(), a.Name, args)
				})
			}
		})
	}
}

func requireArgument(t *testing.T, id, arg string, args map[string]any) {
	t.Helper()
	_, err := narrative.Bind(record.Narrative{Template: id, Args: args}, openings{}.commit)
	require.ErrorIs(t, err, narrative.ErrArgument)
	var ae *narrative.ArgumentError
	require.ErrorAs(t, err, &ae)
	require.Equal(t, arg, ae.Arg)
}

func TestRefusals(t *testing.T) {
	login := func(change func(map[string]any)) record.Narrative {
		args := map[string]any{"user": person("a@b.de"), "at": time.Now(), "method": "Passwort"}
		change(args)
		return record.Narrative{Template: "login", Args: args}
	}
	for _, c := range []struct {
		name string
		n    record.Narrative
		want error
	}{
		{"an unknown template", record.Narrative{Template: "nonsense"}, narrative.ErrUnknownTemplate},
		{"the zero narrative", record.Narrative{}, narrative.ErrUnknownTemplate},
		{"an argument the template does not have", login(func(a map[string]any) { a["extra"] = "x" }), narrative.ErrArgument},
		{"a person in plain text", login(func(a map[string]any) { a["user"] = "a@b.de" }), narrative.ErrArgument},
		{"a nil argument", login(func(a map[string]any) { a["at"] = nil }), narrative.ErrArgument},
		{"a time as text", login(func(a map[string]any) { a["at"] = "2026-01-01" }), narrative.ErrArgument},
		{"a year RFC 3339 cannot write", login(func(a map[string]any) { a["at"] = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }), narrative.ErrArgument},
		{"a personal value over the limit", login(func(a map[string]any) { a["user"] = person(strings.Repeat("x", 1025)) }), narrative.ErrTooLarge},
		{"a sentence over the limit", login(func(a map[string]any) { a["method"] = strings.Repeat("x", 4096) }), narrative.ErrTooLarge},
		{"a sentence whose escapes exceed the limit", login(func(a map[string]any) { a["method"] = strings.Repeat("\x00", 700) }), narrative.ErrTooLarge},
		{"an integer beyond 2^53−1", record.Narrative{Template: "retention_applied", Args: map[string]any{
			"count": int64(1) << 53, "at": time.Now()}}, narrative.ErrArgument},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := narrative.Bind(c.n, openings{}.commit)
			require.ErrorIs(t, err, c.want)
			require.NotContains(t, err.Error(), "a@b.de")
		})
	}
	t.Run("nothing is committed when an argument is wrong", func(t *testing.T) {
		o := openings{}
		_, err := narrative.Bind(login(func(a map[string]any) { a["method"] = 7 }), o.commit)
		require.Error(t, err)
		require.Empty(t, o)
	})
	t.Run("a personal value without a committer", func(t *testing.T) {
		_, err := narrative.Bind(login(func(map[string]any) {}), nil)
		require.ErrorIs(t, err, narrative.ErrArgument)
	})
	t.Run("the committer's error comes through", func(t *testing.T) {
		broken := errors.New("no randomness")
		_, err := narrative.Bind(login(func(map[string]any) {}), func(record.Personal) ([32]byte, error) { return [32]byte{}, broken })
		require.ErrorIs(t, err, broken)
	})
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"Firewall-Regel für Port 445": "Firewall-Regel für Port 445",
		"zeile\nzwei\r":               `zeile\u000azwei\u000d`,
		"\u202egpj.exe":               `\u202egpj.exe`,
		"a\u2066b\u2069":              `a\u2066b\u2069`,
		"a\u200bb\ufeff\u00ad":        `a\u200bb\ufeff\u00ad`,
		"{c:00}":                      `\u007bc:00\u007d`,
		`back\slash`:                  `back\\slash`,
		"\xff":                        `\xff`,
		"tag\U000e0041":               `tag\U000e0041`,
		"u\u0308":                     "ü", // NFC
		"\u200e\u0300":                `\u200e\u0300`,
		"\xfa\u0301\u0301x":           `\xfa\u0301\u0301x`,
		"\u0308ber":                   `\u0308ber`,
		"a\u034f\u0301e\u0301":        `a\u034f\u0301é`,
		`\` + "\u0338":                `\\\u0338`,
		"\U0001f600":                  "\U0001f600",
		"\ufffd":                      "\ufffd",
	} {
		require.Equal(t, want, narrative.Escape(in), "%q", in)
	}
}

func TestAValueCannotForgeACommitment(t *testing.T) {
	forged := "{c:" + strings.Repeat("ab", 32) + "}"
	for _, value := range []string{forged, `\u007bc:` + strings.Repeat("ab", 32) + `\u007d`, "}" + forged + "{"} {
		bound, err := narrative.Bind(record.Narrative{Template: "tenant_created", Args: map[string]any{"tenant": value, "at": time.Now()}}, nil)
		require.NoError(t, err)
		require.Empty(t, narrative.Commitments(bound.Text))
		require.NotContains(t, narrative.Readable(bound.Text, func([32]byte) (string, bool) { return "forged", true }), "forged")
	}
	t.Run("nor can an opening", func(t *testing.T) {
		c := strings.Repeat("cd", 32)
		got := narrative.Readable("{c:"+c+"}", func([32]byte) (string, bool) { return forged, true })
		require.Empty(t, narrative.Commitments(got))
	})
}

func TestReadableLeavesMalformedMarks(t *testing.T) {
	for _, text := range []string{"{c:", "{c:xyz}", "{c:" + strings.Repeat("AB", 32) + "}", "{c:" + strings.Repeat("ab", 32), "{c:{c:{c:"} {
		require.Equal(t, text, narrative.Readable(text, nil))
	}
}

func TestEscapeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
			rapid.StringOf(rapid.RuneFrom([]rune("ae\u200e\u0300\u0301\u0327\u034f\u1161\u11a8\u1100\\{")))).Draw(t, "in")
		out := narrative.Escape(in)
		if !utf8.ValidString(out) || strings.ContainsAny(out, "{}\n\r\x00\u202e\u2028") {
			t.Fatalf("unsafe output %q", out)
		}
		if !norm.NFC.IsNormalString("Gerät e" + out) {
			t.Fatalf("normal form C would change %q", out)
		}
	})
}

func FuzzReadable(f *testing.F) {
	f.Add("Benutzer {c:" + strings.Repeat("0f", 32) + "} hat sich angemeldet.")
	f.Add("{c:{c:}}")
	f.Fuzz(func(t *testing.T, bound string) {
		n := len(narrative.Commitments(bound))
		got := narrative.Readable(bound, func(c [32]byte) (string, bool) { return hex.EncodeToString(c[:]), true })
		if n == 0 && got != bound {
			t.Fatalf("text without a commitment changed")
		}
	})
}

func BenchmarkBind(b *testing.B) {
	n := record.Narrative{Template: "login", Args: map[string]any{"user": person("a@b.de"), "at": time.Now(), "method": "Passwort und TOTP"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := narrative.Bind(n, func(record.Personal) ([32]byte, error) { return [32]byte{1}, nil }); err != nil {
			b.Fatal(err)
		}
	}
}
