package rls_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
)

// signedContext is the form of a context, wherever it turns up.
var signedContext = regexp.MustCompile(`[0-9a-f]{64}\.[0-9a-f-]{36}\.[0-9]{10}`)

// tap is a proxy that keeps what clients send, by the type of the message: 'Q' and 'P' are texts of statements, 'B' are
// bound parameters.
type tap struct {
	host, port       string
	network, address string

	mu   sync.Mutex
	sent map[byte][]string
	cut  func(kind byte, body string) bool // nil, or picks the message whose answer the client does not get: its connection ends
}

// newTap starts a tap in front of the server, or the pooler, behind dsn.
func newTap(t *testing.T, dsn string) *tap {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	w := &tap{network: "tcp", address: fmt.Sprintf("%s:%d", cfg.Host, cfg.Port), sent: map[byte][]string{}}
	if filepath.IsAbs(cfg.Host) {
		w.network, w.address = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	w.host, w.port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go w.serve(client)
		}
	}()
	return w
}

func (w *tap) serve(client net.Conn) {
	defer client.Close()
	server, err := new(net.Dialer).DialContext(context.Background(), w.network, w.address)
	if err != nil {
		return
	}
	defer server.Close()
	answers := &gate{to: client}
	go func() { _, _ = io.Copy(answers, server); client.Close() }()
	head := make([]byte, 4) // the first message has no type
	for first := true; ; first = false {
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		if !first && w.keep(head[0], string(body)) {
			answers.close()
		}
		if _, err := server.Write(append(bytes.Clone(head), body...)); err != nil {
			return
		}
		head = make([]byte, 5)
	}
}

// cutAt loses the answer to a message.
func (w *tap) cutAt(cut func(kind byte, body string) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
}

// keep notes a message and reports whether its answer is to be cut off.
func (w *tap) keep(kind byte, body string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent[kind] = append(w.sent[kind], body)
	return w.cut != nil && w.cut(kind, body)
}

// contexts counts the messages of a type that hold a context, and all of them.
func (w *tap) contexts(kinds string) (holding, all int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, kind := range []byte(kinds) {
		for _, body := range w.sent[kind] {
			all++
			if signedContext.MatchString(body) {
				holding++
			}
		}
	}
	return holding, all
}

// gate passes on what is written until it is closed; then it ends the connection with the next message.
type gate struct {
	mu     sync.Mutex
	to     net.Conn
	closed bool
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return 0, net.ErrClosed
	}
	return g.to.Write(p)
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// TestNoContextInTheTextOfAStatement looks at every message to the server, or to the pooler.
func TestNoContextInTheTextOfAStatement(t *testing.T) {
	f := newFixture(t)
	pooler := f.pg.PgBouncer(t, nil)
	for way, pg := range map[string]*pgtest.DB{"directly": f.pg, "through a pooler": pooler.DB} {
		for _, mode := range execModes {
			t.Run(mode+" "+way, func(t *testing.T) {
				w := newTap(t, pg.URL(rls.RoleApp))
				db := f.pg.OpenConfig(t, inMode(pg.Behind(t, w.host, w.port), mode))
				for range 2 {
					everyScope(t, f, db)
				}
				holding, texts := w.contexts("QP")
				require.Zero(t, holding)
				require.Positive(t, texts)
				bound, _ := w.contexts("B")
				require.Greater(t, bound, 10, "contexts are sent, as bound parameters")
			})
		}
	}
}

// TestALostCommitIsUnknown loses the answer to a COMMIT that the server carried out.
func TestALostCommitIsUnknown(t *testing.T) {
	f := newFixture(t)
	const insert = "INSERT INTO tomkit.devices SELECT $1::uuid, 1000 + count(*), 'lost' FROM tomkit.devices"
	for _, mode := range execModes {
		open := func(t *testing.T) (*tap, *rls.DB) {
			w := newTap(t, f.pg.URL(rls.RoleApp))
			return w, f.pg.OpenConfig(t, rls.Config{AppURL: inMode(f.pg.Behind(t, w.host, w.port), mode).AppURL, MaxConns: 1})
		}
		committed := func(t *testing.T, err error) {
			require.ErrorIs(t, err, rls.ErrCommitUnknown)
			require.Eventually(t, func() bool {
				return count(t, f.db.Tenant(f.a), countDevices+" WHERE name = 'lost'") == 1
			}, patience, tick, "it was committed")
			_, err = f.super.Exec(t.Context(), "DELETE FROM tomkit.devices WHERE name = 'lost'")
			require.NoError(t, err)
		}
		t.Run(mode, func(t *testing.T) {
			w, db := open(t)
			w.cutAt(func(kind byte, body string) bool { return kind == 'Q' && strings.HasPrefix(body, "commit") })
			committed(t, db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				_, err := tx.Exec(ctx, insert, f.a)
				return err
			}))
		})
		if mode == "describe_exec" {
			continue // it asks for descriptions in front of each pipeline, so the cut below would come too early
		}
		t.Run(mode+", sent by a sealer", func(t *testing.T) {
			w, db := open(t)
			run := func(sql string, before func()) error {
				return db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
					_, err := tx.Exec(ctx, sql, f.a)
					require.NoError(t, err)
					tx.Sealer(func() rls.Sealer {
						return sealFunc(func(_ context.Context, _ pgx.Tx, commit rls.Commit) error {
							before()
							return commit(&pgx.Batch{}, nil)
						})
					})
					return nil
				})
			}
			require.NoError(t, run("SELECT $1::uuid", func() {})) // from now on the statements' types are known
			committed(t, run(insert, func() {
				w.cutAt(func(kind byte, _ string) bool { return kind == 'S' })
			}))
		})
	}
}

// TestNoContextInWhatTheServerShows reads the server's log with every statement in it, and what others see of a statement
// that runs.
func TestNoContextInWhatTheServerShows(t *testing.T) {
	for _, p := range []string{"directly", "through a pooler"} {
		t.Run(p, func(t *testing.T) {
			private := pgtest.NewPrivate(t, map[string]string{"log_statement": "all", "log_min_messages": "log", "log_parameter_max_length": "0"}, fixtureSources()...)
			f := fixtureOn(t, private.DB)
			pg := private.DB
			if p != "directly" {
				pg = private.PgBouncer(t, nil).DB
			}
			for _, mode := range execModes {
				db := pg.OpenConfig(t, inMode(pg, mode))
				everyScope(t, f, db)
				var seen string
				require.NoError(t, db.Tenant(f.a).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
					var pid int
					require.NoError(t, tx.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid))
					return f.super.QueryRow(ctx, "SELECT query FROM pg_stat_activity WHERE pid = $1", pid).Scan(&seen)
				}))
				require.NotEmpty(t, seen)
				require.NotRegexp(t, signedContext, seen, mode)
				db.Close()
			}
			log := private.Log(t)
			require.Contains(t, log, "set_config('app.tenant_id', $1, true)", "the log has the statements")
			require.NotRegexp(t, signedContext, log)
		})
	}
}
