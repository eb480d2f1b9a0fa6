//go:build unix

package auditor

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// serve serves a directory over TLS to whoever has the token and returns the URL and the flags to read it.
func serve(t *testing.T, dir string) (url string, flags []string) {
	files := http.FileServerFS(os.DirFS(dir))
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.StripPrefix("/logs/a b/", files).ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	token := file(t, []byte("t0ken\n"))
	certificate := file(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	return s.URL + "/logs/a%20b", []string{"--bearer-file", token, "--ca", certificate}
}

func TestAnExportIsReadOverHTTPS(t *testing.T) {
	s := newKit(t)
	url, flags := serve(t, s.dir(t, 20, nil))
	code, stdout, stderr := runVerify(t, append(flags, url, "--receipt", s.tailReceipt(t))...)
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stdout, "INTACT")
	code, _, _ = runVerify(t, append(flags, "prove", "7", url, "-o", filepath.Join(t.TempDir(), "p"))...)
	require.Equal(t, 2, code, "flags of a command come after it")
	code, stdout, stderr = runVerify(t, append([]string{"prove", "7", url, "-o", filepath.Join(t.TempDir(), "p")}, flags...)...)
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stdout, "entry 7 of 20")

	url, flags = serve(t, s.dir(t, 20, func(e [][]byte) { e[13][len(e[13])-8] ^= 1 }))
	code, _, stderr = runVerify(t, append(flags, url)...)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "entry 13: ")
}

func TestANetworkThatFailsIsNoVerdict(t *testing.T) {
	s := newKit(t)
	dir := s.dir(t, 20, nil)
	url, flags := serve(t, dir)
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "entries") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.FileServerFS(os.DirFS(dir)).ServeHTTP(w, r)
	}))
	defer down.Close()
	open := file(t, []byte("t0ken"))
	require.NoError(t, os.Chmod(open, 0o644))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no token":               {[]string{url, "--ca", flags[3]}, "403"},
		"unknown authority":      {[]string{url, "--bearer-file", flags[1]}, "certificate"},
		"a server half broken":   {[]string{down.URL}, "403"},
		"half broken, prove":     {[]string{"prove", "1", down.URL, "-o", filepath.Join(t.TempDir(), "p")}, "403"},
		"http elsewhere":         {[]string{"http://audit.example/"}, "https"},
		"a password in the URL":  {[]string{"https://u:p@audit.example/"}, "password"},
		"a token others read":    {[]string{url, "--bearer-file", open}, "0600"},
		"no such CA file":        {[]string{url, "--ca", "/nothing"}, "--ca"},
		"no certificate in it":   {[]string{url, "--ca", open}, "CA"},
		"a token for a file":     {[]string{dir, "--bearer-file", flags[1]}, "URL"},
		"nothing under that URL": {append([]string{url + "/deeper"}, flags...), "log.json"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runVerify(t, c.args...)
			require.Equal(t, 2, code, stderr)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.want)
			require.NotContains(t, stderr, "t0ken")
		})
	}
}

func TestACancelledDownloadIsNoVerdict(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newKit(t)
	files := http.FileServerFS(os.DirFS(s.dir(t, 20, nil)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "entries") {
			cancel()
			<-r.Context().Done()
			return
		}
		files.ServeHTTP(w, r)
	}))
	defer server.Close()
	var stderr bytes.Buffer
	require.Equal(t, 2, Run(ctx, []string{server.URL}, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "canceled")
}

// zipOf is a zip archive of the files.
func zipOf(t *testing.T, files map[string]func(io.Writer)) string {
	path := filepath.Join(t.TempDir(), "export.zip")
	f, err := os.Create(path)
	require.NoError(t, err)
	z := zip.NewWriter(f)
	for name, write := range files {
		w, err := z.Create(name)
		require.NoError(t, err)
		write(w)
	}
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	return path
}

// zeros writes so many MiB of zeros, which a zip archive hardly feels.
func zeros(mib int) func(io.Writer) {
	return func(w io.Writer) {
		for range mib {
			w.Write(make([]byte, 1<<20))
		}
	}
}

func text(b []byte) func(io.Writer) { return func(w io.Writer) { w.Write(b) } }

func TestHostileArchivesAndDirectories(t *testing.T) {
	s := newKit(t)
	good := s.dir(t, 20, nil)
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(good, name))
		require.NoError(t, err)
		return b
	}
	base := func(edit map[string]func(io.Writer)) map[string]func(io.Writer) {
		files := map[string]func(io.Writer){"log.json": text(read("log.json")), "checkpoint": text(read("checkpoint")), "keys.json": text(read("keys.json")),
			"tile/entries/000.p/20": text(read("tile/entries/000.p/20")), "tile/0/000.p/20": text(read("tile/0/000.p/20")),
			"signatures.jsonl": text(read("signatures.jsonl"))}
		for name, write := range edit {
			files[name] = write
		}
		return files
	}
	linked := func(target string) string {
		dir := filepath.Join(t.TempDir(), "linked")
		require.NoError(t, os.CopyFS(dir, os.DirFS(good)))
		require.NoError(t, os.Remove(filepath.Join(dir, "keys.json")))
		require.NoError(t, os.Symlink(target, filepath.Join(dir, "keys.json")))
		return dir
	}
	piped := filepath.Join(t.TempDir(), "piped")
	require.NoError(t, os.CopyFS(piped, os.DirFS(good)))
	require.NoError(t, os.Remove(filepath.Join(piped, "keys.json")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(piped, "keys.json"), 0o600))
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	for name, c := range map[string]struct {
		path string
		code int
		want string
	}{
		"the files as they are":        {zipOf(t, base(nil)), 0, ""},
		"a bundle that swells":         {zipOf(t, base(map[string]func(io.Writer){"tile/entries/000.p/20": zeros(16)})), 1, ""},
		"a tile that swells":           {zipOf(t, base(map[string]func(io.Writer){"tile/0/000.p/20": zeros(16)})), 1, ""},
		"a line that swells":           {zipOf(t, base(map[string]func(io.Writer){"openings.jsonl": zeros(16)})), 1, "openings.jsonl"},
		"a log.json that swells":       {zipOf(t, base(map[string]func(io.Writer){"log.json": zeros(16)})), 2, "log.json"},
		"a checkpoint that swells":     {zipOf(t, base(map[string]func(io.Writer){"checkpoint": zeros(16)})), 1, "checkpoint"},
		"keys that swell":              {zipOf(t, base(map[string]func(io.Writer){"keys.json": zeros(16)})), 1, ""},
		"files it does not know":       {zipOf(t, base(map[string]func(io.Writer){"../../evil": text(nil), "a\x1b[2Jb": zeros(8)})), 0, ""},
		"a link out of the directory":  {linked(filepath.Join("..", "..", "..", "etc", "passwd")), 1, "keys.json"},
		"a link to the root":           {linked("/etc/passwd"), 1, "keys.json"},
		"a pipe in the directory":      {piped, 1, "keys.json"},
		"a pipe instead of an archive": {fifo, 2, "neither"},
		"a device":                     {"/dev/zero", 2, "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runVerify(t, c.path)
			require.Equal(t, c.code, code, stderr)
			require.Contains(t, stdout+stderr, c.want)
		})
	}
}

func TestAnArchivesDirectoryIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "many.zip")
	f, err := os.Create(path)
	require.NoError(t, err)
	z := zip.NewWriter(f)
	name := strings.Repeat("x", 65_000)
	for i := range maxDirectory/65_000 + 1 {
		_, err := z.CreateRaw(&zip.FileHeader{Name: name + strconv.Itoa(i)})
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	code, _, stderr := runVerify(t, path)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "too many files")
}

func TestNamesWithControlCharactersArePrintedEscaped(t *testing.T) {
	for _, args := range [][]string{{"no\x1b[2Jthing"}, {newKit(t).dir(t, 12, nil), "--receipt", "no\x1b[2Jthing"}, {"--\x1b[2J"}} {
		code, _, stderr := runVerify(t, args...)
		require.Equal(t, 2, code)
		require.NotContains(t, stderr, "\x1b")
	}
	s := newKit(t)
	s.origin = verify.FormatOrigin("evil.example", [16]byte{1}, 0)
	dir := s.dir(t, 12, nil)
	checkpoint, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "checkpoint"), bytes.Replace(checkpoint, []byte("evil"), []byte("\x1b[2J"), 1), 0o600))
	code, stdout, stderr := runVerify(t, dir)
	require.Equal(t, 1, code)
	require.NotContains(t, stdout+stderr, "\x1b")
}
