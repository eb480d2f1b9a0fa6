package abac_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

func TestParsePolicy(t *testing.T) {
	long := strings.Repeat("a", abac.MaxSegment)
	for text, want := range map[string]abac.Policy{
		"devices:read":          {Resource: "devices", Action: "read"},
		"!devices:read":         {Deny: true, Resource: "devices", Action: "read"},
		"*:read":                {Resource: "*", Action: "read"},
		"devices:*":             {Resource: "devices", Action: "*"},
		"!*:*":                  {Deny: true, Resource: "*", Action: "*"},
		"devices.disk-0:re_ad2": {Resource: "devices.disk-0", Action: "re_ad2"},
		"!" + long + ":" + long: {Deny: true, Resource: long, Action: long},
	} {
		t.Run("accepts "+text, func(t *testing.T) {
			got, err := abac.ParsePolicy(text)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.Equal(t, text, got.String())
		})
	}
	for name, text := range map[string]string{
		"nothing":                      "",
		"no colon":                     "devices",
		"two colons":                   "a:b:c",
		"an empty resource":            ":read",
		"an empty action":              "devices:",
		"a lone mark":                  "!",
		"two marks":                    "!!devices:read",
		"a mark inside":                "devices:!read",
		"white space before":           " devices:read",
		"white space before a mark":    " !devices:read",
		"white space after":            "devices:read ",
		"a line end":                   "devices:read\n",
		"a NUL":                        "devices:read\x00",
		"upper case":                   "Devices:read",
		"a full-width exclamation":     "！devices:read",
		"the click letter":             "ǃdevices:read",
		"a Cyrillic look-alike":        "dеvices:read",
		"invalid UTF-8":                "devices:re\xffad",
		"a partial wildcard":           "dev*:read",
		"a wildcard below":             "devices.*:read",
		"two wildcards":                "**:read",
		"a leading dot":                ".devices:read",
		"a trailing dot":               "devices.:read",
		"two dots":                     "devices..disk:read",
		"a dotted action":              "devices:read.all",
		"a leading hyphen":             "-devices:read",
		"a leading underscore below":   "devices._x:read",
		"a resource one byte too long": strings.Repeat("a", abac.MaxSegment+1) + ":read",
		"an action one byte too long":  "a:" + strings.Repeat("a", abac.MaxSegment+1),
		"a megabyte":                   strings.Repeat("a:", 1<<19),
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			got, err := abac.ParsePolicy(text)
			require.ErrorIs(t, err, abac.ErrPolicy)
			require.Zero(t, got)
			var at *abac.ParseError
			require.ErrorAs(t, err, &at)
			require.LessOrEqual(t, at.Offset, len(text))
			if len(text) > 2 {
				require.NotContains(t, err.Error(), text, "an error does not repeat the text")
			}
		})
	}
}

func TestAParseErrorNamesThePosition(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "devices": 7, ":read": 0, "!:read": 1, "devices:": 8, "!!devices:read": 1, " devices:read": 0, "devices:re ad": 10,
		"!a.B:read": 3, "a..b:read": 2, "a:b.c": 3, strings.Repeat("a", 65) + ":b": 64, "a:" + strings.Repeat("b", 65): 66,
	} {
		_, err := abac.ParsePolicy(text)
		var at *abac.ParseError
		require.ErrorAs(t, err, &at, text)
		require.Equal(t, want, at.Offset, text)
	}
}

func TestParsePermission(t *testing.T) {
	resource, action, err := abac.ParsePermission("devices.disk:read")
	require.NoError(t, err)
	require.Equal(t, []string{"devices.disk", "read"}, []string{resource, action})
	for _, text := range []string{"*:read", "devices:*", "*:*", "!devices:read", "devices", ""} {
		_, _, err := abac.ParsePermission(text)
		require.ErrorIs(t, err, abac.ErrPolicy, text)
	}
}

// grammar is the documented grammar as a regular expression: a second opinion for the fuzzer.
var grammar = regexp.MustCompile(`^!?(\*|[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*):(\*|[a-z0-9][a-z0-9_-]*)$`)

func FuzzParsePolicy(f *testing.F) {
	for _, seed := range []string{
		"devices:read", "!devices:read", "*:*", "!*:*", "a.b.c:x-y_z", "", "!", ":", "!!a:b", "a:b:c", " a:b", "A:b", "a..b:c",
		"ǃa:b", "a:\x00", strings.Repeat("a", 64) + ":" + strings.Repeat("b", 64), strings.Repeat("a", 65) + ":b",
	} {
		f.Add(seed)
	}
	u, err := abac.NewUniverse("devices:read", "a.b:x")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := abac.ParsePolicy(text)
		body := strings.TrimPrefix(text, "!")
		resource, action, _ := strings.Cut(body, ":")
		legal := grammar.MatchString(text) && len(resource) <= abac.MaxSegment && len(action) <= abac.MaxSegment
		require.Equal(t, legal, err == nil, "%q", text)

		s, compileErr := u.Compile(abac.Source{Policies: []string{"*:*", text}})
		require.Equal(t, err == nil, compileErr == nil)
		if err != nil {
			require.Equal(t, abac.InvalidPolicy, s.DecideString("devices:read").Reason, "an unparsable policy voids the set")
			return
		}
		require.Equal(t, text, p.String())
		require.Equal(t, oracle([]string{"*:*", text}, "devices:read"), s.DecideString("devices:read").Reason)
		_, _, err = abac.ParsePermission(text)
		require.Equal(t, !p.Deny && p.Resource != abac.Any && p.Action != abac.Any, err == nil)
	})
}
