package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

// attempts is how often something is asked for in a row before it is a fault; the waits between double from firstWait.
const (
	attempts  = 5
	firstWait = 250 * time.Millisecond
	maxWait   = 30 * time.Second // that a server may ask for
)

// retryable is an error that may be gone at the next attempt.
type retryable struct {
	err   error
	after time.Duration // what the server asked for; zero is nothing
}

func (r *retryable) Error() string { return r.err.Error() }
func (r *retryable) Unwrap() error { return r.err }

// request asks for a file from an offset on, once.
func (f *FS) request(ctx context.Context, name string, offset int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base.JoinPath(name).String(), nil)
	if err != nil {
		return nil, err
	}
	if f.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+f.bearer)
	}
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := f.client.Do(req)
	if err != nil {
		if final(err) {
			return nil, err
		}
		return nil, &retryable{err: err}
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp, nil
	case http.StatusPartialContent:
		if offset > 0 {
			return resp, nil
		}
	}
	resp.Body.Close()
	err = fmt.Errorf("the server answers %d", resp.StatusCode)
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return nil, fs.ErrNotExist
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return nil, &retryable{err, min(time.Duration(max(seconds, 0))*time.Second, maxWait)}
	}
	return nil, err
}

// final reports whether an error will be there at the next attempt as well.
func final(err error) bool {
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	return errors.Is(err, errRedirect) || errors.As(err, &certificate) || errors.As(err, &name) && name.IsNotFound
}

// pause waits before attempt n, counted from one, or returns err if it is not worth while.
func (f *FS) pause(n int, err error) error {
	var again *retryable
	if n >= attempts || !errors.As(err, &again) || f.ctx.Err() != nil {
		return err
	}
	d := firstWait << (n - 1)
	return f.wait(f.ctx, max(d+rand.N(d/2), again.after))
}

// stream is a file that is read while it arrives. When the connection breaks, it goes on where it was.
type stream struct {
	f      *FS
	name   string
	body   io.ReadCloser
	cancel context.CancelFunc
	length int64 // of the file, as promised; -1 is unknown
	etag   string
	offset int64
	failed int // attempts since the last byte
}

// stream opens a file; the error is fs.ErrNotExist or a fault.
func (f *FS) stream(name string) (*stream, error) {
	s := &stream{f: f, name: name}
	for {
		err := s.connect()
		if err == nil {
			return s, nil
		}
		s.failed++
		if err := f.pause(s.failed, err); err != nil {
			return nil, err
		}
	}
}

// errChanged reports a file that was replaced while it was read.
var errChanged = errors.New("the file changes while it is read")

func (s *stream) connect() error {
	ctx, cancel := context.WithCancel(s.f.ctx)
	resp, err := s.f.request(ctx, s.name, s.offset)
	if err != nil {
		cancel()
		return err
	}
	s.body, s.cancel = resp.Body, cancel
	if s.offset == 0 {
		s.length, s.etag = resp.ContentLength, resp.Header.Get("ETag")
		return nil
	}
	if s.etag != resp.Header.Get("ETag") {
		s.Close()
		return errChanged
	}
	if resp.StatusCode == http.StatusPartialContent {
		var first int64
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-", &first); err != nil || first != s.offset {
			s.Close()
			return errors.New("the server answers with another part of the file")
		}
		return nil
	}
	if _, err := io.CopyN(io.Discard, &patient{s}, s.offset); err != nil { // a server that knows no ranges
		s.Close()
		return &retryable{err: err}
	}
	return nil
}

// patient reads the body, but not for ever when nothing arrives.
type patient struct{ *stream }

func (p *patient) Read(b []byte) (int, error) {
	timer := time.AfterFunc(stallTimeout, p.cancel)
	defer timer.Stop()
	return p.body.Read(b)
}

// Read reads on, over as many connections as it takes.
func (s *stream) Read(b []byte) (int, error) {
	for {
		n, err := (&patient{s}).Read(b)
		s.offset += int64(n)
		if n > 0 {
			s.failed = 0
		}
		if n > 0 || err == io.EOF || err == nil {
			if n > 0 && err != io.EOF {
				err = nil // it will come again
			}
			return n, err
		}
		if s.offset == s.length {
			return 0, io.EOF // nothing is missing but a proper end
		}
		s.Close()
		if err := s.resume(err); err != nil {
			return 0, s.f.failed(s.name, err)
		}
	}
}

func (s *stream) resume(err error) error {
	err = &retryable{err: err}
	for {
		s.failed++
		if err := s.f.pause(s.failed, err); err != nil {
			return err
		}
		if err = s.connect(); err == nil {
			return nil
		}
	}
}

// Stat returns what is known about the file.
func (s *stream) Stat() (fs.FileInfo, error) { return info{s.name, s.length}, nil }

// Close ends the download.
func (s *stream) Close() error {
	s.cancel()
	return s.body.Close()
}

// info is the fs.FileInfo of a file.
type info struct {
	name string
	size int64
}

// Name returns the last element of the path.
func (i info) Name() string { return i.name[lastSlash(i.name)+1:] }

// Size returns the length in bytes, -1 if it is unknown.
func (i info) Size() int64 { return i.size }

// Mode returns that of a file that can be read.
func (i info) Mode() fs.FileMode { return 0o444 }

// ModTime returns none.
func (i info) ModTime() time.Time { return time.Time{} }

// IsDir returns false.
func (i info) IsDir() bool { return false }

// Sys returns nothing.
func (i info) Sys() any { return nil }

func lastSlash(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '/' {
			return i
		}
	}
	return -1
}
