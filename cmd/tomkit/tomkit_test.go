package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn/totp"
	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
)

const (
	secretWord = "a long enough passphrase 1"
	leak       = "hunter2-do-not-repeat"
)

// outcome is what a command line left behind.
type outcome struct {
	code     int
	out, err string
}

// tomkit runs a command line with stdin as its standard input.
func tomkit(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stdin")
	require.NoError(t, os.WriteFile(path, []byte(stdin), 0o600))
	in, err := os.Open(path)
	require.NoError(t, err)
	defer in.Close()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, &console{in, &stdout, &stderr})
	o := outcome{code, stdout.String(), stderr.String()}
	for _, text := range []string{o.out, o.err} {
		require.NotContains(t, text, leak)
		require.NotContains(t, text, secretWord)
	}
	return o
}

// failed asserts the exit code and one line on stderr that says want; a usage error may point to --help in a second one.
func (o outcome) failed(t *testing.T, code int, want string) {
	t.Helper()
	require.Equalf(t, code, o.code, "%s", o.err)
	require.Containsf(t, o.err, want, "exit %d", o.code)
	lines := strings.Split(strings.TrimSuffix(o.err, "\n"), "\n")
	if len(lines) == 2 && strings.HasSuffix(lines[1], "--help") {
		lines = lines[:1]
	}
	require.Lenf(t, lines, 1, "%s", o.err)
	require.True(t, strings.HasPrefix(o.err, "tomkit: "), o.err)
	require.NotContains(t, o.err, "%!")
	require.Empty(t, o.out)
}

func (o outcome) done(t *testing.T) string {
	t.Helper()
	require.Equalf(t, 0, o.code, "%s", o.err)
	return o.out
}

// plain takes the settings of this machine away.
func plain(t *testing.T) {
	t.Helper()
	for _, name := range []string{"TOMKIT_ENV", "TOMKIT_DATA", "TOMKIT_OPERATOR", "TOMKIT_DATABASE_URL", "TOMKIT_DATABASE_MSP_URL", "TOMKIT_DATABASE_SYSTEM_URL", "TOMKIT_DATABASE_MIGRATOR_URL", "TOMKIT_DATABASE_SUPERUSER_URL"} {
		t.Setenv(name, "")
	}
}

func TestHelpTeachesAndVersionTells(t *testing.T) {
	plain(t)
	help := tomkit(t, "", "--help").done(t)
	for _, text := range []string{"tomkit demo", "TOMKIT_DATABASE_URL", "Exit codes", "migrate", "roles", "admin"} {
		require.Contains(t, help, text)
	}
	for _, command := range []string{"demo", "migrate", "roles", "admin bootstrap", "admin msp", "admin tenant", "admin tenant create", "admin tenant list",
		"admin tenant host add", "admin tenant host remove", "admin tenant move", "admin tenant suspend", "admin tenant activate", "admin tenant delete",
		"erasure erase-person", "erasure jobs", "erasure hold set", "erasure hold release", "erasure hold list", "erasure override set",
		"ledger verify", "ledger export", "ledger keys", "ledger receipt", "ledger rotate-keys", "ledger reseal", "ledger recover", "ledger erase",
		"ledger close", "ledger purge", "ledger health"} {
		o := tomkit(t, "", append(strings.Fields(command), "--help")...)
		require.Contains(t, o.done(t), "tomkit "+command)
		require.Empty(t, o.err)
	}
	require.Contains(t, tomkit(t, "", "--version").done(t), "go1.")
}

func TestCommandLinesThatCannotBeUsed(t *testing.T) {
	plain(t)
	who := []string{"--slug=op", "--name=Op", "--email=ops@op.example"}
	for name, c := range map[string]struct {
		args  []string
		stdin string
		say   string
	}{
		"nothing":                         {nil, "", "expected one of"},
		"an unknown command":              {[]string{"destroy"}, "", "destroy"},
		"an unknown flag":                 {[]string{"demo", "--fast"}, "", "unknown flag --fast"},
		"a flag without its value":        {[]string{"demo", "--listen"}, "", "--listen"},
		"one argument too many":           {[]string{"roles", "now"}, "", "now"},
		"migrate without a database":      {[]string{"migrate"}, "", "TOMKIT_DATABASE_MIGRATOR_URL"},
		"its status without one":          {[]string{"migrate", "--status"}, "", "TOMKIT_DATABASE_MIGRATOR_URL"},
		"roles applied to nothing":        {[]string{"roles", "--apply"}, "", "TOMKIT_DATABASE_SUPERUSER_URL"},
		"admin alone":                     {[]string{"admin"}, "", "expected one of"},
		"bootstrap without a name":        {[]string{"admin", "bootstrap", "--slug=op"}, "", "missing flags"},
		"bootstrap without a password":    {append([]string{"admin", "bootstrap"}, who...), "", "no password"},
		"bootstrap with an empty line":    {append([]string{"admin", "bootstrap"}, who...), "\n\nsecond line\n", "no password"},
		"a password that is not UTF-8":    {append([]string{"admin", "bootstrap"}, who...), leak + "\xff\n", "UTF-8"},
		"a password as an argument":       {append([]string{"admin", "bootstrap", "--password=x"}, who...), "", "unknown flag --password"},
		"bootstrap without a place":       {append([]string{"admin", "bootstrap"}, who...), secretWord, "--data"},
		"a provider without a place":      {[]string{"admin", "msp", "--slug=a", "--name=A"}, "", "--data"},
		"a tenant of nobody":              {[]string{"admin", "tenant"}, "", "missing flags"},
		"a deletion without its flag":     {[]string{"admin", "tenant", "delete"}, "", "--confirm"},
		"a deletion the old way":          {[]string{"erasure", "delete-tenant", "--confirm=a"}, "", "delete-tenant"},
		"an erasure without its flag":     {[]string{"erasure", "erase-person", "--tenant=a", "--person=" + uuid.NewString()}, "", "--confirm"},
		"an erasure of somebody else":     {[]string{"erasure", "erase-person", "--tenant=a", "--person=" + uuid.NewString(), "--confirm=" + uuid.NewString()}, "", "--confirm"},
		"a hold without a reason":         {[]string{"erasure", "hold", "set", "--tenant=a"}, "", "--reason"},
		"a hold until some day":           {[]string{"erasure", "hold", "set", "--tenant=a", "--reason=x", "--until=tomorrow"}, "", "--until"},
		"a move to nowhere":               {[]string{"admin", "tenant", "move", "--slug=a"}, "", "--to"},
		"a host without a name":           {[]string{"admin", "tenant", "host", "add", "--slug=a"}, "", "--name"},
		"tenants without a place":         {[]string{"admin", "tenant", "list"}, "", "--data"},
		"a data directory that is a file": {append([]string{"admin", "--data=/dev/null", "bootstrap"}, who...), secretWord, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			o := tomkit(t, c.stdin, c.args...)
			o.failed(t, 2, c.say)
		})
	}
}

func TestRolesArePrintedAndApplied(t *testing.T) {
	plain(t)
	sql := tomkit(t, "", "roles").done(t)
	for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem, rls.RoleMigrator, rls.RoleBackup, rls.RoleOwner} {
		require.Contains(t, sql, role)
	}
	require.NotContains(t, strings.ToLower(sql), "password '")
	db := pgtest.New(t)
	t.Setenv("TOMKIT_DATABASE_SUPERUSER_URL", db.SuperuserURL())
	require.Contains(t, tomkit(t, "", "roles", "--apply").done(t), "the roles exist")
	require.Contains(t, tomkit(t, "", "roles", "--apply").done(t), "the roles exist") // again
	t.Run("the printed text is what a superuser can run", func(t *testing.T) {
		_, err := db.Superuser(t).Exec(t.Context(), sql)
		require.NoError(t, err)
	})
}

func TestMigrateBringsADatabaseUpToDate(t *testing.T) {
	plain(t)
	db := pgtest.New(t)
	t.Setenv("TOMKIT_DATABASE_MIGRATOR_URL", db.URL(rls.RoleMigrator))
	status := tomkit(t, "", "migrate", "--status").done(t)
	require.Contains(t, status, ": pending")
	require.NotContains(t, status, ": applied")
	first := tomkit(t, "", "migrate").done(t)
	require.Equal(t, strings.Count(status, "\n"), strings.Count(first, "\n")-1, "%s", first) // and a last line that says so
	require.Contains(t, tomkit(t, "", "migrate").done(t), "up to date, 0 migration(s)")
	require.NotContains(t, tomkit(t, "", "migrate", "--status").done(t), "pending")
	t.Run("a login that may not is told so", func(t *testing.T) {
		other := pgtest.New(t)
		t.Setenv("TOMKIT_DATABASE_MIGRATOR_URL", other.URL(rls.RoleApp))
		o := tomkit(t, "", "migrate")
		require.NotZero(t, o.code)
		require.Equal(t, 1, strings.Count(o.err, "\n"), o.err)
	})
	t.Run("a database that does not answer", func(t *testing.T) {
		for u, code := range map[string]int{
			"postgres://tomkit_migrator:" + leak + "@127.0.0.1:1/x": 1, "host=127.0.0.1 port=1 password=" + leak: 1,
			"postgres://tomkit_migrator:" + leak + "@[::1": 2, "postgres://a:" + leak + "@127.0.0.1:port/x": 2,
		} {
			t.Setenv("TOMKIT_DATABASE_MIGRATOR_URL", u)
			tomkit(t, "", "migrate").failed(t, code, "tomkit: ")
			tomkit(t, "", "migrate", "--status").failed(t, code, "tomkit: ")
		}
	})
}

// installed returns a database with the schema and a data directory, both named in the environment.
func installed(t *testing.T) (db *pgtest.DB, data string) {
	t.Helper()
	db, data = pgtest.New(t, server.Migrations()...), t.TempDir()
	t.Setenv("TOMKIT_DATA", data)
	for name, role := range map[string]string{"": rls.RoleApp, "MSP_": rls.RoleMSP, "SYSTEM_": rls.RoleSystem, "MIGRATOR_": rls.RoleMigrator} {
		t.Setenv("TOMKIT_DATABASE_"+name+"URL", db.URL(role))
	}
	return db, data
}

func TestAdminMakesPeopleWhoCanSignIn(t *testing.T) {
	plain(t)
	_, data := installed(t)
	bootstrap := func(args ...string) outcome {
		return tomkit(t, secretWord+"\n", append([]string{"admin", "bootstrap", "--slug=op", "--name=Op"}, args...)...)
	}
	t.Run("nothing under nobody", func(t *testing.T) {
		tomkit(t, "", "admin", "msp", "--slug=house", "--name=House").failed(t, 2, "does not exist")
	})
	t.Run("what was typed wrong can be typed again", func(t *testing.T) {
		bootstrap("--email=none").failed(t, 2, "e-mail")
		tomkit(t, secretWord, "admin", "bootstrap", "--slug=Not A Slug", "--name=Op", "--email=ops@op.example").failed(t, 2, "slug")
		tomkit(t, strings.Repeat("x", 2000), "admin", "bootstrap", "--slug=op", "--name=Op", "--email=ops@op.example").failed(t, 2, "length")
	})
	operator := bootstrap("--email=ops@op.example").done(t)
	t.Run("a second superadmin is not made here", func(t *testing.T) {
		bootstrap("--email=ops@op.example").failed(t, 2, "exists already")
		bootstrap("--email=thief@op.example").failed(t, 2, "exists already")
	})
	tomkit(t, "", "admin", "msp", "--slug=house", "--name=House").done(t)
	tomkit(t, "", "admin", "msp", "--slug=house", "--name=House").failed(t, 2, "exists already")
	tomkit(t, secretWord, "admin", "tenant", "--msp=nobody", "--slug=ward", "--name=Ward", "--email=head@ward.example").failed(t, 2, "unknown")
	ward := tomkit(t, secretWord+"\n", "admin", "tenant", "--msp=house", "--slug=ward", "--name=Ward", "--email=head@ward.example").done(t)
	tomkit(t, secretWord, "admin", "tenant", "--msp=house", "--slug=ward", "--name=Ward", "--email=other@ward.example").failed(t, 2, "exists already")

	base, roots := serve(t, server.FromEnvironment(os.Getenv), data)
	for _, p := range []struct{ tenant, email, role, printed string }{{"op", "ops@op.example", "superadmin", operator}, {"ward", "head@ward.example", "tenant_admin", ward}} {
		t.Run(p.email+" signs in with what was printed", func(t *testing.T) {
			require.Equal(t, p.role, signIn(t, base, roots, p.tenant, p.email, p.printed))
		})
	}
}

// serve runs the reference server over the same database and keys.
func serve(t *testing.T, cfg server.Config, data string) (base string, roots *tls.Config) {
	t.Helper()
	cfg.DataDir, cfg.Listen = data, "localhost:0"
	s, err := server.Open(t.Context(), cfg)
	require.NoError(t, err)
	require.NoError(t, s.Listen(t.Context()))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
		require.NoError(t, s.Close(context.Background()))
	})
	return s.URL(), &tls.Config{RootCAs: s.Authority.Pool()}
}

// signIn goes the way of a browser and returns the role of the session.
func signIn(t *testing.T, base string, roots *tls.Config, tenant, email, printed string) string {
	t.Helper()
	found := regexp.MustCompile(`otpauth://\S+`).FindString(printed)
	uri, err := url.Parse(found)
	require.NoError(t, err)
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(uri.Query().Get("secret"))
	require.NoError(t, err)
	app, err := totp.New(totp.Config{})
	require.NoError(t, err)
	code, err := app.Code(secret, time.Now())
	require.NoError(t, err)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: roots}
	t.Cleanup(transport.CloseIdleConnections)
	c := &http.Client{Jar: jar, Transport: transport}
	ask := func(method, path, body string) map[string]any {
		r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		a, err := c.Do(r)
		require.NoError(t, err)
		defer a.Body.Close()
		text, err := io.ReadAll(a.Body)
		require.NoError(t, err)
		require.Equalf(t, http.StatusOK, a.StatusCode, "%s", text)
		var got map[string]any
		require.NoError(t, json.Unmarshal(text, &got))
		return got
	}
	step := ask(http.MethodPost, "/v1/auth/password", fmt.Sprintf(`{"tenant":%q,"email":%q,"password":%q}`, tenant, email, secretWord))
	require.Equal(t, "challenge", step["state"])
	ask(http.MethodPost, "/v1/auth/totp", fmt.Sprintf(`{"step_token":%q,"code":%q}`, step["step_token"], code))
	role, _ := ask(http.MethodGet, "/v1/me", "")["role"].(string)
	return role
}

func TestWithoutPostgreSQLTheDemoSaysHowToInstallIt(t *testing.T) {
	plain(t)
	t.Run("an empty directory of programs", func(t *testing.T) {
		t.Setenv(pglocal.BinEnv, t.TempDir())
		o := tomkit(t, "", "demo", "--once", "--json")
		require.Equal(t, 2, o.code, o.err)
		require.Contains(t, o.err, "install one with `")
		require.Equal(t, 1, strings.Count(o.err, "\n"))
	})
	t.Run("the same for admin", func(t *testing.T) {
		t.Setenv(pglocal.BinEnv, t.TempDir())
		tomkit(t, secretWord, "admin", "--data="+t.TempDir(), "bootstrap", "--slug=op", "--name=Op", "--email=ops@op.example").failed(t, 2, "install one with `")
	})
}
