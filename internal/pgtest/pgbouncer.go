package pgtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// EnvBouncer names PgBouncer's program where it is none of those that are looked for.
const EnvBouncer = "TOMKIT_TEST_PGBOUNCER"

// bouncerPort is nothing but a part of the socket's name.
const bouncerPort = "6432"

// PgBouncer is a pooler in front of a test's database. Its DB reaches the logins through the pooler and the superuser
// without it.
type PgBouncer struct {
	*DB
	dir  string
	path string
	stop func()
}

// PgBouncer starts a pooler for the database, which ends with the test. Settings are those of the section [pgbouncer]; by
// default pool_mode is transaction and each login has four connections to the server. Without the program the test is
// skipped as New skips it.
func (db *DB) PgBouncer(t testing.TB, settings map[string]string) *PgBouncer {
	t.Helper()
	path, err := findBouncer()
	unavailable(t, err)
	dir, err := os.MkdirTemp(memoryDir(), "tomkit-pgb-")
	if err != nil {
		t.Fatal(err)
	}
	p := &PgBouncer{dir: dir, path: path, stop: func() {}}
	t.Cleanup(func() {
		p.stop()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := db.writeBouncer(dir, settings); err != nil {
		t.Fatal(err)
	}
	p.DB = db.Behind(t, dir, bouncerPort)
	p.start(t)
	return p
}

// Restart ends the pooler with all its connections and starts it again.
func (p *PgBouncer) Restart(t testing.TB) {
	t.Helper()
	p.stop()
	p.start(t)
}

// Log returns what the pooler has logged.
func (p *PgBouncer) Log(t testing.TB) string {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

// Behind returns the same database with its logins at another address, a host or a directory with a socket.
func (db *DB) Behind(t testing.TB, host, port string) *DB {
	t.Helper()
	behind := *db
	for _, login := range []*string{&behind.logins.App, &behind.logins.MSP, &behind.logins.System, &behind.logins.Migrator, &behind.logins.Backup} {
		u, err := url.Parse(*login)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		query.Set("host", host)
		query.Set("port", port)
		query.Set("sslmode", "disable")
		u.Host, u.RawQuery = "", query.Encode()
		*login = u.String()
	}
	return &behind
}

// Users returns the content of PgBouncer's auth_file for the logins.
func (db *DB) Users(t testing.TB) string {
	t.Helper()
	users, err := db.users()
	if err != nil {
		t.Fatal(err)
	}
	return users
}

func (db *DB) users() (string, error) {
	var users strings.Builder
	for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem, rls.RoleMigrator, rls.RoleBackup} {
		cfg, err := pgx.ParseConfig(db.URL(role))
		if err != nil {
			return "", fmt.Errorf("pgtest: connection string of %s is malformed", role)
		}
		fmt.Fprintf(&users, "%q %q\n", cfg.User, cfg.Password)
	}
	return users.String(), nil
}

func findBouncer() (string, error) {
	names := []string{"pgbouncer", "/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer"}
	if name := os.Getenv(EnvBouncer); name != "" {
		names = []string{name}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("pgtest: no PgBouncer for tests: install one with `apt-get install pgbouncer` or set " + EnvBouncer)
}

// writeBouncer makes the configuration and gives it to the account that the pooler runs as.
func (db *DB) writeBouncer(dir string, settings map[string]string) error {
	server, err := pgx.ParseConfig(db.SuperuserURL())
	if err != nil {
		return errors.New("pgtest: pgbouncer: the superuser's URL is malformed")
	}
	users, err := db.users()
	if err != nil {
		return err
	}
	all := map[string]string{
		"listen_addr": "", "listen_port": bouncerPort, "unix_socket_dir": dir,
		"auth_file": filepath.Join(dir, "users"), "auth_type": "trust", "logfile": filepath.Join(dir, "log"),
		"pool_mode": "transaction", "default_pool_size": "4", "max_client_conn": "1000", "server_login_retry": "0.1",
	}
	maps.Copy(all, settings)
	account, id, err := bouncerAccount()
	if err != nil {
		return err
	}
	all["user"] = account
	var ini strings.Builder
	fmt.Fprintf(&ini, "[databases]\n* = host=%s port=%d\n[pgbouncer]\n", server.Host, server.Port)
	for name, value := range all {
		fmt.Fprintf(&ini, "%s = %s\n", name, value)
	}
	for name, text := range map[string]string{"users": users, "ini": ini.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("pgtest: pgbouncer: %w", err)
		}
	}
	for _, name := range []string{"users", "ini", "."} {
		if err := os.Chown(filepath.Join(dir, name), id, -1); err != nil {
			return fmt.Errorf("pgtest: pgbouncer: %w", err)
		}
	}
	return nil
}

// bouncerAccount is our own or, since PgBouncer refuses to run as root, the one that root gives a private server to: it may
// enter the directory of that server's socket.
func bouncerAccount() (name string, id int, err error) {
	me, err := user.Current()
	if err == nil && me.Uid == "0" {
		me, err = user.Lookup("postgres")
	}
	if err != nil {
		return "", 0, fmt.Errorf("pgtest: pgbouncer: account: %w", err)
	}
	if id, err = strconv.Atoi(me.Uid); err != nil {
		return "", 0, fmt.Errorf("pgtest: pgbouncer: account: %w", err)
	}
	return me.Username, id, nil
}

// guard runs a program until its own input has a line or ends. It ends with the process of the test, however that dies, and
// then removes the directory too.
const guard = `dir=$1; shift; "$@" </dev/null & pid=$!; read -r keep; kill -KILL $pid; wait $pid; [ -n "$keep" ] || rm -rf -- "$dir"`

func (p *PgBouncer) start(t testing.TB) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", guard, "sh", p.dir, p.path, "-q", filepath.Join(p.dir, "ini"))
	cmd.Dir = "/"
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.stop = func() {
		fmt.Fprintln(input, "keep")
		cmd.Wait() // says that the pooler was killed
		p.stop = func() {}
	}
	p.ready(t)
}

// ready waits until the pooler lets a login through to the server.
func (p *PgBouncer) ready(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.URL(rls.RoleBackup))
		if err == nil {
			conn.Close(ctx)
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("pgtest: pgbouncer: %v\n%s", err, p.Log(t))
		case <-time.After(10 * time.Millisecond):
		}
	}
}
