package credential_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn/credential"
)

var (
	tenant = uuid.MustParse("01020304-0506-4708-890a-0b0c0d0e0f10")
	kinds  = []credential.Kind{credential.Step, credential.Refresh, credential.API, credential.Enrol, credential.Device}
)

// text builds a credential from its parts, right or wrong.
func text(kind string, tenant, random []byte) string {
	enc := base64.RawURLEncoding
	return "tk1_" + kind + "_" + enc.EncodeToString(tenant) + "_" + enc.EncodeToString(random)
}

func TestACredentialReadsBackAsItWasMade(t *testing.T) {
	for _, k := range kinds {
		c, err := credential.New(k, tenant)
		require.NoError(t, err)
		require.LessOrEqual(t, len(c.Reveal()), credential.MaxLen)
		got, err := credential.Parse(k, c.Reveal())
		require.NoError(t, err)
		require.Equal(t, k, got.Kind())
		require.Equal(t, tenant, got.Tenant())
		require.Equal(t, c.Hash(), got.Hash())
		require.Equal(t, c.Reveal(), got.Reveal())
	}
}

func TestTheTextIsTheContractsAndTheHashIsOfTheRandomPart(t *testing.T) {
	random := bytes.Repeat([]byte{0xfb}, 32) // base64url with "-" and "_" in it
	s := text("api", tenant[:], random)
	require.Equal(t, "tk1_api_AQIDBAUGRwiJCgsMDQ4PEA_"+strings.Repeat("-_v7", 10)+"-_s", s)
	c, err := credential.Parse(credential.API, s)
	require.NoError(t, err)
	require.Equal(t, sha256.Sum256(random), c.Hash())
	require.Equal(t, s, c.Reveal())
}

func TestUnderscoresInBase64DoNotMoveTheParts(t *testing.T) {
	id := uuid.UUID(bytes.Repeat([]byte{0xff}, 16))
	s := text("device", id[:], bytes.Repeat([]byte{0xff}, 32))
	require.Contains(t, s, "____")
	c, err := credential.Parse(credential.Device, s)
	require.NoError(t, err)
	require.Equal(t, id, c.Tenant())
}

func TestOneKindIsNeverAnother(t *testing.T) {
	for _, made := range kinds {
		c, err := credential.New(made, tenant)
		require.NoError(t, err)
		for _, expected := range kinds {
			_, err := credential.Parse(expected, c.Reveal())
			if made == expected {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, credential.ErrKind)
			}
		}
	}
}

func TestParseTakesOneForm(t *testing.T) {
	random := bytes.Repeat([]byte{7}, 32)
	good := text("step", tenant[:], random)
	_, err := credential.Parse(credential.Step, good)
	require.NoError(t, err)
	for name, s := range map[string]string{
		"empty":                    "",
		"the prefix alone":         "tk1_",
		"another version":          "tk2" + good[3:],
		"upper case":               strings.ToUpper(good[:8]) + good[8:],
		"an unknown kind":          text("root", tenant[:], random),
		"no kind":                  text("", tenant[:], random),
		"a nil tenant":             text("step", make([]byte, 16), random),
		"a short tenant":           text("step", tenant[:15], random),
		"a short random part":      text("step", tenant[:], random[:31]),
		"a long random part":       text("step", tenant[:], append(bytes.Clone(random), 1)),
		"a leading space":          " " + good,
		"a trailing line break":    good + "\n",
		"a line break for a digit": good[:len(good)-1] + "\n",
		"an inner line break":      good[:20] + "\n" + good[21:],
		"padding":                  good + "=",
		"trailing bits":            good[:len(good)-1] + "d",
		"standard base64":          good[:len(good)-2] + "+/",
		"a fifth part":             good + "_x",
		"enormous":                 "tk1_step_" + strings.Repeat("A", 1<<20),
	} {
		_, err := credential.Parse(credential.Step, s)
		require.ErrorIs(t, err, credential.ErrMalformed, name)
	}
	for i := range len(good) {
		_, err := credential.Parse(credential.Step, good[:i])
		require.Error(t, err)
	}
}

func TestNewRefusesUnknownKindsAndNilTenants(t *testing.T) {
	_, err := credential.New("root", tenant)
	require.ErrorIs(t, err, credential.ErrKind)
	_, err = credential.New(credential.Step, uuid.Nil)
	require.ErrorIs(t, err, credential.ErrTenant)
	_, err = credential.Parse("root", "tk1_root_x")
	require.ErrorIs(t, err, credential.ErrKind)
}

func TestCredentialsDiffer(t *testing.T) {
	seen := map[[32]byte]bool{}
	for range 1000 {
		c, err := credential.New(credential.Step, tenant)
		require.NoError(t, err)
		seen[c.Hash()] = true
	}
	require.Len(t, seen, 1000)
}

func TestTheZeroCredentialIsNone(t *testing.T) {
	var c credential.Credential
	require.Empty(t, c.Reveal())
	require.Zero(t, c.Hash())
	require.Empty(t, c.Kind())
	_, err := credential.Parse(credential.Step, c.Reveal())
	require.Error(t, err)
}

func TestACredentialShowsInNoSink(t *testing.T) {
	c, err := credential.New(credential.API, tenant)
	require.NoError(t, err)
	secret := c.Reveal()[len(c.Reveal())-20:]
	type unexported struct{ c credential.Credential }
	var log, bin bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "c", c, "u", unexported{c})
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "c", c, "u", unexported{c})
	js, err := json.Marshal(map[string]any{"c": c, "u": unexported{c}})
	require.NoError(t, err)
	require.Error(t, gob.NewEncoder(&bin).Encode(struct{ C credential.Credential }{c}))
	for _, out := range []string{
		log.String(), string(js), bin.String(), c.String(), c.GoString(),
		fmt.Sprintf("%v %+v %#v %s %q %x %d", c, c, c, c, c, c, c),
		fmt.Sprintf("%v %+v %#v", unexported{c}, unexported{c}, unexported{c}), fmt.Sprintf("%s %x", any(unexported{c}), any(unexported{c})),
		fmt.Errorf("x: %v", &c).Error(),
	} {
		require.NotContains(t, out, secret)
	}
	require.JSONEq(t, `{"c":"[credential]","u":{}}`, string(js))
}

func FuzzParse(f *testing.F) {
	for _, k := range kinds {
		f.Add(text(string(k), tenant[:], bytes.Repeat([]byte{0xfe}, 32)))
	}
	f.Add("tk1_step_")
	f.Fuzz(func(t *testing.T, s string) {
		for _, k := range kinds {
			c, err := credential.Parse(k, s)
			if err == nil {
				require.Equal(t, s, c.Reveal(), "one credential has one text")
				require.NotEqual(t, uuid.Nil, c.Tenant())
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	c, err := credential.New(credential.Device, tenant)
	require.NoError(b, err)
	s := c.Reveal()
	b.ReportAllocs()
	for b.Loop() {
		c, _ := credential.Parse(credential.Device, s)
		_ = c.Hash()
	}
}

func Example() {
	tenant := uuid.MustParse("01020304-0506-4708-890a-0b0c0d0e0f10")
	c, err := credential.New(credential.Enrol, tenant)
	if err != nil {
		fmt.Println(err)
		return
	}
	text := c.Reveal() // shown to the administrator once
	fmt.Println(text[:31], "…", c)

	given, err := credential.Parse(credential.Enrol, text)
	fmt.Println(given.Tenant(), given.Hash() == c.Hash(), err)

	_, err = credential.Parse(credential.API, text)
	fmt.Println(err)
	// Output:
	// tk1_enrol_AQIDBAUGRwiJCgsMDQ4PE … [credential]
	// 01020304-0506-4708-890a-0b0c0d0e0f10 true <nil>
	// credential: wrong kind
}
