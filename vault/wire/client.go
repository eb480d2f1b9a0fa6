package wire

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	cfg  Config
	base string
	http *http.Client
}

// New returns a Client for the server at address: https://host or https://host:port, with an optional path in front of
// everything, without user, query and fragment. The error is ErrConfig.
func New(address string, cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	base, err := cfg.base(address)
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, base: base, http: &http.Client{
		Transport:     cfg.transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close closes idle connections. The Client can be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Request is one call.
type Request struct {
	Op     string   // package and verb, for errors
	Method string   // of HTTP
	Path   []string // segments below the client's address; each is escaped, so that a slash in one does not end it
	Query  url.Values
	// Header holds names and values of printable ASCII; anything else is refused before a byte is sent.
	Header map[string]string
	// Body is sent with ContentType and zeroed afterwards. Nil sends none.
	Body        []byte
	ContentType string
	// Accept lists the statuses besides 2xx that the caller reads itself.
	Accept []int
	// NoDocument says that the answer's body means nothing. It is read and dropped.
	NoDocument bool
}

// Do sends r and returns the answer if its status is 2xx or in r.Accept, and an [*Error] otherwise. The caller wipes the
// answer. The documents of 2xx answers are required; an accepted one without a proper document has a nil Object.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	fail := &Error{Op: r.Op, RequestID: requestID()}
	body := &wipingBody{data: r.Body}
	defer body.Close()
	limited, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := c.request(limited, r, body, fail.RequestID)
	if err != nil {
		fail.Class, fail.Reason, fail.RequestID = ErrRefused, err, ""
		return nil, fail
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return nil, fail.network(ctx, err)
	}
	defer answer.Body.Close()
	fail.Status = answer.StatusCode
	if !r.accepts(answer.StatusCode) {
		fail.Class = classOf(answer.StatusCode)
		fail.after = retryAfter(answer.Header.Get("Retry-After"), c.cfg.Now())
		_, _ = io.CopyN(io.Discard, answer.Body, maxHeader) // so that the connection can be used again
		return nil, fail
	}
	data, err := readAll(answer.Body, answer.ContentLength, c.cfg.MaxBody)
	if err == nil {
		err = limited.Err() // a server that is left in the middle may seem to end its answer properly
	}
	switch {
	case errors.Is(err, ErrTooLarge):
		return nil, fail.malformed(err)
	case err != nil:
		clear(data)
		return nil, fail.network(ctx, err)
	}
	return c.decode(r, answer.Header, data, fail)
}

func success(status int) bool { return status >= 200 && status < 300 }

func (r Request) accepts(status int) bool {
	return success(status) || slices.Contains(r.Accept, status)
}

// network completes e for a call that ended without a whole answer.
func (e *Error) network(ctx context.Context, err error) *Error {
	e.Class, e.Reason = classify(err)
	if ended := ctx.Err(); ended != nil && e.Class == ErrUnavailable {
		e.Reason = ended
	}
	return e
}

func (e *Error) malformed(reason error) *Error {
	e.Class, e.Reason = ErrMalformed, reason
	return e
}

func (c *Client) request(ctx context.Context, r Request, body *wipingBody, id string) (*http.Request, error) {
	address := c.base
	for _, segment := range r.Path {
		address += "/" + url.PathEscape(segment)
	}
	if len(r.Query) > 0 {
		address += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address, nil)
	if err != nil {
		return nil, errors.New("no address can be made of it")
	}
	if r.Body != nil {
		req.Body, req.ContentLength = body, int64(len(r.Body))
		req.Header.Set("Content-Type", r.ContentType)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "tomkit-vault")
	req.Header.Set("X-Request-Id", id)
	for name, value := range r.Header {
		if value == "" || strings.ContainsFunc(value, func(c rune) bool { return c < 0x20 || c > 0x7e }) {
			return nil, fmt.Errorf("header %s is empty or not printable ASCII", name)
		}
		req.Header.Set(name, value)
	}
	return req, nil
}

// decode makes a Response of a complete answer.
func (c *Client) decode(r Request, header http.Header, data []byte, fail *Error) (*Response, error) {
	res := &Response{Status: fail.Status, Body: data, fail: fail}
	problem := checkHeader(header)
	if problem == nil {
		res.Object, problem = Parse(data, c.cfg)
	}
	if problem != nil && success(res.Status) && !r.NoDocument {
		res.Wipe()
		return nil, fail.malformed(problem)
	}
	return res, nil
}

// checkHeader refuses a body that is not what it was asked to be.
func checkHeader(h http.Header) error {
	if e := h.Get("Content-Encoding"); e != "" && e != "identity" {
		return ErrEncoding
	}
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || kind != "application/json" {
		return ErrContentType
	}
	return nil
}

// readAll reads into buffers that are zeroed when they grow, which io.ReadAll would leave behind.
func readAll(r io.Reader, length int64, limit int) ([]byte, error) {
	if length > int64(limit) {
		return nil, ErrTooLarge
	}
	size := 4 << 10
	if length >= 0 {
		size = int(length) + 1 // one more, to see the end
	}
	data := make([]byte, 0, size)
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case len(data) > limit:
			clear(data)
			return nil, ErrTooLarge
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			clear(data)
			return nil, err
		case len(data) == cap(data):
			grown := append(make([]byte, 0, 2*cap(data)), data...)
			clear(data)
			data = grown
		}
	}
}

// wipingBody is a request's body that is zeroed when net/http is done with it, which may be after Do returned.
type wipingBody struct {
	mu   sync.Mutex
	data []byte
	at   int
}

// Read implements io.Reader.
func (b *wipingBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == len(b.data) {
		return 0, io.EOF
	}
	n := copy(p, b.data[b.at:])
	b.at += n
	return n, nil
}

// Close implements io.Closer.
func (b *wipingBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.data)
	b.at = len(b.data)
	return nil
}

// requestID returns 16 random bytes in hex. It is made here rather than taken from an answer, which could hold anything.
func requestID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // does not fail
	return hex.EncodeToString(id[:])
}
