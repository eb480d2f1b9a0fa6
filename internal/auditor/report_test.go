package auditor

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/auditor/sample"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

var lived = sync.OnceValue(func() *sample.Log {
	return sample.New(900, sample.Options{Rotation: 300, Recovery: 600, Witness: true})
})

// life is a log in which everything happened, and files that hold what is known of it outside.
func life(t *testing.T) (log *sample.Log, export, keys, since string) {
	log = lived()
	export = filepath.Join(t.TempDir(), "export.zip")
	require.NoError(t, log.ZipFile(export, nil))
	return log, export, keysFile(t, log.Keys), file(t, log.Checkpoint(700))
}

func TestTheReportIsWrittenForItsOwnerOnly(t *testing.T) {
	log, export, keys, since := life(t)
	for _, lang := range []string{"en", "de"} {
		out := filepath.Join(t.TempDir(), "report.html")
		require.NoError(t, os.WriteFile(out, []byte("an older one"), 0o644))
		code, _, stderr := runVerify(t, export, "--keys", keys, "--since", since, "--report", out, "--lang", lang, "--witness", log.Witness.String())
		require.Equal(t, 0, code, stderr)
		info, err := os.Stat(out)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		text, err := os.ReadFile(out)
		require.NoError(t, err)
		for _, want := range []string{`<html lang="` + lang + `">`, "tomkit-verify " + export, "witness.example/w1", "600", filepath.Base(keys)} {
			require.True(t, strings.Contains(string(text), want), want)
		}
	}
	code, _, stderr := runVerify(t, export, "--report", "/nothing/here")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "report")

	out := filepath.Join(t.TempDir(), "report.html")
	broken := filepath.Join(t.TempDir(), "broken.zip")
	require.NoError(t, log.ZipFile(broken, func(e [][]byte) { e[77][len(e[77])-9] ^= 1 }))
	code, _, _ = runVerify(t, broken, "--report", out, "--quiet")
	require.Equal(t, 1, code)
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, strings.Contains(string(text), "BROKEN"))
}

func TestACommandLineCanBeRepeatedInAShell(t *testing.T) {
	require.Equal(t, `tomkit-verify --keys 'a b' '' 'it'\''s' x.zip`, commandLine([]string{"--keys", "a b", "", "it's", "x.zip"}))
}

func TestDeclaredGapsStandInFront(t *testing.T) {
	_, export, keys, _ := life(t)
	code, stdout, _ := runVerify(t, export, "--keys", keys)
	require.Equal(t, 0, code)
	require.True(t, strings.HasPrefix(stdout, "DECLARED GAP: entries 600 to 639 are lost"), stdout)
	require.Contains(t, stdout, "INTACT")
	code, stdout, _ = runVerify(t, export, "--keys", keys, "--lang", "de")
	require.Equal(t, 0, code)
	require.True(t, strings.HasPrefix(stdout, "ERKLÄRTE LÜCKE: "), stdout)
}

func TestWitnessesAndTheirQuorum(t *testing.T) {
	log, export, _, _ := life(t)
	other := sample.New(1, sample.Options{Witness: true, Foreign: true})
	code, stdout, stderr := runVerify(t, export, "--witness", log.Witness.String())
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stdout, "witness.example/w1: 10 checkpoints, up to size 900")
	for name, c := range map[string]struct {
		code int
		args []string
	}{
		"one of two is too few":        {1, []string{"--witness", log.Witness.String(), "--witness", other.Witness.String()}},
		"one of two is enough":         {0, []string{"--witness", log.Witness.String(), "--witness", other.Witness.String(), "--quorum", "1"}},
		"a quorum nobody can reach":    {2, []string{"--quorum", "1"}},
		"a quorum below zero":          {2, []string{"--quorum", "-2"}},
		"a key that is none":           {2, []string{"--witness", "x"}},
		"a quorum of none is no claim": {0, []string{"--witness", other.Witness.String(), "--quorum", "0"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := runVerify(t, append([]string{export}, c.args...)...)
			require.Equal(t, c.code, code, stderr)
		})
	}
}

func TestIncrementalReadsOnlyWhatCameAfter(t *testing.T) {
	log, export, keys, since := life(t)
	code, stdout, stderr := runVerify(t, export, "--keys", keys, "--since", since, "--incremental", "--json")
	require.Equal(t, 0, code, stderr)
	var r struct {
		From, Entries uint64
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	require.Equal(t, uint64(512), r.From)
	code, stdout, stderr = runVerify(t, export, "--keys", keys, "--since", since, "--incremental")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stdout, "from entry 512 on")

	old := filepath.Join(t.TempDir(), "old.zip")
	require.NoError(t, log.ZipFile(old, func(e [][]byte) { e[77][len(e[77])-9] ^= 1 }))
	code, _, _ = runVerify(t, old, "--since", since, "--incremental", "--keys", keys)
	require.Equal(t, 0, code, "what is trusted is not read")
	code, _, _ = runVerify(t, old, "--since", since, "--keys", keys)
	require.Equal(t, 1, code)
	code, _, stderr = runVerify(t, export, "--incremental")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--since")
}

// members lists the JSON names of a type and of the types in it.
func members(typ reflect.Type, into map[string]bool) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice:
		members(typ.Elem(), into)
		return
	case reflect.Struct:
	default:
		return
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" {
			into[name] = true
		}
		if name != "" || f.Anonymous {
			members(f.Type, into)
		}
	}
}

func TestTheJSONIsTheDocumentedOne(t *testing.T) {
	have := map[string]bool{"kind": true, "seq": true, "text": true} // of a finding, which writes itself
	members(reflect.TypeFor[document](), have)
	for name := range have {
		require.Regexp(t, `\b`+name+`\b`, jsonHelp)
	}
	for _, name := range regexp.MustCompile(`[a-z]+_[a-z_]+`).FindAllString(jsonHelp, -1) {
		require.True(t, have[name], name)
	}
	_, export, _, _ := life(t)
	code, stdout, _ := runVerify(t, export, "--json")
	require.Equal(t, 0, code)
	var document map[string]any
	require.NoError(t, json.Unmarshal([]byte(stdout), &document))
	require.Equal(t, "tomkit-verify/v1", document["format"])
	require.Equal(t, "intact", document["verdict"])
	require.Len(t, document["gaps"], 1)
	require.Equal(t, "900", fmt.Sprint(document["narratives"].(map[string]any)["rendered"]))
	for name := range document {
		require.True(t, have[name], name)
	}
}

func TestALongLogIsSurveyedInBounds(t *testing.T) {
	log := sample.New(1500, sample.Options{Rotation: 500})
	path := filepath.Join(t.TempDir(), "export.zip")
	require.NoError(t, log.ZipFile(path, nil))
	var r result
	export, err := openLocal(path)
	require.NoError(t, err)
	defer export.Close()
	_, err = verify.Verify(t.Context(), export.files, verify.Config{Entry: r.survey.Entry})
	require.NoError(t, err)
	list := r.survey.Critical()
	require.Len(t, list, 20)
	for i := 1; i < len(list); i++ {
		require.Greater(t, list[i-1].Seq, list[i].Seq, "the newest first")
	}
	require.Len(t, r.survey.Events(), 1)
	require.Equal(t, uint64(500), r.survey.Events()[0].Seq)
	require.Equal(t, uint64(1500), r.survey.Narratives.Rendered)
	require.Equal(t, uint64(1), r.survey.Redactions)
}

func TestAReportTakesThePlaceOfNoEvidence(t *testing.T) {
	s := newKit(t)
	export, keys := s.zip(t, 5), keysFile(t, s.keys)
	for _, path := range []string{export, keys} {
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		code, _, stderr := runVerify(t, "--keys", keys, "--report", path, export)
		require.Equal(t, 2, code)
		require.Contains(t, stderr, "is what is read")
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
	code, _, stderr := runVerify(t, "--report", t.TempDir(), export)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "is a directory")
}
