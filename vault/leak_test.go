package vault_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"expvar"
	"fmt"
	htmltemplate "html/template"
	"log"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
)

// needle is the secret under test; its encodings below are searched for in everything a sink wrote.
const needle = "N33dle-In-The-Haystack-0123456789"

type (
	exported   struct{ S vault.Secret }
	unexported struct {
		name string
		s    vault.Secret
	}
	pointer  struct{ p *vault.Secret }
	embedded struct{ vault.Secret }
	deep     struct{ inner *unexported }
	generic  struct{ v any }
)

// leakError carries a secret in an unexported field, as careless errors do.
type leakError struct{ s vault.Secret }

func (e leakError) Error() string { return fmt.Sprintf("refused: %v", e.s) }

// holder is a secret type without protection: the matrix must find it, or the matrix proves nothing.
type holder struct{ B []byte }

func nestings(s vault.Secret) map[string]any {
	return map[string]any{
		"the value":                 s,
		"a pointer":                 &s,
		"an exported field":         exported{s},
		"an unexported field":       unexported{"x", s},
		"an unexported pointer":     pointer{&s},
		"an embedded secret":        embedded{s},
		"a pointer to a struct":     &unexported{"x", s},
		"two levels down":           deep{&unexported{"x", s}},
		"an interface field":        generic{s},
		"a slice":                   []vault.Secret{s},
		"a slice of any":            []any{s, 1},
		"an array":                  [1]vault.Secret{s},
		"a map value":               map[string]vault.Secret{"k": s},
		"a map of any":              map[string]any{"k": s},
		"a snapshot":                vault.NewSnapshot(map[vault.Key]vault.Secret{"k": s}),
		"an error field":            leakError{s},
		"a wrapped error":           fmt.Errorf("outer: %w", leakError{s}),
		"a joined error":            errors.Join(leakError{s}, errors.New("x")),
		"a function's return value": func() vault.Secret { return s }(),
	}
}

func verbs() []string {
	return strings.Split("%v %+v %#v %s %q %x %X %d %b %o %O %c %U %t %e %E %f %F %g %G %p %T %w %10v %-10s %.3s %+q %# x", " ")
}

func sinks() map[string]func(v any) string {
	out := map[string]func(v any) string{}
	for _, verb := range verbs() {
		out["fmt "+verb] = func(v any) string { return fmt.Sprintf(verb, v) }
	}
	out["fmt.Sprint"] = func(v any) string { return fmt.Sprint(v) }
	out["fmt.Sprintln"] = func(v any) string { return fmt.Sprintln(v) }
	out["fmt.Errorf"] = func(v any) string { return fmt.Errorf("x %v", v).Error() }
	out["a panic"] = func(v any) (s string) {
		defer func() { s = fmt.Sprint(recover()) }()
		panic(v)
	}
	out["log"] = func(v any) string {
		var b bytes.Buffer
		log.New(&b, "", 0).Print(v)
		return b.String()
	}
	out["slog text"] = func(v any) string {
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("m", "k", v, slog.Group("g", slog.Any("k", v)))
		return b.String()
	}
	out["slog JSON"] = func(v any) string {
		var b bytes.Buffer
		slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "k", v, slog.Group("g", slog.Any("k", v)))
		return b.String()
	}
	out["JSON"] = func(v any) string { return written(json.Marshal(v)) }
	out["indented JSON"] = func(v any) string { return written(json.MarshalIndent(v, "", " ")) }
	out["XML"] = func(v any) string { return written(xml.Marshal(v)) }
	out["gob"] = func(v any) string {
		var b bytes.Buffer
		err := gob.NewEncoder(&b).Encode(v)
		return b.String() + fmt.Sprint(err)
	}
	out["expvar"] = func(v any) string { return expvar.Func(func() any { return v }).String() }
	out["text/template"] = func(v any) string {
		var b bytes.Buffer
		err := template.Must(template.New("").Parse(`{{.}} {{printf "%v %+v %s" . . .}} {{print .}}`)).Execute(&b, v)
		return b.String() + fmt.Sprint(err)
	}
	out["html/template"] = func(v any) string {
		var b bytes.Buffer
		err := htmltemplate.Must(htmltemplate.New("").Parse(`<p title="{{.}}">{{.}}</p><script>let x={{.}}</script>`)).Execute(&b, v)
		return b.String() + fmt.Sprint(err)
	}
	out["testify"] = func(v any) string {
		t := new(recorder)
		require.Equal(t, "other", v) // its diff walks unexported fields by reflection
		return t.b.String()
	}
	return out
}

type recorder struct{ b strings.Builder }

func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(&r.b, format, args...) }
func (r *recorder) FailNow()                          {}

func written(b []byte, err error) string { return string(b) + fmt.Sprint(err) }

// leaks reports whether out contains the needle or part of it in any usual encoding.
func leaks(out string) bool {
	out = strings.Join(strings.Fields(out), " ") // padded verbs
	decimal := strings.Trim(fmt.Sprint([]byte(needle[:6])), "[]")
	forms := []string{
		needle[:8], needle[len(needle)-8:],
		hex.EncodeToString([]byte(needle[:6])), strings.ToUpper(hex.EncodeToString([]byte(needle[:6]))),
		base64.StdEncoding.EncodeToString([]byte(needle[:12])), base64.RawURLEncoding.EncodeToString([]byte(needle[:12])),
		decimal, strings.ReplaceAll(decimal, " ", ", "), strings.ReplaceAll(decimal, " ", ","),
		strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(needle[:6])), "[]byte{"), "}"),
		fmt.Sprintf("% x", needle[:6]),
	}
	for _, verb := range verbs() { // each verb's own way to show bytes and text
		if verb == "%p" || verb == "%T" {
			continue // an address, a type
		}
		for _, v := range []any{[]byte(needle[:6]), needle[:6]} {
			form := strings.Trim(fmt.Sprintf(verb, v), "[]")
			forms = append(forms, strings.Join(strings.Fields(form), " "))
		}
	}
	for _, form := range forms {
		if strings.Contains(out, form) {
			return true
		}
	}
	return false
}

func TestASecretShowsInNoSink(t *testing.T) {
	s := vault.NewSecret([]byte(needle))
	for sink, write := range sinks() {
		t.Run(sink, func(t *testing.T) {
			for nesting, v := range nestings(s) {
				out := write(v)
				require.False(t, leaks(out), "%s through %s leaks", nesting, sink)
			}
		})
	}
}

func TestTheLeakMatrixCatchesAnUnprotectedType(t *testing.T) {
	caught := 0
	for sink, write := range sinks() {
		if sink == "fmt %T" || sink == "fmt %p" {
			continue // show a type and an address, of anything
		}
		t.Run(sink, func(t *testing.T) {
			v := any(holder{[]byte(needle)})
			require.True(t, leaks(write(v)), "the matrix is blind to %s", sink)
		})
		caught++
	}
	require.GreaterOrEqual(t, caught, 40)
}

func TestASecretShowsAMarkWhereTextIsExpected(t *testing.T) {
	s := vault.NewSecret([]byte(needle))
	require.Equal(t, vault.Mark, fmt.Sprint(s))
	require.Equal(t, vault.Mark, fmt.Sprintf("%d", s))
	require.Equal(t, vault.Mark, s.String())
	require.Equal(t, vault.Mark, s.GoString())
	b, err := json.Marshal(exported{s})
	require.NoError(t, err)
	require.JSONEq(t, `{"S":"[secret]"}`, string(b))
	y, err := s.MarshalYAML()
	require.NoError(t, err)
	require.Equal(t, vault.Mark, y)
	x, err := xml.Marshal(exported{s})
	require.NoError(t, err)
	require.Equal(t, `<exported><S>[secret]</S></exported>`, string(x))
}

func TestBinaryEncodersAndAllDecodersRefuseASecret(t *testing.T) {
	s := vault.NewSecret([]byte(needle))
	_, err := s.MarshalBinary()
	require.ErrorIs(t, err, vault.ErrEncode)
	require.Error(t, gob.NewEncoder(new(bytes.Buffer)).Encode(exported{s}))
	require.Error(t, json.Unmarshal([]byte(`{"S":"x"}`), &exported{}))
	require.Error(t, json.Unmarshal([]byte(`{"S":null}`), &exported{}), "null is no value either")
	require.ErrorIs(t, s.UnmarshalText([]byte("x")), vault.ErrEncode)
	require.ErrorIs(t, s.UnmarshalBinary([]byte("x")), vault.ErrEncode)
	require.ErrorIs(t, s.GobDecode([]byte("x")), vault.ErrEncode)
}
