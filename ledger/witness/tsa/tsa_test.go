package tsa_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // what must be refused
	"crypto/sha256"
	"crypto/x509"
	encoding "encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/witness"
	"github.com/pioneerdesk/tomkit/ledger/witness/tsa"
)

func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func newAnchor(t testing.TB, url string, roots *x509.CertPool, change func(*tsa.Config)) *tsa.Anchor {
	t.Helper()
	transport := witness.Direct(nil)
	t.Cleanup(transport.CloseIdleConnections)
	cfg := tsa.Config{Name: "tsa", URL: url, Roots: roots, Transport: transport}
	if change != nil {
		change(&cfg)
	}
	a, err := tsa.New(cfg)
	require.NoError(t, err)
	return a
}

func textOf(signed []byte) []byte { return signed[:bytes.Index(signed, []byte("\n\n"))+1] }

func TestAnAuthorityIsAnAnchor(t *testing.T) {
	auth := newAuthority(t, ecdsaKey(t), oidECDSA256, nil)
	ledgertest.Anchor(t, ledgertest.AnchorSuite{Forgets: true, New: func(t *testing.T, _ ...*ledgertest.AnchorLog) ledger.Anchor {
		return newAnchor(t, serve(t, auth), auth.roots, nil)
	}})
}

func TestATokenSaysWhenUnderWhichPolicyAndByWhom(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	l := ledgertest.NewAnchorLog(t, 1, 9)
	for name, auth := range map[string]*authority{
		"ecdsa":   newAuthority(t, ecdsaKey(t), oidECDSA256, nil),
		"rsa":     newAuthority(t, rsaKey(t, 2048), oidRSA256, nil),
		"ed25519": newAuthority(t, ed, oidEd25519, nil),
	} {
		t.Run(name, func(t *testing.T) {
			sub := l.Submission(t, 9)
			e, err := newAnchor(t, serve(t, auth), auth.roots, func(c *tsa.Config) { c.Policy = somePolicy }).Submit(t.Context(), sub)
			require.NoError(t, err)
			stamp, err := tsa.Check(e.Token, textOf(sub.Checkpoint), auth.roots)
			require.NoError(t, err)
			require.True(t, auth.now.Equal(stamp.Time))
			require.Equal(t, 1500*time.Millisecond, stamp.Accuracy)
			require.True(t, stamp.Policy.Equal(somePolicy))
			require.Equal(t, "authority", stamp.Signer.Subject.CommonName)
			require.EqualValues(t, 77, stamp.Serial.Int64())

			_, err = tsa.Check(e.Token, textOf(l.Checkpoint(t, 8)), auth.roots)
			require.ErrorIs(t, err, tsa.ErrMismatch)
			_, err = tsa.Check(e.Token, sub.Checkpoint, auth.roots)
			require.ErrorIs(t, err, tsa.ErrMismatch, "the text, not the note")
			_, err = tsa.Check(e.Token, textOf(sub.Checkpoint), newAuthority(t, ecdsaKey(t), oidECDSA256, nil).roots)
			require.ErrorIs(t, err, tsa.ErrUntrusted)
			_, err = tsa.Check(e.Token, textOf(sub.Checkpoint), nil)
			require.ErrorIs(t, err, tsa.ErrUntrusted, "nil does not mean the system's roots")
		})
	}
}

// Every way in which an authority, or somebody who plays one, may lie.
func TestTokensThatAreRefused(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	other := sha256.Sum256([]byte("other"))
	for name, c := range map[string]struct {
		change func(*authority)
		want   error
	}{
		"over another text":              {func(a *authority) { a.imprint = other[:] }, tsa.ErrMismatch},
		"over a SHA-1":                   {func(a *authority) { a.imprintHash, a.imprint = oidSHA1, other[:20] }, tsa.ErrMalformed},
		"another nonce":                  {func(a *authority) { a.nonce = big.NewInt(7) }, tsa.ErrProtocol},
		"no nonce":                       {func(a *authority) { a.noNonce = true }, tsa.ErrProtocol},
		"another policy":                 {func(a *authority) { a.policy = encoding.ObjectIdentifier{1, 2, 9} }, tsa.ErrProtocol},
		"an hour ago":                    {func(a *authority) { a.now = a.now.Add(-30 * time.Minute) }, tsa.ErrProtocol},
		"rejected":                       {func(a *authority) { a.status = 2 }, tsa.ErrRefused},
		"waiting":                        {func(a *authority) { a.status = 3 }, tsa.ErrRefused},
		"a flipped signature":            {func(a *authority) { a.flip = true }, tsa.ErrUntrusted},
		"no certificate":                 {func(a *authority) { a.noCerts = true }, tsa.ErrUntrusted},
		"a web server's certificate":     {func(a *authority) { a.usage = []encoding.ObjectIdentifier{oidServerAuth} }, tsa.ErrUntrusted},
		"a certificate for more":         {func(a *authority) { a.usage = append(a.usage, oidServerAuth) }, tsa.ErrUntrusted},
		"a certificate for anything":     {func(a *authority) { a.usage = nil }, tsa.ErrUntrusted},
		"usage that is not critical":     {func(a *authority) { a.lenient = true }, tsa.ErrUntrusted},
		"certificate named by SHA-1":     {func(a *authority) { a.certAttr = oidSigningCertV1 }, tsa.ErrUntrusted},
		"another certificate named":      {func(a *authority) { a.certSum = other[:] }, tsa.ErrUntrusted},
		"another content's digest":       {func(a *authority) { a.digestAttr = other[:] }, tsa.ErrUntrusted},
		"another type in the attributes": {func(a *authority) { a.contentType = oidData }, tsa.ErrUntrusted},
		"another type of content":        {func(a *authority) { a.innerType = oidData }, tsa.ErrMalformed},
		"an attribute twice":             {func(a *authority) { a.twice = true }, tsa.ErrMalformed},
		"no attributes":                  {func(a *authority) { a.noAttributes = true }, tsa.ErrMalformed},
		"digest by SHA-1":                {func(a *authority) { a.digestHash = oidSHA1 }, tsa.ErrMalformed},
		"digest and signature disagree":  {func(a *authority) { a.digestHash = oidSHA512 }, tsa.ErrUntrusted},
		"RSA named, ECDSA used":          {func(a *authority) { a.algorithm = oidRSA256 }, tsa.ErrUntrusted},
		"an unknown algorithm":           {func(a *authority) { a.algorithm = somePolicy }, tsa.ErrUntrusted},
		"no signer":                      {func(a *authority) { a.signers = 0 }, tsa.ErrMalformed},
		"two signers":                    {func(a *authority) { a.signers = 2 }, tsa.ErrMalformed},
		"version 2":                      {func(a *authority) { a.version = 2 }, tsa.ErrMalformed},
		"a critical extension":           {func(a *authority) { a.extension = true }, tsa.ErrMalformed},
		"a short RSA key":                {func(a *authority) { a.key, a.algorithm = rsaKey(t, 1024), oidRSA256 }, tsa.ErrUntrusted},
	} {
		t.Run(name, func(t *testing.T) {
			auth := newAuthority(t, ecdsaKey(t), oidECDSA256, c.change)
			a := newAnchor(t, serve(t, auth), auth.roots, func(c *tsa.Config) { c.Policy = somePolicy })
			e, err := a.Submit(t.Context(), l.Submission(t, 9))
			require.ErrorIs(t, err, c.want)
			require.Empty(t, e)
		})
	}
}

func TestCertificatesMustBeValidAtTheTimeOfTheToken(t *testing.T) {
	text := []byte("text")
	imprint := sha256.Sum256(text)
	auth := newAuthority(t, ecdsaKey(t), oidECDSA256, nil)
	issued := auth.now
	_, err := tsa.Check(auth.token(imprint[:], nil), text, auth.roots)
	require.NoError(t, err)
	for _, off := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
		auth.now = issued.Add(off)
		_, err := tsa.Check(auth.token(imprint[:], nil), text, auth.roots)
		require.ErrorIs(t, err, tsa.ErrUntrusted)
	}
	old := newAuthority(t, ecdsaKey(t), oidECDSA256, func(a *authority) { a.now = a.now.AddDate(-20, 0, 0) })
	_, err = tsa.Check(old.token(imprint[:], nil), text, old.roots)
	require.NoError(t, err, "a token outlives its certificate")
}

func TestEveryFlippedBitOfATokenIsNoticed(t *testing.T) {
	text := []byte("text")
	imprint := sha256.Sum256(text)
	auth := newAuthority(t, ecdsaKey(t), oidECDSA256, nil)
	token := auth.token(imprint[:], big.NewInt(5))
	good, err := tsa.Check(token, text, auth.roots)
	require.NoError(t, err)
	for i := range token {
		for _, bit := range []byte{1, 0x20, 0x80} {
			changed := bytes.Clone(token)
			changed[i] ^= bit
			s, err := tsa.Check(changed, text, auth.roots)
			if err == nil { // what no signature covers, such as the list of digest algorithms, changes nothing
				require.Equal(t, *good, *s, "byte %d", i)
			}
		}
		_, err := tsa.Check(token[:i], text, auth.roots)
		require.ErrorIs(t, err, tsa.ErrMalformed)
	}
	_, err = tsa.Check(append(bytes.Clone(token), 0), text, auth.roots)
	require.ErrorIs(t, err, tsa.ErrMalformed)
}

func TestHostileAnswers(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	reply := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/timestamp-reply")
			fmt.Fprint(w, body)
		}
	}
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		want error
	}{
		"empty":      {reply(""), tsa.ErrMalformed},
		"not DER":    {reply("<html>"), tsa.ErrMalformed},
		"no token":   {reply("\x30\x05\x30\x03\x02\x01\x00"), tsa.ErrMalformed},
		"indefinite": {reply("\x30\x80\x30\x03\x02\x01\x00\x00\x00"), tsa.ErrMalformed},
		"huge":       {reply(strings.Repeat("x", 1<<20)), tsa.ErrProtocol},
		"a web page": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }, tsa.ErrProtocol},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, tsa.ErrProtocol},
		"unavailable": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, tsa.ErrUnreachable},
		"never ending": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client left
			reply("x")(w, r)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, tsa.ErrUnreachable},
		"compressed": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			reply("x")(w, r)
		}, tsa.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAnchor(t, serve(t, c.h), x509.NewCertPool(), func(c *tsa.Config) {
				if name == "never ending" {
					c.Timeout = 50 * time.Millisecond
				}
			})
			_, err := a.Submit(t.Context(), l.Submission(t, 9))
			require.ErrorIs(t, err, c.want)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	a := newAnchor(t, serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})), x509.NewCertPool(), nil)
	_, err := a.Submit(ctx, l.Submission(t, 9))
	require.ErrorIs(t, err, context.Canceled)
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	good := tsa.Config{Name: "tsa", URL: "http://tsa.example", Roots: x509.NewCertPool(), Transport: http.DefaultTransport}
	_, err := tsa.New(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*tsa.Config){
		"no name":      func(c *tsa.Config) { c.Name = "" },
		"a name":       func(c *tsa.Config) { c.Name = "A" },
		"no URL":       func(c *tsa.Config) { c.URL = "" },
		"a file":       func(c *tsa.Config) { c.URL = "file:///x" },
		"credentials":  func(c *tsa.Config) { c.URL = "https://a:b@tsa.example" },
		"no roots":     func(c *tsa.Config) { c.Roots = nil },
		"no transport": func(c *tsa.Config) { c.Transport = nil },
		"negative":     func(c *tsa.Config) { c.MaxSkew = -1 },
	} {
		c := good
		change(&c)
		_, err := tsa.New(c)
		require.ErrorIs(t, err, tsa.ErrConfig, name)
	}
}

// Whatever the bytes, the checker neither panics nor trusts: the roots trust nobody.
func FuzzCheck(f *testing.F) {
	text := []byte("text")
	imprint := sha256.Sum256(text)
	f.Add(newAuthority(f, ecdsaKey(f), oidECDSA256, nil).token(imprint[:], big.NewInt(5)))
	f.Add(newAuthority(f, rsaKey(f, 2048), oidRSA256, nil).token(imprint[:], nil))
	nobody := x509.NewCertPool()
	f.Fuzz(func(t *testing.T, token []byte) {
		if _, err := tsa.Check(token, text, nobody); err == nil {
			t.Fatal("trusted nobody's token")
		}
	})
}

// transport answers without a network.
type transport func() *http.Response

func (f transport) RoundTrip(*http.Request) (*http.Response, error) { return f(), nil }

// Whatever an authority answers, nothing comes out that its root did not sign for this request.
func FuzzResponse(f *testing.F) {
	l := ledgertest.NewAnchorLog(f, 1, 9)
	sub := l.Submission(f, 9)
	auth := newAuthority(f, ecdsaKey(f), oidECDSA256, nil)
	imprint := sha256.Sum256(textOf(sub.Checkpoint))
	replayed := auth.token(imprint[:], big.NewInt(5))
	f.Add(append([]byte{0x30, 0x82, byte((len(replayed) + 5) >> 8), byte(len(replayed) + 5), 0x30, 3, 2, 1, 0}, replayed...))
	f.Add([]byte{0x30, 5, 0x30, 3, 2, 1, 2})
	f.Fuzz(func(t *testing.T, reply []byte) {
		a, err := tsa.New(tsa.Config{Name: "tsa", URL: "http://tsa.example", Roots: auth.roots, Transport: transport(func() *http.Response {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/timestamp-reply"}}, Body: io.NopCloser(bytes.NewReader(reply))}
		})})
		if err != nil {
			t.Fatal(err)
		}
		if e, err := a.Submit(t.Context(), sub); err == nil || e.Token != nil {
			t.Fatal("a replayed token was taken")
		}
	})
}

// A certificate beside the signer's need not be vouched for by anybody, and building a chain tries it.
func TestKeysThatTakeTooLongAreRefusedUnseen(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	text := textOf(l.Checkpoint(t, 9))
	imprint := sha256.Sum256(text)
	for bits, want := range map[uint]error{8192: tsa.ErrUntrusted, 8193: tsa.ErrMalformed, 400_000: tsa.ErrMalformed} {
		a := newAuthority(t, ecdsaKey(t), oidECDSA256, nil)
		modulus := new(big.Int).SetBit(big.NewInt(1), int(bits-1), 1)
		a.cert = a.issue(t, 2, "authority", &rsa.PublicKey{N: modulus, E: 1<<31 - 1}, a.root, a.rootKey, false)
		_, err := tsa.Check(a.token(imprint[:], nil), text, a.roots)
		require.ErrorIs(t, err, want, "%d bits", bits)
	}
}
