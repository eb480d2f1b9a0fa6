//go:build !unix || aix || solaris

package pglocal

import "context"

// Server is a running private PostgreSQL.
type Server struct{}

// Start returns ErrUnsupported on this platform.
func Start(context.Context, Config) (*Server, error) { return nil, ErrUnsupported }

// URL returns "" on this platform.
func (*Server) URL(database, user string) string { return "" }

// Dir returns "" on this platform.
func (*Server) Dir() string { return "" }

// Version returns "" on this platform.
func (*Server) Version() string { return "" }

// Done returns nil on this platform.
func (*Server) Done() <-chan struct{} { return nil }

// Stop does nothing on this platform.
func (*Server) Stop(context.Context) error { return nil }
