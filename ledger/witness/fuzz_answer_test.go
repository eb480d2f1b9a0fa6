package witness_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

// answers is a transport that needs no network.
type answers func(*http.Request) *http.Response

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

// Whatever a witness answers, only lines that verify under its keys come out.
func FuzzAnswer(f *testing.F) {
	l := ledgertest.NewAnchorLog(f, 1, 9)
	sub := l.Submission(f, 9)
	now := time.Unix(1772352000, 0)
	good := cosign(f, sub.Checkpoint, now, keys(f, witnessName)...)
	f.Add(200, "", []byte(good))
	f.Add(200, "", []byte(cosign(f, sub.Checkpoint, now, keys(f, "other.example/w")...)+good))
	f.Add(409, "text/x.tlog.size", []byte("7\n"))
	f.Add(422, "", []byte(nil))
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte) {
		transport := answers(func(*http.Request) *http.Response {
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(body))}
		})
		c := newClient(t, "https://witness.example", func(c *witness.ClientConfig) {
			c.Transport, c.Retries, c.Now = transport, -1, func() time.Time { return now }
		})
		e, err := c.Submit(t.Context(), sub)
		if err != nil && (len(e.Lines) > 0 || len(err.Error()) > 300) {
			t.Fatalf("%d bytes of lines with %v", len(e.Lines), err)
		}
		if err != nil {
			return
		}
		for _, k := range public(keys(t, witnessName)) {
			if strings.Count(string(e.Lines), "— "+k.Name()+" ") != 2 {
				t.Fatalf("not two lines: %q", e.Lines)
			}
		}
		if !strings.Contains(good, strings.SplitAfter(string(e.Lines), "\n")[0]) {
			t.Fatal("a line nobody signed")
		}
	})
}

// A log's key is taken in one spelling only.
func FuzzVerifierKey(f *testing.F) {
	l := ledgertest.NewAnchorLog(f, 1, 1)
	f.Add(l.VerifierKey(f))
	f.Add(l.CompositeVerifierKey(f))
	f.Fuzz(func(t *testing.T, vkey string) {
		log, err := witness.LogOfVerifierKeys("", vkey)
		if err == nil && !strings.HasPrefix(vkey, log.Origin()+"+") {
			t.Fatalf("%q is of %q", vkey, log.Origin())
		}
	})
}
