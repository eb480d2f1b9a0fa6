package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"syscall"
)

const maxHeader = 16 << 10 // bytes of an answer's header

// transport returns an HTTP transport that takes nothing from the environment. It speaks HTTP/1.1 only: a boot makes its
// calls one after the other.
func (c Config) transport() *http.Transport {
	dialer := &net.Dialer{Timeout: c.Timeout}
	settings := &tls.Config{
		RootCAs:    c.Roots,
		Time:       c.Now,
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 are all authenticated
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		VerifyConnection: c.verifyPins,
	}
	return &http.Transport{
		Proxy:       nil, // not even from the environment
		DialContext: dialer.DialContext,
		// The handshake is made here and not by net/http, so that its failures can be told from those of the network.
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, c.Timeout)
			defer cancel()
			return handshake(ctx, dialer, settings, network, address)
		},
		ResponseHeaderTimeout:  c.Timeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns:           8, // as many as a boot reads with at once
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        c.Timeout,
		DisableCompression:     true, // a small answer could become a large one
	}
}

type handshakeError struct{ cause error }

func (handshakeError) Error() string   { return ErrHandshake.Error() }
func (e handshakeError) Unwrap() error { return e.cause }

func handshake(ctx context.Context, dialer *net.Dialer, settings *tls.Config, network, address string) (net.Conn, error) {
	raw, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	settings = settings.Clone()
	if settings.ServerName, _, err = net.SplitHostPort(address); err != nil {
		raw.Close()
		return nil, err
	}
	conn := tls.Client(raw, settings)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		if networkReason(err) != nil || errors.Is(err, context.Canceled) {
			return nil, err
		}
		return nil, handshakeError{err}
	}
	return conn, nil
}

// verifyPins is called after the chain was verified against the roots.
func (c Config) verifyPins(state tls.ConnectionState) error {
	if len(c.Pins) == 0 {
		return nil
	}
	for _, chain := range state.VerifiedChains {
		for _, cert := range chain {
			if slices.Contains(c.Pins, PinOf(cert)) {
				return nil
			}
		}
	}
	return ErrPin
}

// classify says what a failure of net/http is. The error itself is dropped: its text may repeat bytes that the server sent.
func classify(err error) (class, reason error) {
	if failed := (handshakeError{}); errors.As(err, &failed) {
		return ErrUntrusted, trustReason(failed.cause)
	}
	if reason := networkReason(err); reason != nil {
		return ErrUnavailable, reason
	}
	return ErrUnavailable, ErrProtocol
}

func networkReason(err error) error {
	var errno syscall.Errno
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return ErrTimeout
	case errors.As(err, &dns):
		return ErrUnresolved
	case errors.As(err, &errno):
		return errno
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return ErrClosed
	}
	return nil
}

func trustReason(err error) error {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, ErrPin):
		return ErrPin
	case errors.As(err, new(x509.HostnameError)):
		return ErrHost
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return ErrPeriod
	case errors.As(err, new(x509.UnknownAuthorityError)), errors.As(err, &invalid):
		return ErrAuthority
	}
	return ErrHandshake
}
