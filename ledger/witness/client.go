package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pioneerdesk/tomkit/internal/wait"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/sign"
)

// sizeType is the media type of the size a witness answers a wrong guess with.
const sizeType = "text/x.tlog.size"

// ClientConfig says which witness a [Client] asks and how.
type ClientConfig struct {
	// Name is the anchor's name: 1–64 bytes of [a-z0-9._-].
	Name string
	// URL is the witness's submission prefix; "/add-checkpoint" is appended. It is https, or http on the own machine.
	URL string
	// AllowPlainHTTPUnsafe accepts http to other machines: whoever is on the way learns when the log grows. Cosignatures
	// cannot be forged on the way all the same.
	AllowPlainHTTPUnsafe bool
	// Keys are the witness's keys, all of one name. Every one of them must have signed for an answer to count, so that an
	// answer with the Ed25519 line only is not taken for one with ML-DSA-44 as well.
	Keys []*sign.WitnessPublicKey
	// Transport is the way out. Nil is an error; [Direct] is one that takes nothing from the environment.
	Transport http.RoundTripper
	// Timeout bounds one request. Zero means DefaultTimeout.
	Timeout time.Duration
	// Retries is the number of further attempts where the witness was not reached or is busy. Zero means 2, negative none.
	// It is safe: a witness that took a checkpoint and whose answer was lost cosigns it again.
	Retries int
	// Backoff is the wait before the first further attempt, doubled with each. Zero means 200ms.
	Backoff time.Duration
	// MaxSkew is how far the time of a cosignature may be from now. Zero means 10 minutes.
	MaxSkew time.Duration
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Client is an anchor that asks a witness for cosignatures (C2SP tlog-witness). It is safe for concurrent use.
type Client struct {
	cfg ClientConfig
	url string

	mu    sync.Mutex
	sizes map[string]uint64 // what the witness was last heard to know: a guess that saves a round trip
}

var _ ledger.Anchor = (*Client)(nil)

// NewClient returns a Client. The error wraps ErrConfig.
func NewClient(cfg ClientConfig) (*Client, error) {
	base, err := checkURL(cfg.URL, cfg.AllowPlainHTTPUnsafe)
	switch {
	case err != nil:
		return nil, err
	case !validName(cfg.Name):
		return nil, badConfig("name is not 1–64 bytes of [a-z0-9._-]")
	case cfg.Transport == nil:
		return nil, badConfig("no transport")
	case len(cfg.Keys) == 0 || slices.Contains(cfg.Keys, nil):
		return nil, badConfig("no witness key")
	case cfg.Timeout < 0 || cfg.Backoff < 0 || cfg.MaxSkew < 0:
		return nil, badConfig("negative duration")
	}
	for i, k := range cfg.Keys {
		if k.Name() != cfg.Keys[0].Name() {
			return nil, badConfig("keys of several witnesses")
		}
		if slices.ContainsFunc(cfg.Keys[:i], k.Equal) {
			return nil, badConfig("a key appears twice")
		}
	}
	cfg.Keys = slices.Clone(cfg.Keys)
	cfg.Timeout, cfg.Backoff = or(cfg.Timeout, DefaultTimeout), or(cfg.Backoff, 200*time.Millisecond)
	cfg.MaxSkew, cfg.Retries = or(cfg.MaxSkew, 10*time.Minute), max(or(cfg.Retries, 2), 0)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Client{cfg: cfg, url: addCheckpoint(base), sizes: map[string]uint64{}}, nil
}

func addCheckpoint(base *url.URL) string { return base.JoinPath("add-checkpoint").String() }

func or[T comparable](v, instead T) T {
	if v == *new(T) {
		return instead
	}
	return v
}

// validName is the form ledger.Anchor asks of a name.
func validName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// Name returns the configured name.
func (c *Client) Name() string { return c.cfg.Name }

// Submit asks the witness to cosign a checkpoint and returns its lines, each of them verified. It wraps
// ledger.ErrRolledBack if the witness knows a larger size or other entries; and ErrRefused, ErrUnreachable or ErrProtocol.
func (c *Client) Submit(ctx context.Context, s ledger.Submission) (ledger.Evidence, error) {
	note, cp, err := own(s.Checkpoint)
	if err != nil {
		return ledger.Evidence{}, err
	}
	old := min(c.guess(cp.origin), cp.size)
	for range maxRounds {
		proof, err := consistency(ctx, s, old, cp.size)
		if err != nil {
			return ledger.Evidence{}, err
		}
		said, err := c.ask(ctx, cp, &request{old: old, proof: proof, note: note})
		if err != nil {
			return ledger.Evidence{}, err
		}
		if said.lines != nil {
			return ledger.Evidence{Lines: said.lines}, nil
		}
		if said.size > cp.size {
			return ledger.Evidence{}, &ledger.RollbackError{Anchor: c.cfg.Name, Size: said.size, Head: cp.size}
		}
		old = said.size
	}
	return ledger.Evidence{}, fmt.Errorf("%w: %s names another size each time", ErrProtocol, c.cfg.Name)
}

// maxRounds bounds how often Submit follows the size the witness names; other processes may be submitting too.
const maxRounds = 16

// Latest asks the witness what it knows, by showing the held checkpoint as if the witness knew it: it answers with its
// size, or cosigns the same root again. If it knows another root at that size, the error wraps ledger.ErrRolledBack.
// Without held it returns ledger.ErrNoMemory.
func (c *Client) Latest(ctx context.Context, origin string, held []byte) (ledger.Memory, error) {
	if held == nil {
		return ledger.Memory{}, fmt.Errorf("%w: %s answers nobody without a checkpoint", ledger.ErrNoMemory, c.cfg.Name)
	}
	note, cp, err := own(held)
	if err != nil {
		return ledger.Memory{}, err
	}
	if cp.origin != origin {
		return ledger.Memory{}, malformed("checkpoint", "of another origin")
	}
	said, err := c.ask(ctx, cp, &request{old: cp.size, note: note})
	if err != nil {
		return ledger.Memory{}, err
	}
	if said.lines != nil {
		return ledger.Memory{Size: cp.size, Root: &cp.root}, nil
	}
	return ledger.Memory{Size: said.size}, nil
}

// consistency returns the proof for a request; none is needed from an empty log or to the same size.
func consistency(ctx context.Context, s ledger.Submission, from, to uint64) ([][32]byte, error) {
	if from == 0 || from == to {
		return nil, nil
	}
	if s.Consistency == nil {
		return nil, malformed("submission", "no consistency proofs")
	}
	proof, err := s.Consistency(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("witness: submit: consistency proof from %d: %w", from, err)
	}
	if len(proof) > MaxProof {
		return nil, malformed("submission", "consistency proof too long")
	}
	return proof, nil
}

// said is what a witness answered: lines, or else the size it knows.
type said struct {
	lines []byte
	size  uint64
}

// ask sends a request until it is answered.
func (c *Client) ask(ctx context.Context, cp checkpoint, r *request) (said, error) {
	body := r.marshal()
	for pause, try := c.cfg.Backoff, 0; ; try, pause = try+1, 2*pause {
		a, err := c.post(ctx, body)
		var s said
		if err == nil {
			s, err = c.judge(a, cp, r)
		}
		if !errors.Is(err, ErrUnreachable) || try >= c.cfg.Retries {
			return s, err
		}
		if a != nil {
			if seconds, err := strconv.Atoi(a.after); err == nil && seconds > 0 {
				pause = max(pause, time.Duration(min(seconds, 5))*time.Second)
			}
		}
		if err := wait.For(ctx, pause); err != nil {
			return said{}, err
		}
	}
}

func (c *Client) post(ctx context.Context, body []byte) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, badConfig("URL")
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	return exchange(ctx, c.cfg.Transport, req, c.cfg.Timeout)
}

// judge reads an answer. A conflict with a size is an answer; one without is the verdict that the roots differ, and so is
// a proof that does not fit.
func (c *Client) judge(a *answer, cp checkpoint, r *request) (said, error) {
	status := func(kind error) error { return &StatusError{Anchor: c.cfg.Name, Status: a.status, kind: kind} }
	switch a.status {
	case http.StatusOK:
		lines, err := c.verified(cp, a.body)
		if err != nil {
			return said{}, err
		}
		c.remember(cp.origin, cp.size)
		return said{lines: lines}, nil
	case http.StatusConflict:
		if a.kind != sizeType {
			return said{}, c.fork(r, cp)
		}
		size, err := parseSize(strings.TrimSuffix(string(a.body), "\n"))
		if err != nil || size == r.old {
			return said{}, fmt.Errorf("%w: %s disputes a size and names no other", ErrProtocol, c.cfg.Name)
		}
		c.remember(cp.origin, size)
		return said{size: size}, nil
	case http.StatusUnprocessableEntity:
		return said{}, c.fork(r, cp)
	case http.StatusForbidden, http.StatusNotFound:
		return said{}, status(ErrRefused)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return said{}, status(ErrUnreachable)
	}
	return said{}, status(ErrProtocol)
}

func (c *Client) fork(r *request, cp checkpoint) error {
	if r.old == 0 && cp.size > 0 {
		return fmt.Errorf("%w: %s disputes what follows an empty log", ErrProtocol, c.cfg.Name)
	}
	return &ledger.RollbackError{Anchor: c.cfg.Name, Size: r.old, Head: cp.size, Fork: true}
}

// verified returns the lines of the configured keys. Lines of unknown keys are left out; a line that claims to be of a
// known key and is not makes the whole answer worthless.
func (c *Client) verified(cp checkpoint, body []byte) ([]byte, error) {
	bad := func(why string) error { return fmt.Errorf("%w: %s: %s", ErrProtocol, c.cfg.Name, why) }
	lines, err := cutLines(body)
	if err != nil {
		return nil, bad("not signature lines")
	}
	var out []byte
	seen := map[*sign.WitnessPublicKey]bool{}
	for _, l := range lines {
		i := slices.IndexFunc(c.cfg.Keys, func(k *sign.WitnessPublicKey) bool { return l.name == k.Name() && l.hash == k.KeyHash() })
		if i < 0 {
			continue
		}
		k := c.cfg.Keys[i]
		at, err := k.VerifyCosignature(cp.text, l.blob)
		if err != nil || seen[k] {
			return nil, bad("cosignature does not verify, or appears twice")
		}
		if d := at.Sub(c.cfg.Now()); d > c.cfg.MaxSkew || d < -c.cfg.MaxSkew {
			return nil, bad("time of the cosignature is off by " + d.Round(time.Second).String())
		}
		seen[k] = true
		out = append(out, l.raw...)
	}
	if len(seen) < len(c.cfg.Keys) {
		return nil, bad("no cosignature by one of its keys")
	}
	return out, nil
}

// maxGuesses bounds the memory for origins; a guess that is missing costs a round trip.
const maxGuesses = 1 << 16

func (c *Client) guess(origin string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sizes[origin]
}

func (c *Client) remember(origin string, size uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.sizes[origin]; !known && len(c.sizes) >= maxGuesses {
		clear(c.sizes)
	}
	c.sizes[origin] = size
}
