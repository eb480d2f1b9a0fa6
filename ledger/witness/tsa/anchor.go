package tsa

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	encoding "encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// DefaultTimeout bounds one request.
const DefaultTimeout = 10 * time.Second

// Config says which authority an [Anchor] asks and whom it trusts.
type Config struct {
	// Name is the anchor's name: 1–64 bytes of [a-z0-9._-].
	Name string
	// URL is the authority's, http or https.
	URL string
	// Roots are trusted. Nil is an error: the system's roots are for web servers.
	Roots *x509.CertPool
	// Policy is asked for, and the token has to have it. Nil means the authority's default, whatever it is.
	Policy encoding.ObjectIdentifier
	// Transport is the way out. Nil is an error; witness.Direct is one that takes nothing from the environment.
	Transport http.RoundTripper
	// Timeout bounds one request. Zero means DefaultTimeout.
	Timeout time.Duration
	// MaxSkew is how far the authority's time may be from now. Zero means 10 minutes.
	MaxSkew time.Duration
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Anchor is a ledger.Anchor that has checkpoints time-stamped. It is safe for concurrent use.
type Anchor struct{ cfg Config }

var _ ledger.Anchor = (*Anchor)(nil)

// New returns an Anchor. The error wraps ErrConfig.
func New(cfg Config) (*Anchor, error) {
	u, err := url.Parse(cfg.URL)
	why := ""
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http":
		why = "not an absolute http or https URL"
	case cfg.Name == "" || len(cfg.Name) > 64 || strings.Trim(cfg.Name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "":
		why = "name is not 1–64 bytes of [a-z0-9._-]"
	case cfg.Roots == nil:
		why = "no roots"
	case cfg.Transport == nil:
		why = "no transport"
	case cfg.Timeout < 0 || cfg.MaxSkew < 0:
		why = "negative duration"
	}
	if why != "" {
		return nil, fmt.Errorf("%w: %s", ErrConfig, why)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.MaxSkew == 0 {
		cfg.MaxSkew = 10 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Anchor{cfg}, nil
}

// Name returns the configured name.
func (a *Anchor) Name() string { return a.cfg.Name }

// Latest returns ledger.ErrNoMemory: an authority keeps no checkpoints.
func (a *Anchor) Latest(context.Context, string, []byte) (ledger.Memory, error) {
	return ledger.Memory{}, fmt.Errorf("%w: %s stamps and forgets", ledger.ErrNoMemory, a.cfg.Name)
}

// Submit has a checkpoint stamped and returns the token, checked.
func (a *Anchor) Submit(ctx context.Context, s ledger.Submission) (ledger.Evidence, error) {
	if err := verify.CheckNote(s.Checkpoint); err != nil || !signed(s.Checkpoint) {
		return ledger.Evidence{}, malformed("not a signed checkpoint")
	}
	text := s.Checkpoint[:bytes.Index(s.Checkpoint, []byte("\n\n"))+1]
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return ledger.Evidence{}, err
	}
	request, err := makeRequest(text, a.cfg.Policy, nonce)
	if err != nil {
		return ledger.Evidence{}, fmt.Errorf("%w: policy", ErrConfig)
	}
	response, err := a.post(ctx, request)
	if err != nil {
		return ledger.Evidence{}, err
	}
	token, err := cutResponse(response)
	if err != nil {
		return ledger.Evidence{}, err
	}
	stamp, err := Check(token, text, a.cfg.Roots)
	if err != nil {
		return ledger.Evidence{}, err
	}
	if err := a.answers(stamp, nonce); err != nil {
		return ledger.Evidence{}, err
	}
	return ledger.Evidence{Token: bytes.Clone(token)}, nil
}

// signed reports whether a note ends in signature lines.
func signed(note []byte) bool {
	_, lines, _ := bytes.Cut(note, []byte("\n\n"))
	return bytes.HasPrefix(lines, []byte("— ")) && bytes.HasSuffix(lines, []byte("\n"))
}

// answers reports whether a stamp is the answer to this request.
func (a *Anchor) answers(s *Stamp, nonce *big.Int) error {
	off := s.Time.Sub(a.cfg.Now())
	switch {
	case s.Nonce == nil || s.Nonce.Cmp(nonce) != 0:
		return fmt.Errorf("%w: nonce", ErrProtocol)
	case a.cfg.Policy != nil && !s.Policy.Equal(a.cfg.Policy):
		return fmt.Errorf("%w: policy", ErrProtocol)
	case off > a.cfg.MaxSkew || off < -a.cfg.MaxSkew:
		return fmt.Errorf("%w: time is off by %s", ErrProtocol, off.Round(time.Second))
	}
	return nil
}

// post sends one request through the transport itself: no redirect, no cookie, nothing unpacked.
func (a *Anchor) post(ctx context.Context, body []byte) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, http.MethodPost, a.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: URL", ErrConfig)
	}
	req.Header.Set("Content-Type", "application/timestamp-query")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "tomkit-witness")
	fail := func() error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %s", ErrUnreachable, a.cfg.Name)
	}
	resp, err := a.cfg.Transport.RoundTrip(req)
	if err != nil {
		return nil, fail()
	}
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return nil, fail()
	case resp.StatusCode != http.StatusOK || kind != "application/timestamp-reply":
		return nil, fmt.Errorf("%w: status %d, or not a time-stamp reply", ErrProtocol, resp.StatusCode)
	case resp.Uncompressed || resp.Header.Get("Content-Encoding") != "" && resp.Header.Get("Content-Encoding") != "identity":
		return nil, fmt.Errorf("%w: encoded body", ErrProtocol)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, MaxToken+1))
	if err != nil {
		return nil, fail()
	}
	if len(answer) > MaxToken {
		return nil, fmt.Errorf("%w: body larger than %d bytes", ErrProtocol, MaxToken)
	}
	return answer, nil
}
