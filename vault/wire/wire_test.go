package wire_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/wire"
)

func TestAddressesAndConfigurationsThatAreRefused(t *testing.T) {
	roots := x509.NewCertPool()
	for name, tc := range map[string]struct {
		address string
		cfg     wire.Config
	}{
		"plain http":                  {"http://vault", wire.Config{Roots: roots}},
		"http with pins":              {"http://vault", wire.Config{AllowPlainHTTPUnsafe: true, Pins: []wire.Pin{{}}}},
		"another scheme":              {"ftp://vault", wire.Config{Roots: roots, AllowPlainHTTPUnsafe: true}},
		"no scheme":                   {"vault:8200", wire.Config{Roots: roots}},
		"nothing":                     {"", wire.Config{Roots: roots}},
		"no host":                     {"https:///v1", wire.Config{Roots: roots}},
		"a password":                  {"https://user:pass@vault", wire.Config{Roots: roots}},
		"a query":                     {"https://vault?x=1", wire.Config{Roots: roots}},
		"an empty query":              {"https://vault?", wire.Config{Roots: roots}},
		"a fragment":                  {"https://vault#", wire.Config{Roots: roots}},
		"a control character":         {"https://vault\r\n", wire.Config{Roots: roots}},
		"no roots":                    {"https://vault", wire.Config{}},
		"a negative timeout":          {"https://vault", wire.Config{Roots: roots, Timeout: -1}},
		"a negative size":             {"https://vault", wire.Config{Roots: roots, MaxBody: -1}},
		"a negative depth":            {"https://vault", wire.Config{Roots: roots, MaxDepth: -1}},
		"a negative number of values": {"https://vault", wire.Config{Roots: roots, MaxValues: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := wire.New(tc.address, tc.cfg)
			require.ErrorIs(t, err, wire.ErrConfig)
			require.NotContains(t, err.Error(), "pass")
		})
	}
}

func TestStatusesHaveTheirClass(t *testing.T) {
	for status, want := range map[int]struct {
		class     error
		retryable bool
	}{
		400: {wire.ErrRefused, false}, 401: {wire.ErrAuth, false}, 403: {wire.ErrPermission, false}, 404: {wire.ErrNotFound, false},
		405: {wire.ErrRefused, false}, 408: {wire.ErrUnavailable, true}, 409: {wire.ErrRefused, false}, 412: {wire.ErrUnavailable, true},
		429: {wire.ErrThrottled, true}, 500: {wire.ErrUnavailable, true}, 502: {wire.ErrUnavailable, true},
		503: {wire.ErrUnavailable, true}, 504: {wire.ErrUnavailable, true},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			e := fails(t, c, want.class)
			require.Equal(t, want.retryable, e.Retryable())
			require.Equal(t, status, e.Status)
			require.Len(t, e.RequestID, 32)
		})
	}
}

func TestRetryAfterIsReadAndCapped(t *testing.T) {
	now := time.Now()
	for value, want := range map[string]time.Duration{
		"":     0,
		"7":    7 * time.Second,
		"9999": wire.MaxRetryAfter,
		"-1":   0,
		"1e3":  0,
		"soon": 0,
		now.Add(30*time.Second + time.Second/2).UTC().Format(http.TimeFormat): 30 * time.Second,
		now.Add(-time.Hour).UTC().Format(http.TimeFormat):                     0,
	} {
		t.Run(value, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", value)
				w.WriteHeader(http.StatusTooManyRequests)
			}, func(cfg *wire.Config) { cfg.Now = func() time.Time { return now.Truncate(time.Second) } })
			require.InDelta(t, want, fails(t, c, wire.ErrThrottled).RetryAfter(), float64(time.Second))
		})
	}
}

func TestPinsAreReadAndWritten(t *testing.T) {
	p := wire.Pin{1, 2, 3}
	back, err := wire.ParsePin(p.String())
	require.NoError(t, err)
	require.Equal(t, p, back)
	for _, text := range []string{"", "sha256/", "sha1/AAAA", p.String()[7:], p.String() + "=", p.String()[:20], p.String() + "\n"} {
		_, err := wire.ParsePin(text)
		require.ErrorIs(t, err, wire.ErrConfig, text)
	}
}

func TestFieldsAreOfTheRightTypeOrAnError(t *testing.T) {
	const doc = `{"text":"\u00e4\ud83d\ude00\n\"","number":-12,"big":99999999999999999999,"fraction":1.0,"yes":true,"no":false,
		"null":null,"object":{"inner":"x"},"texts":["a","b"],"mixed":["a",1],"objects":[{"i":1},{"i":2}],"time":"2026-03-01T08:00:00.5Z"}`
	o, err := wire.Parse([]byte(doc), wire.Config{})
	require.NoError(t, err)
	require.Equal(t, "ä😀\n\"", o.Text("text"))
	require.EqualValues(t, -12, o.Int("number"))
	require.True(t, o.Bool("yes"))
	require.False(t, o.Bool("no"))
	require.Equal(t, "x", o.Object("object").Text("inner"))
	require.Equal(t, []string{"a", "b"}, o.Texts("texts"))
	require.EqualValues(t, 2, o.Objects("objects")[1].Int("i"))
	require.Equal(t, time.Date(2026, 3, 1, 8, 0, 0, 5e8, time.UTC), o.Time("time"))
	require.False(t, o.Has("null"))
	require.False(t, o.Has("absent"))
	require.Len(t, o.Names(), 12)
	require.NoError(t, o.Err())
	for name, read := range map[string]func(*wire.Object){
		"absent text":        func(o *wire.Object) { o.Text("absent") },
		"null text":          func(o *wire.Object) { o.Text("null") },
		"other letters":      func(o *wire.Object) { o.Text("TEXT") },
		"a number as text":   func(o *wire.Object) { o.Text("number") },
		"text as a number":   func(o *wire.Object) { o.Int("text") },
		"a number too big":   func(o *wire.Object) { o.Int("big") },
		"a fraction":         func(o *wire.Object) { o.Int("fraction") },
		"text as bool":       func(o *wire.Object) { o.Bool("text") },
		"text as object":     func(o *wire.Object) { o.Object("text").Text("x") },
		"a mixed array":      func(o *wire.Object) { o.Texts("mixed") },
		"texts as objects":   func(o *wire.Object) { o.Objects("texts") },
		"text as time":       func(o *wire.Object) { o.Time("text") },
		"negative seconds":   func(o *wire.Object) { o.Seconds("number") },
		"a field of a field": func(o *wire.Object) { o.Object("object").Int("inner") },
	} {
		t.Run(name, func(t *testing.T) {
			o, err := wire.Parse([]byte(doc), wire.Config{})
			require.NoError(t, err)
			read(o)
			require.Error(t, o.Err())
		})
	}
	t.Run("very long text", func(t *testing.T) {
		o, err := wire.Parse([]byte(`{"t":"`+strings.Repeat("x", 5000)+`"}`), wire.Config{})
		require.NoError(t, err)
		require.Len(t, o.Bytes("t"), 5000)
		o.Text("t")
		require.Error(t, o.Err())
	})
}

// FuzzParse holds the strict reader against encoding/json: what it accepts, both read in the same way.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":"b"}`, `{"a":"\u0061\ud83d\ude00\n"}`, `{"a":1,"a":2}`, `{"a":[[],{},null,true,-1.5e3,"x"]}`, `{"a":"\ud800"}`, `[1]`,
		` { "a" : { "b" : [ 1 , 2 ] } } `, "{\"a\":\"\xff\"}", `{"a":"b"}x`, `{"":""}`, `{"a":"\ud800\u0041"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want map[string]any
		std := json.Unmarshal(data, &want)
		o, err := wire.Parse(data, wire.Config{})
		if err != nil {
			return
		}
		require.NoError(t, std)
		require.Len(t, o.Names(), len(want))
		for name, value := range want {
			if text, ok := value.(string); ok {
				require.Equal(t, text, string(o.Bytes(name)))
				quoted, err := wire.Quote(nil, []byte(text))
				require.NoError(t, err)
				var back string
				require.NoError(t, json.Unmarshal(quoted, &back))
				require.Equal(t, text, back)
			}
			require.Equal(t, value != nil, o.Has(name))
		}
		require.NoError(t, o.Err())
	})
}

func FuzzParsePin(f *testing.F) {
	f.Add(wire.Pin{1}.String())
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := wire.ParsePin(text); err == nil {
			require.Equal(t, text, p.String())
		}
	})
}
