package page

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/auditor/sample"
	"github.com/pioneerdesk/tomkit/internal/auditor/survey"
	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// render verifies an export and writes its page; with TOMKIT_TEST_PAGES it stays in that directory, to look at.
func render(t testing.TB, l words.Lang, archive []byte, cfg verify.Config) string {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	require.NoError(t, err)
	var s survey.Survey
	cfg.Entry = s.Entry
	r, err := verify.Verify(context.Background(), z, cfg)
	require.NoError(t, err)
	in := Input{Lang: l, Report: r, Survey: &s, Export: z, Source: "export.zip", Tool: "tomkit-verify test",
		Command: "tomkit-verify --report report.html export.zip", At: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC),
		Files: []File{{"export.zip", strings.Repeat("0123", 16)}}}
	if cfg.Keys != nil {
		in.Given = append(in.Given, Given{"keys", "keys.json", "the checkpoint is signed by them", true})
	}
	var b bytes.Buffer
	require.NoError(t, Write(&b, in))
	if dir := os.Getenv("TOMKIT_TEST_PAGES"); dir != "" {
		name := strings.ReplaceAll(t.Name(), "/", "-") + "-" + string(l) + ".html"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o600))
	}
	return b.String()
}

// life is a log in which everything happened.
var life = sync.OnceValue(func() *sample.Log {
	return sample.New(600, sample.Options{Rotation: 200, Recovery: 400, Closing: true, Witness: true})
})

// touch changes the first place where the entry says old.
func touch(seq int, old, new string) func([][]byte) {
	return func(e [][]byte) { e[seq] = bytes.Replace(e[seq], []byte(old), []byte(new), 1) }
}

var (
	tags     = regexp.MustCompile(`<(h[1-3]|section|table|caption|th scope="col"|svg class="chart"|tr class="fault"|tr class="differs")[^>]*>([^<]*)`)
	external = regexp.MustCompile(`(?i)(\s(href|src|action|srcset|poster)=|url\(|@import|<script|<link|<img|<iframe|<object|<embed|<form|\son[a-z]+=|style=|javascript:|data:)`)
)

// outline is the structure of a page: its headings, tables and charts, without what varies.
func outline(text string) string {
	var b strings.Builder
	for _, m := range tags.FindAllStringSubmatch(text, -1) {
		kind, _, _ := strings.Cut(m[1], " ")
		b.WriteString(kind + " " + strings.TrimSpace(m[2]) + "\n")
	}
	return b.String()
}

func TestTheStructureOfAPage(t *testing.T) {
	log := life()
	intact := verify.Config{Keys: log.Keys, Witnesses: []*sign.WitnessPublicKey{log.Witness}, Quorum: 1}
	for name, c := range map[string]struct {
		archive []byte
		cfg     verify.Config
	}{
		"intact": {log.Zip(nil), intact},
		"broken": {log.Zip(touch(477, "am 2026-", "am 2027-")), verify.Config{}},
	} {
		for _, l := range []words.Lang{words.English, words.German} {
			t.Run(name, func(t *testing.T) {
				have := outline(render(t, l, c.archive, c.cfg))
				golden := filepath.Join("testdata", name+"-"+string(l)+".txt")
				if os.Getenv("TOMKIT_UPDATE_GOLDEN") != "" {
					require.NoError(t, os.MkdirAll("testdata", 0o755))
					require.NoError(t, os.WriteFile(golden, []byte(have), 0o644))
				}
				want, err := os.ReadFile(golden)
				require.NoError(t, err)
				require.Equal(t, string(want), have)
			})
		}
	}
}

func TestAPageShowsWhatNobodyShouldMiss(t *testing.T) {
	log := life()
	text := render(t, words.English, log.Zip(nil), verify.Config{Witnesses: []*sign.WitnessPublicKey{log.Witness}})
	for _, want := range []string{
		"INTACT", "DECLARED GAP", "the entries 400 to 439 are lost", "KEYS NOT PINNED", "CLOSED LOG", "announced by entry 200",
		"witness.example/w1", "keys changed", "restored with a declared gap", "log closed", "rendered again", `class="gap"`, "tomkit-verify --report",
		"Nothing was brought from outside",
	} {
		require.True(t, strings.Contains(text, want), want)
	}
	require.False(t, strings.Contains(text, "BROKEN"))

	text = render(t, words.German, log.Zip(touch(477, "am 2026-", "am 2027-")), verify.Config{Keys: log.Keys})
	for _, want := range []string{
		`<html lang="de">`, "VERÄNDERT", "Eintrag 477", "Umfeld von Eintrag 477", "Feld für Feld", `class="faultline"`, "✗", "ERKLÄRTE LÜCKE",
	} {
		require.True(t, strings.Contains(text, want), want)
	}
	require.False(t, strings.Contains(text, "SCHLÜSSEL NICHT VORGEGEBEN"))
}

func TestAPageLoadsAndRunsNothing(t *testing.T) {
	log := life()
	text := render(t, words.English, log.Zip(nil), verify.Config{})
	require.Empty(t, external.FindAllString(text, -1))
	policy := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]+)"`).FindStringSubmatch(text)
	require.NotNil(t, policy)
	style := text[strings.Index(text, "<style>")+len("<style>") : strings.Index(text, "</style>")]
	sum := sha256.Sum256([]byte(style))
	require.Equal(t, "default-src &#39;none&#39;; style-src &#39;sha256-"+strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;")+
		"&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;", policy[1])
	require.Less(t, strings.Index(text, "Content-Security-Policy"), strings.Index(text, "<style>"), "the policy comes first")
	require.Equal(t, strings.Count(text, "<table"), strings.Count(text, "<thead>"), "every table has its headers")
	require.True(t, strings.Contains(text, `role="img"`))
}

func TestHostileTextStaysText(t *testing.T) {
	attack := `</td></table><script>alert(1)</script><img src=x onerror=alert(1)>" onmouseover="alert(1)` + "\u202e\x1b[2J{{.}}"
	log := sample.New(300, sample.Options{Edit: func(e *verify.Entry) {
		if e.Class == verify.Critical || e.Seq == 150 {
			e.Narrative, e.EntityID = attack, attack
			e.Details = []byte(`{"a":"<script>alert(2)</script>"}`)
		}
	}})
	text := render(t, words.English, log.Zip(func(e [][]byte) { e[150][100] ^= 1 }), verify.Config{})
	for _, bad := range []string{"<script", "<img", "onerror=alert(1)>", "\u202e", "\x1b", `" onmouseover="`} {
		require.False(t, strings.Contains(text, bad), bad)
	}
	for _, want := range []string{"&lt;script&gt;alert(1)", `\u202e\u001b`, "{{.}}"} {
		require.True(t, strings.Contains(text, want), want)
	}
}

func TestAPageStaysSmallHoweverLongOrBrokenTheLog(t *testing.T) {
	long := strings.Repeat("ä", 2000)
	log := sample.New(1500, sample.Options{Plain: true, Edit: func(e *verify.Entry) { e.Narrative = long }})
	text := render(t, words.English, log.Zip(func(e [][]byte) {
		for i := 5; i < len(e); i += 2 {
			e[i][60] ^= 1
		}
	}), verify.Config{MaxFindings: 20})
	require.Less(t, len(text), 400<<10)
}

func TestTheEmptyAndTheUnreadableHavePagesToo(t *testing.T) {
	log := sample.New(300, sample.Options{})
	text := render(t, words.English, log.Zip(func(e [][]byte) {
		for i := range e {
			e[i] = []byte{1}
		}
	}), verify.Config{})
	require.True(t, strings.Contains(text, "BROKEN"))
	require.True(t, strings.Contains(text, "not in form: 1 bytes"))
}

// TestColoursCanBeRead computes the contrasts of text on its background as WCAG 2.2 defines them; AA asks for 4.5.
func TestColoursCanBeRead(t *testing.T) {
	schemes := regexp.MustCompile(`:root\{([^}]*)\}`).FindAllStringSubmatch(css, -1)
	require.Len(t, schemes, 3)
	for i, s := range schemes {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+):#([0-9a-f]{3,6})`).FindAllStringSubmatch(s[1], -1) {
			colour[m[1]] = luminance(t, m[2])
		}
		for _, pair := range [][2]string{
			{"ink", "bg"}, {"ink", "paper"}, {"soft", "bg"}, {"soft", "paper"}, {"good", "paper"}, {"bad", "paper"}, {"warn", "paper"},
			{"good", "good-bg"}, {"bad", "bad-bg"}, {"warn", "warn-bg"}, {"ink", "good-bg"}, {"ink", "bad-bg"}, {"ink", "warn-bg"}, {"soft", "good-bg"},
			{"soft", "bad-bg"}, {"ink", "code"}, {"good", "bad-bg"},
		} {
			a, b := colour[pair[0]], colour[pair[1]]
			require.GreaterOrEqualf(t, (max(a, b)+0.05)/(min(a, b)+0.05), 4.5, "scheme %d: %s on %s", i, pair[0], pair[1])
		}
		for _, graphic := range []string{"bar", "crit", "accent"} { // graphics need 3
			a, b := colour[graphic], colour["paper"]
			require.GreaterOrEqualf(t, (max(a, b)+0.05)/(min(a, b)+0.05), 3.0, "scheme %d: %s", i, graphic)
		}
	}
}

func luminance(t *testing.T, hex string) float64 {
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	require.NoError(t, err)
	part := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(n>>16) + 0.7152*part(n>>8) + 0.0722*part(n)
}
