package verify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestCanonicalDetailsAreWrittenAsRFC8785Says(t *testing.T) {
	for _, c := range []struct {
		in   map[string]any
		want string
	}{
		{nil, `{}`},
		{map[string]any{}, `{}`},
		{map[string]any{"b": 1, "a": int64(-2), "B": true, "": false}, `{"":false,"B":true,"a":-2,"b":1}`},
		{map[string]any{"n": int64(1<<53 - 1), "m": int64(-(1<<53 - 1)), "z": 0}, `{"m":-9007199254740991,"n":9007199254740991,"z":0}`},
		{map[string]any{"s": "\b\t\n\f\r\x1f\"\\/ä\u2028\U0001F600\x7f"}, "{\"s\":\"\\b\\t\\n\\f\\r\\u001f\\\"\\\\/ä\u2028\U0001F600\x7f\"}"},
		// U+FB33 sorts after the surrogates of U+1F600, though its bytes sort before.
		{map[string]any{"\ufb33": 1, "\U0001F600": 2, "\u20ac": 3, "\r": 4, "1": 5, "\u0080": 6, "ö": 7},
			"{\"\\r\":4,\"1\":5,\"\u0080\":6,\"ö\":7,\"\u20ac\":3,\"\U0001F600\":2,\"\ufb33\":1}"},
		{map[string]any{"l": []any{}, "o": map[string]any{}, "x": []any{"a", []any{true}}}, `{"l":[],"o":{},"x":["a",[true]]}`},
	} {
		got, err := verify.CanonicalDetails(c.in)
		if err != nil || string(got) != c.want {
			t.Errorf("%s, %v, want %s", got, err, c.want)
		}
		if err := verify.CheckDetails(got); err != nil {
			t.Errorf("%s: own output refused: %v", got, err)
		}
	}
}

func TestWhatIsNotCanonicalCannotBeWritten(t *testing.T) {
	deep := map[string]any{}
	for range verify.MaxDepth {
		deep = map[string]any{"d": deep}
	}
	for name, c := range map[string]struct {
		in   map[string]any
		want error
	}{
		"null":           {map[string]any{"x": nil}, verify.ErrMalformed},
		"a float":        {map[string]any{"x": 1.0}, verify.ErrMalformed},
		"a big integer":  {map[string]any{"x": int64(1 << 53)}, verify.ErrMalformed},
		"a small one":    {map[string]any{"x": int64(-1 << 53)}, verify.ErrMalformed},
		"bad UTF-8":      {map[string]any{"x": "\xc3"}, verify.ErrMalformed},
		"a surrogate":    {map[string]any{"x": "\xed\xa0\x80"}, verify.ErrMalformed},
		"bad UTF-8 key":  {map[string]any{"\xc3": 1}, verify.ErrMalformed},
		"U+0000":         {map[string]any{"x": "\x00"}, verify.ErrMalformed},
		"another type":   {map[string]any{"x": []string{"a"}}, verify.ErrMalformed},
		"too deep":       {deep, verify.ErrMalformed},
		"too large":      {map[string]any{"x": strings.Repeat("x", verify.MaxDetails)}, verify.ErrTooLarge},
		"large when raw": {map[string]any{"x": strings.Repeat("\x01", verify.MaxDetails/3)}, verify.ErrTooLarge},
	} {
		if b, err := verify.CanonicalDetails(c.in); !errors.Is(err, c.want) || b != nil {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

func TestStoredDetailsMustBeCanonical(t *testing.T) {
	for _, bad := range []string{
		``, ` `, `null`, `[]`, `"x"`, `1`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{"a":1}}`, `{"a":1} `, "{\"a\":1}\n", ` {"a":1}`,
		`{"a" :1}`, `{"a": 1}`, `{"b":1,"a":2}`, `{"a":1,"a":2}`, `{"a":null}`, `{"a":1.0}`, `{"a":1e3}`, `{"a":01}`, `{"a":-0}`, `{"a":-}`, `{"a":+1}`,
		`{"a":9007199254740992}`, `{"a":-9007199254740992}`, `{"a":99999999999999999999999}`, `{"a":tru}`, `{"a":True}`, `{"a":undefined}`,
		`{"a":"\/"}`, `{"a":"\u0041"}`, `{"a":"\u000a"}`, `{"a":"\u001F"}`, `{"a":"\u0000"}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud800"}`, `{"a":"\x"}`, `{"a":"\`, `{"a":"\u00`,
		"{\"a\":\"\n\"}", "{\"a\":\"\x00\"}", "{\"a\":\"\xff\"}", "{\"a\":\"1234567\xc3\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"\xff\":1}", "\xff", "{\"a\":1,\xc3\xa4:2}",
		`{a:1}`, `{'a':1}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 ,2]}`, `{"a":[1}`, `{"a":[`, `{"\u001f":1,"\b":2}`, "{\"\ufb33\":1,\"\U0001F600\":2}",
		`{"a":` + strings.Repeat("[", 100_000), `{"a":` + strings.Repeat(`{"a":`, verify.MaxDepth) + `1` + strings.Repeat("}", verify.MaxDepth+1),
		`{"a":"` + strings.Repeat("x", verify.MaxDetails) + `"}`,
	} {
		if err := verify.CheckDetails([]byte(bad)); err == nil {
			t.Errorf("%.60q passes", bad)
		}
	}
	for _, good := range []string{
		`{}`, `{"a":"\u0001\u001f\b"}`, `{"\b":2,"\u001f":1}`, `{"":0,"\"":1,"\\":2}`, `{"a":[[],{},true,false,-1,0]}`, "{\"\U0001F600\":2,\"\ufb33\":1}",
		`{"a":` + strings.Repeat("[", verify.MaxDepth-1) + strings.Repeat("]", verify.MaxDepth-1) + `}`, `{"12345678901234567":"1234567890123456ä"}`,
	} {
		if err := verify.CheckDetails([]byte(good)); err != nil {
			t.Errorf("%.60q: %v", good, err)
		}
	}
}

// normal turns decoded JSON into what CanonicalDetails accepts.
func normal(v any) any {
	switch x := v.(type) {
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n
		}
		return 0.5
	case map[string]any:
		for k := range x {
			x[k] = normal(x[k])
		}
	case []any:
		for i := range x {
			x[i] = normal(x[i])
		}
	}
	return v
}

func FuzzCheckDetails(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"b":[true,"x\n"]}`, `{"a":-0}`, "{\"\U0001F600\":2,\"\ufb33\":1}", `{"a":"\u001f"}`, `{"a":{"c":"00"}}`, "{\"a\":\"\xc3\xa4\xe2\x82\xac\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		accepted := verify.CheckDetails(b) == nil
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		var v map[string]any
		if d.Decode(&v) != nil || v == nil {
			if accepted {
				t.Fatalf("%q is not even JSON", b)
			}
			return
		}
		again, err := verify.CanonicalDetails(normal(v).(map[string]any))
		if same := err == nil && bytes.Equal(again, b); same != accepted {
			t.Fatalf("%q accepted %v, canonical form %q (%v)", b, accepted, again, err)
		}
	})
}

func TestDecodedDetailsSurvive(t *testing.T) {
	in := map[string]any{"x": map[string]any{"y": []any{"z", int64(5), true}}}
	b := must(verify.CanonicalDetails(in))
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var out map[string]any
	if d.Decode(&out) != nil || !reflect.DeepEqual(normal(out), any(in)) {
		t.Errorf("%v", out)
	}
}
