package rls_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// wire is a proxy that counts the server's ReadyForQuery messages: one per round trip.
type wire struct {
	dsn   string
	ready atomic.Int64
}

// trips runs fn and returns the round trips it took.
func (w *wire) trips(fn func()) int64 {
	before := w.ready.Load()
	fn()
	return w.ready.Load() - before
}

// countSyncs starts a wire in front of the server behind dsn.
func countSyncs(t *testing.T, dsn string) *wire {
	cfg, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	network, address := "tcp", fmt.Sprintf("%s:%d", cfg.Host, cfg.Port)
	if filepath.IsAbs(cfg.Host) {
		network, address = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	w := &wire{}
	w.dsn = withOption(dsn, fmt.Sprintf("host=127.0.0.1 port=%d sslmode=disable", l.Addr().(*net.TCPAddr).Port))
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := (&net.Dialer{}).DialContext(context.Background(), network, address)
			if err != nil {
				client.Close()
				return
			}
			go func() { _, _ = io.Copy(server, client); server.Close() }()
			go func() { w.relay(client, server); client.Close() }()
		}
	}()
	return w
}

// relay copies the server's messages: a type byte, four bytes of length including themselves, the body.
func (w *wire) relay(client, server net.Conn) {
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(server, head); err != nil {
			return
		}
		body := make([]byte, int(head[1])<<24|int(head[2])<<16|int(head[3])<<8|int(head[4])-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return
		}
		if head[0] == 'Z' {
			w.ready.Add(1)
		}
		if _, err := client.Write(append(head[:5:5], body...)); err != nil {
			return
		}
	}
}
