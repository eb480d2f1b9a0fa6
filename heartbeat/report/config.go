package report

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/internal/wait"
)

// MinInterval is the shortest pause between two samples.
const MinInterval = 5 * time.Second

// Config tunes a [Reporter]. Server, Roots and Credential are required ([Enrol] needs no Credential).
type Config struct {
	// Server is the server's address, https://host or https://host:port with an optional path, without query or user.
	Server string
	// Roots are the certificate authorities the server's certificate must lead to. Nil is an error: pass
	// x509.SystemCertPool() to trust those of the machine.
	Roots *x509.CertPool
	// Credential is the device's, of kind heartbeat.TokenDevice.
	Credential heartbeat.Token
	// Interval is the pause between two samples in Run, jittered by a tenth; the server may ask for another one. Zero
	// means 60s; less than MinInterval is an error.
	Interval time.Duration
	// Timeout bounds one request, connection included. Zero means 10s; negative is an error.
	Timeout time.Duration
	// Attempts is the number of times one delivery is tried. Zero means 3; negative is an error.
	Attempts int
	// Backoff is the longest pause before the second try; it doubles with each further one. The pause is random between
	// half of it and all of it. Zero means 2s; negative is an error.
	Backoff time.Duration
	// Spill is the number of undelivered samples kept. Zero means 16; negative is an error.
	Spill int
	// Report is called after each round of Run with nil or what went wrong. Nil means nobody is told.
	Report func(error)
	// Wait waits for d or until ctx ends, then with ctx's error. Nil means a timer.
	Wait func(ctx context.Context, d time.Duration) error
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() (Config, error) {
	if c.Interval < 0 || c.Timeout < 0 || c.Attempts < 0 || c.Backoff < 0 || c.Spill < 0 {
		return c, fmt.Errorf("%w: negative value", ErrConfig)
	}
	if c.Roots == nil {
		return c, fmt.Errorf("%w: no certificate authorities", ErrConfig)
	}
	c.Interval = orDefault(c.Interval, time.Minute)
	c.Timeout = orDefault(c.Timeout, 10*time.Second)
	c.Attempts = orDefault(c.Attempts, 3)
	c.Backoff = orDefault(c.Backoff, 2*time.Second)
	c.Spill = orDefault(c.Spill, 16)
	if c.Interval < MinInterval {
		return c, fmt.Errorf("%w: interval below %s", ErrConfig, MinInterval)
	}
	if c.Report == nil {
		c.Report = func(error) {}
	}
	if c.Wait == nil {
		c.Wait = wait.For
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

func orDefault[T int | time.Duration](v, fallback T) T {
	if v == 0 {
		return fallback
	}
	return v
}

// endpoint returns the address of path below the configured server.
func (c Config) endpoint(path string) (string, error) {
	u, err := url.Parse(c.Server)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return "", fmt.Errorf("%w: server is not an https address without user, query and fragment", ErrConfig)
	}
	return u.JoinPath(path).String(), nil
}

// client returns an HTTP client that talks to the server and nobody else.
func (c Config) client() *http.Client {
	return &http.Client{
		Timeout: c.Timeout,
		// A redirect is an answer like any other, and not one that means accepted.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:       nil, // not even from the environment
			DialContext: (&net.Dialer{Timeout: c.Timeout}).DialContext,
			TLSClientConfig: &tls.Config{
				RootCAs:    c.Roots,
				MinVersion: tls.VersionTLS12,
				CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 are all authenticated
					tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
					tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
					tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
				},
			},
			TLSHandshakeTimeout:    c.Timeout,
			ResponseHeaderTimeout:  c.Timeout,
			MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConns:           1,
			IdleConnTimeout:        90 * time.Second,
			DisableCompression:     true,
			ForceAttemptHTTP2:      true,
		},
	}
}
