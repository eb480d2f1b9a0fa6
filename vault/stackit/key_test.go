package stackit_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
)

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// edit changes a key file; an edit that sets nil removes.
func edit(t testing.TB, data []byte, change func(document, credentials map[string]any)) []byte {
	t.Helper()
	var document map[string]any
	require.NoError(t, json.Unmarshal(data, &document))
	change(document, document["credentials"].(map[string]any))
	out, err := json.Marshal(document)
	require.NoError(t, err)
	return out
}

func encode(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestAKeyThatCannotBeUsedIsRefused(t *testing.T) {
	data := vaulttest.New(t, vaulttest.Config{}).KeyFile()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	ecPEM := encode(t, "PRIVATE KEY", ecDER, err)
	t.Setenv("GODEBUG", "rsa1024min=0")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	smallPEM := encode(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small), nil)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	otherPEM := encode(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(other), nil)
	for name, change := range map[string]func(d, c map[string]any){
		"an EC key":                 func(d, c map[string]any) { c["privateKey"] = ecPEM; delete(d, "publicKey") },
		"an RSA key of 1024":        func(d, c map[string]any) { c["privateKey"] = smallPEM; delete(d, "publicKey") },
		"a key of another":          func(_, c map[string]any) { c["privateKey"] = otherPEM },
		"two keys":                  func(_, c map[string]any) { c["privateKey"] = c["privateKey"].(string) + otherPEM },
		"no PEM":                    func(_, c map[string]any) { c["privateKey"] = "N33dle" },
		"a number as key":           func(_, c map[string]any) { c["privateKey"] = 1 },
		"a public key as one":       func(d, c map[string]any) { c["privateKey"] = d["publicKey"] },
		"a public key that is none": func(d, _ map[string]any) { d["publicKey"] = "N33dle" },
		"no credentials":            func(d, _ map[string]any) { d["credentials"] = nil },
		"no kid":                    func(_, c map[string]any) { delete(c, "kid") },
		"an empty issuer":           func(_, c map[string]any) { c["iss"] = "" },
		"an audience with lines":    func(_, c map[string]any) { c["aud"] = "a\nb" },
		"a kid with a quote":        func(_, c map[string]any) { c["kid"] = `a"b` },
		"a subject as a number":     func(_, c map[string]any) { c["sub"] = 1 },
		"an end that is no time":    func(d, _ map[string]any) { d["validUntil"] = "soon" },
		"a switch that is none":     func(d, _ map[string]any) { d["active"] = "yes" },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := stackit.ParseKey(edit(t, data, change), nil)
			require.ErrorIs(t, err, stackit.ErrKey)
			require.NotContains(t, err.Error(), "N33dle")
		})
	}
	_, err = stackit.ParseKey(edit(t, data, func(d, _ map[string]any) { d["active"] = false }), nil)
	require.ErrorIs(t, err, stackit.ErrKeyInactive)
	for _, text := range []string{"", "{}", "[]", "null", `{"id":"a","id":"b"}`, string(data) + "x", string(data[:len(data)/2])} {
		_, err := stackit.ParseKey([]byte(text), nil)
		require.ErrorIs(t, err, stackit.ErrKey)
	}
	k, err := stackit.ParseKey(edit(t, data, func(d, c map[string]any) { c["privateKey"] = otherPEM; delete(d, "publicKey") }), nil)
	require.NoError(t, err, "PKCS #1 is fine")
	require.Equal(t, 2048, k.Bits)
}

func TestTheEndOfAKeyIsAnnounced(t *testing.T) {
	const day = 24 * time.Hour
	k := &stackit.Key{}
	urgency, _ := k.Expiry(start)
	require.Equal(t, stackit.NoExpiry, urgency)
	k.ValidUntil = start
	for left, want := range map[time.Duration]stackit.Urgency{
		31 * day: stackit.Fine, 30*day + 1: stackit.Fine, 30 * day: stackit.Notice, 7*day + 1: stackit.Notice, 7 * day: stackit.Warning,
		day + 1: stackit.Warning, day: stackit.Critical, 1: stackit.Critical, 0: stackit.Expired, -day: stackit.Expired,
	} {
		urgency, got := k.Expiry(start.Add(-left))
		require.Equal(t, want, urgency, "%s", left)
		require.Equal(t, left, got)
	}
}

func FuzzParseKey(f *testing.F) {
	fake, err := vaulttest.Start(vaulttest.Config{})
	require.NoError(f, err)
	f.Cleanup(fake.Close)
	f.Add(fake.KeyFile(), []byte(nil))
	f.Add(edit(f, fake.KeyFile(), func(d, _ map[string]any) { delete(d, "publicKey"); d["validUntil"] = "2026-01-01T00:00:00Z" }), []byte("x"))
	f.Add([]byte(`{"credentials":{}}`), []byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, document, private []byte) {
		k, err := stackit.ParseKey(document, private)
		if err != nil {
			require.ErrorIs(t, err, stackit.ErrKey)
			return
		}
		require.GreaterOrEqual(t, k.Bits, 2048)
		require.NotEmpty(t, k.KID)
	})
}
