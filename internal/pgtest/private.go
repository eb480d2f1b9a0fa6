package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/rls"
)

// Private is a database on a server of the test's own, for tests that stop the server or read its log.
type Private struct {
	*DB
	dir      string
	settings map[string]string
	log      logBuffer
	server   *pglocal.Server
}

// NewPrivate is New on a server that is started for this test with further settings, such as log_statement, and ends with
// it. It needs PostgreSQL's programs even where TOMKIT_TEST_DATABASE_URL names a server.
func NewPrivate(t testing.TB, more map[string]string, sources ...rls.Source) *Private {
	t.Helper()
	NeedBinaries(t)
	dir, err := os.MkdirTemp(memoryDir(), "tomkit-pgp-")
	if err != nil {
		t.Fatal(err)
	}
	p := &Private{dir: dir, settings: maps.Clone(settings)}
	maps.Copy(p.settings, map[string]string{"fsync": "off", "full_page_writes": "off"})
	maps.Copy(p.settings, more)
	t.Cleanup(func() {
		p.Stop(t)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	p.Start(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := prepare(ctx, p.server.URL("postgres", pglocal.Superuser), true)
	if err != nil {
		t.Fatal(err)
	}
	if p.DB, err = s.newDB(ctx, sources); err != nil {
		t.Fatal(err)
	}
	return p
}

// Start starts the server that Stop stopped, at the same address.
func (p *Private) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	server, err := pglocal.Start(ctx, pglocal.Config{Dir: p.dir, Settings: p.settings, Log: &p.log})
	if err != nil {
		t.Fatal(err)
	}
	p.server = server
}

// Stop ends the server with all sessions. Further calls do nothing.
func (p *Private) Stop(t testing.TB) {
	t.Helper()
	if p.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.server.Stop(ctx); err != nil {
		t.Error(err)
	}
	p.server = nil
}

// Kill kills the server's first process with -9 and returns when it is gone, as its sessions soon are. Start recovers it.
func (p *Private) Kill(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.server.Dir(), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	<-p.server.Done()
	p.Stop(t)
}

// Log returns what the server has logged up to now. A statement's lines are on their way when its result is there, so Log
// lets the server log a mark of its own and waits for it: what was logged before is then read, and what is not there was
// not logged..
func (p *Private) Log(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.SuperuserURL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	mark := "pgtest read up to here " + rand.Text()
	if _, err := conn.Exec(ctx, `DO $$ BEGIN RAISE LOG '`+mark+`'; END $$`); err != nil {
		t.Fatal(err)
	}
	for {
		if before, _, found := strings.Cut(p.log.String(), mark); found {
			return before
		}
		select {
		case <-ctx.Done():
			t.Fatal("pgtest: the server's log does not arrive")
		case <-time.After(time.Millisecond):
		}
	}
}

// logBuffer collects a log while others read it.
type logBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}
