package remote

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server serves files over TLS, through a handler that may misbehave.
func server(t *testing.T, files fs.FS, misbehave func(w http.ResponseWriter, r *http.Request, next http.Handler)) *httptest.Server {
	next := http.Handler(http.FileServerFS(files))
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if misbehave == nil {
			next.ServeHTTP(w, r)
			return
		}
		misbehave(w, r, next)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func ca(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// open opens the files of a server; the waits it would have made are counted.
func open(t *testing.T, s *httptest.Server, cfg Config) (*FS, *[]time.Duration) {
	waits, mu := new([]time.Duration), new(sync.Mutex)
	cfg.CA = ca(s)
	cfg.Wait = func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		*waits = append(*waits, d)
		return ctx.Err()
	}
	f, err := Open(t.Context(), s.URL, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f, waits
}

var content = bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MiB

func files() fstest.MapFS { return fstest.MapFS{"side": {Data: content}, "sub/x": {Data: []byte("x")}} }

func TestFilesAreRead(t *testing.T) {
	f, _ := open(t, server(t, files(), nil), Config{})
	b, err := fs.ReadFile(f, "side")
	require.NoError(t, err)
	require.Equal(t, content, b)
	b, err = fs.ReadFile(f, "sub/x")
	require.NoError(t, err)
	require.Equal(t, "x", string(b))
	_, err = f.Open("nothing")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = fs.ReadDir(f, "sub")
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, name := range []string{"../x", "/x", "", "."} {
		_, err = f.Open(name)
		require.ErrorIs(t, err, fs.ErrInvalid)
	}
	require.NoError(t, f.Fault())
}

func TestAServerThatRecoversIsAskedAgainAndOneThatDoesNotIsAFault(t *testing.T) {
	var mu sync.Mutex
	left := 3
	s := server(t, files(), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		defer mu.Unlock()
		if left--; left >= 0 {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	f, waits := open(t, s, Config{})
	_, err := fs.ReadFile(f, "side")
	require.NoError(t, err)
	require.NoError(t, f.Fault())
	require.Equal(t, []time.Duration{7 * time.Second, 7 * time.Second, 7 * time.Second}, *waits)

	left = 1000
	_, err = fs.ReadFile(f, "side")
	require.Error(t, err)
	require.ErrorContains(t, f.Fault(), "503")
	require.Len(t, *waits, 3+attempts-1)
	before := left
	_, err = f.Open("sub/x")
	require.ErrorContains(t, err, "503", "after a fault nothing is asked for any more")
	require.Equal(t, before, left)
}

func TestARefusalIsAFaultAtOnce(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusUnauthorized, http.StatusTeapot, http.StatusNoContent, http.StatusPartialContent} {
		s := server(t, files(), func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(status) })
		f, waits := open(t, s, Config{})
		_, err := f.Open("side")
		require.Error(t, err)
		require.NotErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, f.Fault(), fmt.Sprint(status))
		require.Empty(t, *waits)
	}
}

// cut serves so many bytes and breaks the connection.
func cut(w http.ResponseWriter, r *http.Request, next http.Handler, bytes int) {
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	for name, v := range rec.Header() {
		w.Header()[name] = v
	}
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes()[:min(bytes, rec.Body.Len())])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestABrokenDownloadGoesOnWhereItWas(t *testing.T) {
	for name, ranges := range map[string]bool{"with ranges": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			n := 0
			s := server(t, files(), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				mu.Lock()
				defer mu.Unlock()
				if !ranges {
					r.Header.Del("Range")
				}
				if n++; n < 4 {
					cut(w, r, next, n*200_000)
				}
				next.ServeHTTP(w, r)
			})
			f, _ := open(t, s, Config{})
			b, err := fs.ReadFile(f, "side")
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, b))
			require.NoError(t, f.Fault())
		})
	}
}

func TestAFileThatChangesWhileItIsReadIsAFault(t *testing.T) {
	for name, edit := range map[string]func(h http.Header){
		"another version": func(h http.Header) { h.Set("ETag", `"2"`) },
		"another part":    func(h http.Header) { h.Set("Content-Range", "bytes 5-9/1048576") },
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			s := server(t, files(), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if n++; n == 1 {
					cut(w, r, next, 1000)
				}
				edit(w.Header())
				w.WriteHeader(http.StatusPartialContent)
			})
			f, _ := open(t, s, Config{})
			_, err := fs.ReadFile(f, "side")
			require.Error(t, err)
			require.Error(t, f.Fault())
		})
	}
}

func TestTheTokenGoesToItsHostOnlyAndRedirectsStayThere(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") }))
	defer elsewhere.Close()
	s := server(t, files(), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, elsewhere.URL+"/side", http.StatusFound)
		case "/near":
			http.Redirect(w, r, "/side", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			next.ServeHTTP(w, r)
		}
	})
	f, _ := open(t, s, Config{Bearer: "secret"})
	b, err := fs.ReadFile(f, "near")
	require.NoError(t, err)
	require.Len(t, b, len(content))
	_, err = f.Open("away")
	require.ErrorIs(t, err, errRedirect)
	require.ErrorIs(t, f.Fault(), errRedirect)
	require.NotContains(t, f.Fault().Error(), "secret")
	f, _ = open(t, s, Config{Bearer: "secret"})
	_, err = f.Open("loop")
	require.ErrorContains(t, err, "too often")
}

func TestACertificateNobodyVouchesForIsAFaultAtOnce(t *testing.T) {
	s, other := server(t, files(), nil), server(t, files(), nil)
	_ = other
	f, err := Open(t.Context(), s.URL, Config{Wait: func(context.Context, time.Duration) error { t.Error("waited"); return nil }})
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Open("side")
	require.ErrorContains(t, err, "certificate")
}

func TestAddressesThatAreRefused(t *testing.T) {
	for address, want := range map[string]string{
		"http://audit.example/x":        "https",
		"http://127.0.0.1.example/":     "https",
		"ftp://audit.example/":          "https",
		"https://user:pw@audit.example": "password",
		"https://audit.example/?a=b":    "neither",
		"https://audit.example/#a":      "neither",
		"https:///x":                    "not a URL",
		"https://[::1":                  "not a URL",
		"://":                           "not a URL",
	} {
		_, err := Open(t.Context(), address, Config{})
		require.ErrorContains(t, err, want, address)
	}
	for _, address := range []string{"http://localhost:80/x", "http://127.8.9.1/", "http://[::1]:8080", "https://audit.example"} {
		f, err := Open(t.Context(), address, Config{})
		require.NoError(t, err, address)
		require.NoError(t, f.Close())
	}
	_, err := Open(t.Context(), "https://audit.example", Config{CA: []byte("x")})
	require.ErrorContains(t, err, "CA")
}

// log is an export of n bundles of zeros and ones: enough to see what is asked for.
func log(bundles, size int) fstest.MapFS {
	m := fstest.MapFS{"checkpoint": {Data: []byte(verify.FormatCheckpoint(verify.Checkpoint{
		Origin: verify.FormatOrigin("a.example", [16]byte{}, 0), Size: uint64(bundles * verify.TileWidth)}) + "\n— a b\n")}}
	for i := range bundles {
		t := verify.Tile{Index: uint64(i), Width: verify.TileWidth}
		m[t.Path()] = &fstest.MapFile{Data: bytes.Repeat([]byte{byte(i)}, 8192)}
		t.Entries = true
		m[t.Path()] = &fstest.MapFile{Data: bytes.Repeat([]byte{byte(i)}, size)}
	}
	return m
}

func TestBundlesAreFetchedAheadInTheirOrderAndWithinBounds(t *testing.T) {
	for _, size := range []int{3000, maxAhead, maxAhead + 1} {
		m := log(3*window, size)
		var mu sync.Mutex
		asked, most, at := map[string]int{}, 0, 0
		s := server(t, m, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			mu.Lock()
			name := strings.TrimPrefix(r.URL.Path, "/")
			asked[name]++
			if tile, err := verify.ParseTilePath(name); err == nil {
				most = max(most, int(tile.Index)-at)
			}
			mu.Unlock()
			next.ServeHTTP(w, r)
		})
		f, _ := open(t, s, Config{})
		_, err := fs.ReadFile(f, "checkpoint")
		require.NoError(t, err)
		for i := range 3 * window {
			mu.Lock()
			at = i
			mu.Unlock()
			for _, entries := range []bool{true, false} {
				name := verify.Tile{Index: uint64(i), Width: verify.TileWidth, Entries: entries}.Path()
				b, err := fs.ReadFile(f, name)
				require.NoError(t, err)
				require.True(t, bytes.Equal(m[name].Data, b), name)
			}
		}
		require.LessOrEqual(t, most, window)
		require.Positive(t, most)
		require.Len(t, asked, 1+2*3*window)
		for name, n := range asked {
			require.LessOrEqual(t, n, 2, name) // twice what was too large to hold
		}
	}
}

func TestWhatIsReadOutOfOrderIsReadAlone(t *testing.T) {
	var mu sync.Mutex
	n := 0
	s := server(t, log(40, 100), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		n++
		mu.Unlock()
		next.ServeHTTP(w, r)
	})
	f, _ := open(t, s, Config{})
	_, err := fs.ReadFile(f, "checkpoint")
	require.NoError(t, err)
	for _, i := range []uint64{30, 7, 20, 7} {
		b, err := fs.ReadFile(f, verify.Tile{Index: i, Width: verify.TileWidth, Entries: true}.Path())
		require.NoError(t, err)
		require.Equal(t, byte(i), b[0])
	}
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 5, n)
}

func TestAMissingBundleIsNoFault(t *testing.T) {
	m := log(5, 100)
	gone := verify.Tile{Index: 3, Width: verify.TileWidth, Entries: true}.Path()
	delete(m, gone)
	f, _ := open(t, server(t, m, nil), Config{})
	_, err := fs.ReadFile(f, "checkpoint")
	require.NoError(t, err)
	for i := range uint64(5) {
		_, err = fs.ReadFile(f, verify.Tile{Index: i, Width: verify.TileWidth, Entries: true}.Path())
		require.Equal(t, i == 3, errors.Is(err, fs.ErrNotExist))
	}
	require.NoError(t, f.Fault())
}

func TestEverythingEndsWithTheContext(t *testing.T) {
	hang := make(chan struct{})
	s := server(t, files(), func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	defer close(hang)
	ctx, cancel := context.WithCancel(t.Context())
	f, err := Open(ctx, s.URL, Config{CA: ca(s)})
	require.NoError(t, err)
	defer f.Close()
	file, err := f.Open("side")
	require.NoError(t, err)
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = io.ReadAll(file)
	require.Error(t, err)
	require.ErrorIs(t, f.Fault(), context.Canceled)
}
