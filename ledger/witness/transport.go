package witness

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Defaults and limits of outbound calls.
const (
	DefaultTimeout = 10 * time.Second // for one request
	maxAnswer      = 64 << 10         // bytes of an answer: a dozen ML-DSA-44 lines
	maxHeader      = 16 << 10         // bytes of an answer's header
)

// Direct returns a transport that goes straight to the address: no proxy from the environment, TLS 1.3 or, with
// config, what it allows, bounded headers, and few idle connections. A nil config trusts the system's certificates.
func Direct(config *tls.Config) *http.Transport {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS13}
	}
	dialer := &net.Dialer{Timeout: DefaultTimeout}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: config, TLSHandshakeTimeout: DefaultTimeout,
		MaxResponseHeaderBytes: maxHeader, DisableCompression: true, ForceAttemptHTTP2: true,
		MaxIdleConns: 16, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
	}
}

// checkURL accepts an absolute URL without anything but scheme, host and path. Plain HTTP is for the own machine.
func checkURL(raw string, plain bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || u.Hostname() == "":
		return nil, badConfig("not an absolute URL of scheme, host and path")
	case u.Scheme == "https":
	case u.Scheme == "http" && (plain || loopback(u.Hostname())):
	default:
		return nil, badConfig("URL is not https")
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// answer is what came back, read to its end.
type answer struct {
	status int
	kind   string // media type
	after  string // Retry-After
	body   []byte
}

// exchange sends one request through the transport itself: it follows no redirect, keeps no cookie, unpacks nothing,
// and reads no more than maxAnswer bytes. Errors wrap ErrUnreachable, ErrProtocol, or are the context's.
func exchange(ctx context.Context, transport http.RoundTripper, req *http.Request, timeout time.Duration) (*answer, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req = req.WithContext(limited)
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "tomkit-witness")
	fail := func() error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: no answer", ErrUnreachable) // the cause may hold addresses and what the other end wrote
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, fail()
	}
	defer resp.Body.Close()
	if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" || resp.Uncompressed {
		return nil, fmt.Errorf("%w: encoded body", ErrProtocol)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fail()
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("%w: body larger than %d bytes", ErrProtocol, maxAnswer)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return &answer{status: resp.StatusCode, kind: kind, after: resp.Header.Get("Retry-After"), body: body}, nil
}
