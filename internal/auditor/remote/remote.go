// Package remote reads an export over HTTPS, from any server that hands out its files: a web server, an object store, a content
// delivery network. Nothing needs to run there.
//
// What it is told by the server is as hostile as the export itself: it follows no redirect to another host, sends its token nowhere
// else, bounds what it holds in memory, and tells a network that failed (see [FS.Fault]) from a log that was tampered with. The files are
// fetched ahead, several at a time, so that a long log is read as fast as the line allows.
package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pioneerdesk/tomkit/internal/wait"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Config says how to reach the server.
type Config struct {
	// CA is the certificates to trust, in PEM, instead of the system's. Nil means the system's.
	CA []byte
	// Bearer is a token to send. Empty means none.
	Bearer string
	// Wait waits before a request is repeated. Nil means to sleep.
	Wait func(ctx context.Context, d time.Duration) error
}

// Times the network may take. A body may take as long as it likes while bytes arrive.
const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 30 * time.Second
	stallTimeout  = 60 * time.Second
)

const maxRedirects = 5

// FS is the export under a URL. Close it when done; it is safe for concurrent use.
type FS struct {
	base      *url.URL
	bearer    string
	client    *http.Client
	transport *http.Transport
	wait      func(context.Context, time.Duration) error

	ctx    context.Context // of everything in flight: fs.FS knows no context
	cancel context.CancelFunc
	ahead  ahead

	mu    sync.Mutex
	fault error
}

// Open returns the export under address, an https URL; http is for this machine only. It sends no request yet. What is read later
// ends with ctx.
func Open(ctx context.Context, address string, cfg Config) (*FS, error) {
	base, err := parse(address)
	if err != nil {
		return nil, err
	}
	f := &FS{base: base, bearer: cfg.Bearer, wait: cfg.Wait}
	if f.wait == nil {
		f.wait = wait.For
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CA != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(cfg.CA) {
			return nil, errors.New("no certificate in the CA file")
		}
	}
	f.transport = &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: headerTimeout, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 2 * window, MaxConnsPerHost: 4 * window,
		DisableCompression: true, // a small answer must not become a large one
	}
	f.client = &http.Client{Transport: f.transport, CheckRedirect: f.checkRedirect}
	f.ctx, f.cancel = context.WithCancel(ctx)
	f.ahead.init(f)
	return f, nil
}

func parse(address string) (*url.URL, error) {
	base, err := url.Parse(address)
	switch {
	case err != nil || base.Host == "":
		return nil, errors.New("not a URL")
	case base.User != nil:
		return nil, errors.New("a URL must not hold a password: use --bearer-file")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("a URL of an export has neither ? nor #")
	case base.Scheme != "https" && !(base.Scheme == "http" && local(base.Hostname())):
		return nil, errors.New("not an https:// URL")
	}
	base.Path = strings.TrimSuffix(base.Path, "/") + "/"
	return base, nil
}

// local reports whether a host is this machine.
func local(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// errRedirect reports a redirect away from the server that was asked.
var errRedirect = errors.New("redirected to another host")

func (f *FS) checkRedirect(req *http.Request, via []*http.Request) error {
	if req.URL.Scheme != f.base.Scheme || req.URL.Host != f.base.Host {
		return errRedirect
	}
	if len(via) > maxRedirects {
		return errors.New("redirected too often")
	}
	return nil
}

// Fault returns the first error of the network or the server, if any: then a verification that read from here says nothing about the
// log. That a file does not exist is no fault.
func (f *FS) Fault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault
}

// failed takes down a fault and returns what the reader sees.
func (f *FS) failed(name string, err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault == nil {
		f.fault = fmt.Errorf("reading %s from %s: %w", name, f.base.Host, err)
	}
	return &fs.PathError{Op: "read", Path: name, Err: err}
}

// Close ends everything in flight.
func (f *FS) Close() error {
	f.cancel()
	f.ahead.group.Wait()
	f.transport.CloseIdleConnections()
	return nil
}

// ReadDir finds nothing: a server of static files lists none. So older checkpoints are not looked for.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
}

// Open opens a file. After a fault nothing can be opened.
func (f *FS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if err := f.Fault(); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if t, err := verify.ParseTilePath(name); err == nil {
		if file, err := f.ahead.open(t, name); file != nil || err != nil {
			return file, err
		}
	}
	s, err := f.stream(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case err != nil:
		return nil, f.failed(name, err)
	}
	if name == "checkpoint" {
		return f.checkpoint(s)
	}
	return s, nil
}

// checkpoint reads the checkpoint and takes the size from it up to which is fetched ahead. It may be a lie, which costs some requests.
func (f *FS) checkpoint(s *stream) (fs.File, error) {
	defer s.Close()
	text, err := io.ReadAll(io.LimitReader(s, verify.MaxCheckpoint+1))
	if err != nil {
		return nil, err
	}
	if head, _, ok := strings.Cut(string(text), "\n\n"); ok {
		if c, err := verify.ParseCheckpoint(head + "\n"); err == nil {
			f.ahead.expect(c.Size)
		}
	}
	return &memory{name: "checkpoint", data: text}, nil
}
