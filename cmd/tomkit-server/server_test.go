package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pglocal"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls"
)

const leak = "hunter2-do-not-repeat"

// plain takes the settings of this machine away and keeps the log silent.
func plain(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "TOMKIT_") && !strings.HasPrefix(name, "TOMKIT_TEST_") {
			t.Setenv(name, "")
			require.NoError(t, os.Unsetenv(name)) // put back by Setenv at the end
		}
	}
	t.Setenv("TOMKIT_LOG_LEVEL", "error")
}

func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, &out, &err)
	require.NotContains(t, out.String()+err.String(), leak)
	require.NotContains(t, err.String(), "%!")
	return code, out.String(), err.String()
}

func TestHelpTeachesAndVersionTells(t *testing.T) {
	plain(t)
	code, help, _ := command(t, "--help")
	require.Zero(t, code)
	for _, text := range []string{"TOMKIT_DATABASE_URL", "TOMKIT_ENV=production", "2 not usable as configured", "--data", "--tls-cert"} {
		require.Contains(t, help, text)
	}
	code, version, _ := command(t, "--version")
	require.Zero(t, code)
	require.Contains(t, version, "go1.")
}

func TestWhatItCannotStartWithIsSaidInOneLine(t *testing.T) {
	plain(t)
	const u = "postgres://tomkit_app:" + leak + "@127.0.0.1:1/tomkit"
	db := pgtest.New(t, server.Migrations()...)
	four := map[string]string{
		"TOMKIT_DATABASE_URL": db.URL(rls.RoleApp), "TOMKIT_DATABASE_MSP_URL": db.URL(rls.RoleMSP),
		"TOMKIT_DATABASE_SYSTEM_URL": db.URL(rls.RoleSystem), "TOMKIT_DATABASE_MIGRATOR_URL": db.URL(rls.RoleMigrator),
	}
	with := func(name, value string) map[string]string {
		env := map[string]string{name: value}
		for n, v := range four {
			if n != name {
				env[n] = v
			}
		}
		return env
	}
	taken, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer taken.Close()
	noKey := filepath.Join(t.TempDir(), "cert.pem")
	require.NoError(t, os.WriteFile(noKey, []byte("-----BEGIN CERTIFICATE-----\n"+leak+"\n"), 0o600))
	data := "--data=" + t.TempDir()
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		code int
		say  string
	}{
		"an unknown flag":                   {[]string{"--insecure"}, nil, 2, "unknown flag --insecure"},
		"an argument":                       {[]string{"start"}, nil, 2, "start"},
		"a log level that is none":          {[]string{"--log-level=loud"}, nil, 2, "log-level"},
		"a certificate without its key":     {[]string{"--tls-cert=" + noKey}, nil, 2, "together"},
		"a certificate that is not there":   {[]string{"--tls-cert=/nowhere.pem", "--tls-key=/nowhere.pem"}, nil, 2, "nowhere.pem"},
		"a certificate that is none":        {[]string{"--tls-cert=" + noKey, "--tls-key=" + noKey}, nil, 2, "certificate and key"},
		"production with nothing":           {nil, map[string]string{"TOMKIT_ENV": "production"}, 2, "four logins"},
		"variables that are set to nothing": {nil, map[string]string{"TOMKIT_ENV": "production", "TOMKIT_LISTEN": "", "TOMKIT_HOST": "", "TOMKIT_OPERATOR": "", "TOMKIT_DATA": "", "TOMKIT_TLS_CERT": "", "TOMKIT_TLS_KEY": "", "TOMKIT_LOG_JSON": "", "TOMKIT_LOG_LEVEL": "", "TOMKIT_METRICS_LISTEN": ""}, 2, "four logins"},
		"production, misspelt":              {nil, map[string]string{"TOMKIT_ENV": "prodcution"}, 2, "four logins"},
		"production with a superuser":       {[]string{data}, map[string]string{"TOMKIT_ENV": "production", "TOMKIT_DATABASE_SUPERUSER_URL": u}, 2, "four logins"},
		"production without a certificate":  {[]string{data}, merge(four, map[string]string{"TOMKIT_ENV": "production"}), 2, "TOMKIT_TLS_CERT"},
		"one login of four":                 {[]string{data}, map[string]string{"TOMKIT_DATABASE_URL": u}, 2, "together"},
		"a database and nowhere for keys":   {nil, four, 2, "--data"},
		"requests as a superuser":           {[]string{data}, with("TOMKIT_DATABASE_URL", db.SuperuserURL()), 2, "superuser; fix: connect as tomkit_app"},
		"requests with BYPASSRLS":           {[]string{data}, with("TOMKIT_DATABASE_URL", db.URL(rls.RoleMigrator)), 2, "bypassrls; fix: connect as tomkit_app"},
		"a database that does not answer":   {[]string{data}, map[string]string{"TOMKIT_DATABASE_SUPERUSER_URL": u}, 1, "connection refused"},
		"a login that does not answer":      {[]string{data}, with("TOMKIT_DATABASE_URL", u), 1, "connection refused"},
		"a URL that is none":                {[]string{data}, with("TOMKIT_DATABASE_URL", "postgres://tomkit_app:"+leak+"@[::1"), 2, "malformed"},
		"no PostgreSQL on this machine":     {[]string{data}, map[string]string{pglocal.BinEnv: t.TempDir()}, 2, "install one with `"},
		"a port in use":                     {[]string{data, "--listen=" + taken.Addr().String()}, four, 1, "address already in use"},
		"an address that is none":           {[]string{data, "--listen=nowhere"}, four, 1, "missing port"},
		"a place for the CA that is none":   {[]string{data, "--listen=localhost:0", "--write-ca=/nowhere/ca.pem"}, four, 1, "ca.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			for n, v := range c.env {
				t.Setenv(n, v)
			}
			code, stdout, stderr := command(t, c.args...)
			require.Equalf(t, c.code, code, "%s", stderr)
			require.Contains(t, stderr, c.say)
			require.Empty(t, stdout)
			lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
			if lines[len(lines)-1] == "tomkit-server: see tomkit-server --help" {
				lines = lines[:len(lines)-1]
			}
			require.Lenf(t, lines, 1, "%s", stderr)
			require.True(t, strings.HasPrefix(lines[0], "tomkit-server: "), lines[0])
		})
	}
}

func merge(a, b map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for n, v := range m {
			all[n] = v
		}
	}
	return all
}

func TestBeingToldToStopWhileStartingIsNoFailure(t *testing.T) {
	plain(t)
	db := pgtest.New(t, server.Migrations()...)
	for name, role := range map[string]string{"": rls.RoleApp, "MSP_": rls.RoleMSP, "SYSTEM_": rls.RoleSystem, "MIGRATOR_": rls.RoleMigrator} {
		t.Setenv("TOMKIT_DATABASE_"+name+"URL", db.URL(role))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err bytes.Buffer
	require.Zero(t, run(ctx, []string{"--data=" + t.TempDir(), "--listen=localhost:0"}, &out, &err), err.String())
	require.Empty(t, err.String())
}
