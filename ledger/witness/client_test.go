package witness_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

// forgetful is a client made anew for each call.
type forgetful struct {
	t   *testing.T
	url string
}

func (f forgetful) Name() string { return "w1" }

func (f forgetful) Submit(ctx context.Context, s ledger.Submission) (ledger.Evidence, error) {
	return newClient(f.t, f.url, nil).Submit(ctx, s)
}

func (f forgetful) Latest(ctx context.Context, origin string, held []byte) (ledger.Memory, error) {
	return newClient(f.t, f.url, nil).Latest(ctx, origin, held)
}

// cosign returns the lines of keys over a checkpoint's text.
func cosign(t testing.TB, signed []byte, at time.Time, keys ...*sign.WitnessKey) string {
	t.Helper()
	text, _, _ := strings.Cut(string(signed), "\n\n")
	var lines strings.Builder
	for _, k := range keys {
		line, err := k.Cosign([]byte(text+"\n"), at)
		require.NoError(t, err)
		lines.Write(line)
	}
	return lines.String()
}

func TestLinesAreReturnedOnlyWhenEveryConfiguredKeySigned(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	note, now := l.Checkpoint(t, 9), time.Now()
	own, other := keys(t, witnessName), keys(t, "other.example/w")
	imposter, err := sign.NewWitnessKey(witnessName, rand.Reader)
	require.NoError(t, err)
	good := cosign(t, note, now, own...)
	ed, ml, _ := strings.Cut(good, "\n")
	ed += "\n"
	flipped := []byte(good)
	flipped[len(ed)-20] ^= 1
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"both":                              {good, true},
		"both, with a stranger's":           {cosign(t, note, now, other...) + good, true},
		"both, with an imposter's":          {good + cosign(t, note, now, imposter), true}, // another key hash: a stranger
		"nothing":                           {"", false},
		"ed25519 only":                      {ed, false},
		"ml-dsa only":                       {ml, false},
		"a stranger's only":                 {cosign(t, note, now, other...), false},
		"an imposter's only":                {cosign(t, note, now, imposter), false},
		"a flipped bit":                     {string(flipped), false},
		"another size replayed":             {cosign(t, l.Checkpoint(t, 8), now, own...), false},
		"another root of the size replayed": {cosign(t, l.Fork(3, 9).Checkpoint(t, 9), now, own...), false},
		"one right, one replayed":           {ed + cosign(t, l.Checkpoint(t, 8), now, own[1]), false},
		"twice":                             {good + good, false},
		"an hour old":                       {cosign(t, note, now.Add(-time.Hour), own...), false},
		"an hour ahead":                     {cosign(t, note, now.Add(time.Hour), own...), false},
		"no last newline":                   {strings.TrimSuffix(good, "\n"), false},
		"a checkpoint around them":          {string(note) + good, false},
		"an empty line":                     {good + "\n", false},
		"the log's own lines":               {string(note[strings.Index(string(note), "\n\n")+2:]), false},
		"web page":                          {"<html>\n", false},
		"too many lines":                    {strings.Repeat(cosign(t, note, now, other[0]), 101) + good, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newClient(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.body) })), nil)
			e, err := w.Submit(t.Context(), l.Submission(t, 9))
			if !c.ok {
				require.ErrorIs(t, err, witness.ErrProtocol)
				require.Empty(t, e)
				return
			}
			require.NoError(t, err)
			require.Equal(t, good, string(e.Lines), "and nothing of anybody else")
		})
	}
}

func TestHostileAnswers(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	size := func(n string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/x.tlog.size")
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, n)
		}
	}
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	var elsewhere atomic.Int32
	note := l.Checkpoint(t, 9)
	good := cosign(t, note, time.Now(), keys(t, witnessName)...)
	strangers := strings.Repeat(cosign(t, note, time.Now(), keys(t, "other.example/w")[1]), 20)
	target := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	var counter atomic.Uint64
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		want error
	}{
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			for range 2 << 10 {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}, witness.ErrProtocol},
		"huge header": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, witness.ErrUnreachable},
		"said to be compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, good)
		}, witness.ErrProtocol},
		"right, and too large": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strangers+good) }, witness.ErrProtocol},
		"never ending": {func(w http.ResponseWriter, r *http.Request) {
			drain(r.Body) // or the server does not notice that the client left
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, witness.ErrUnreachable},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "x")
		}, witness.ErrUnreachable},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		}, witness.ErrProtocol},
		"created":              {status(http.StatusCreated), witness.ErrProtocol},
		"no content":           {status(http.StatusNoContent), witness.ErrProtocol},
		"server error":         {status(http.StatusInternalServerError), witness.ErrProtocol},
		"unknown log":          {status(http.StatusNotFound), witness.ErrRefused},
		"unknown key":          {status(http.StatusForbidden), witness.ErrRefused},
		"busy":                 {status(http.StatusTooManyRequests), witness.ErrUnreachable},
		"down":                 {status(http.StatusServiceUnavailable), witness.ErrUnreachable},
		"disputes the start":   {status(http.StatusConflict), witness.ErrProtocol},
		"disputes the proof":   {status(http.StatusUnprocessableEntity), witness.ErrProtocol},
		"same size":            {size("0\n"), witness.ErrProtocol},
		"no number":            {size("many\n"), witness.ErrProtocol},
		"negative":             {size("-1\n"), witness.ErrProtocol},
		"leading zero":         {size("07\n"), witness.ErrProtocol},
		"beyond any log":       {size("18446744073709551615\n"), witness.ErrProtocol},
		"larger":               {size("10\n"), ledger.ErrRolledBack},
		"another each time":    {func(w http.ResponseWriter, r *http.Request) { size(fmt.Sprintln(1+counter.Add(1)%2))(w, r) }, witness.ErrProtocol},
		"a proof is not asked": {size("9\n\n"), witness.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			w := newClient(t, serve(t, c.h), func(c *witness.ClientConfig) {
				if c.Retries = -1; name == "never ending" {
					c.Timeout = 50 * time.Millisecond
				}
			})
			e, err := w.Submit(t.Context(), l.Submission(t, 9))
			require.ErrorIs(t, err, c.want)
			require.Empty(t, e)
			require.Less(t, len(err.Error()), 200)
		})
	}
	require.Zero(t, elsewhere.Load(), "a redirect was followed")
}

func TestALostAnswerIsAskedForAgain(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	s := newServer(t, nil, l)
	var calls atomic.Int32
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch calls.Add(1) {
		case 1:
			w.Header().Set("Retry-After", "soon")
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2: // took the checkpoint, and the answer is lost
			rec := post(s, readAll(r))
			if rec.Code != http.StatusOK {
				panic(rec.Code)
			}
			panic(http.ErrAbortHandler)
		default:
			s.ServeHTTP(w, r)
		}
	}))
	e, err := newClient(t, url, nil).Submit(t.Context(), l.Submission(t, 9))
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(e.Lines), "\n"))
	require.EqualValues(t, 4, calls.Load(), "busy, lost, conflict, cosigned again")
}

func TestAClientThatGivesUpSaysSo(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	var calls atomic.Int32
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	_, err := newClient(t, url, nil).Submit(t.Context(), l.Submission(t, 9))
	require.ErrorIs(t, err, witness.ErrUnreachable)
	require.EqualValues(t, 3, calls.Load())
	var s *witness.StatusError
	require.ErrorAs(t, err, &s)
	require.Equal(t, http.StatusBadGateway, s.Status)

	ctx, cancel := context.WithCancel(t.Context())
	slow := newClient(t, serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		drain(r.Body)
		cancel()
		<-r.Context().Done()
	})), nil)
	_, err = slow.Submit(ctx, l.Submission(t, 9))
	require.ErrorIs(t, err, context.Canceled)
}

func TestOnlyTheLogsOwnLinesAreSent(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	s := newServer(t, nil, l)
	var seen string
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = readAll(r)
		rec := post(s, seen)
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	}))
	sub := l.Submission(t, 9)
	sub.Checkpoint = append(sub.Checkpoint, cosign(t, sub.Checkpoint, time.Now(), keys(t, "other.example/w")...)...)
	_, err := newClient(t, url, nil).Submit(t.Context(), sub)
	require.NoError(t, err)
	require.NotContains(t, seen, "other.example")
	require.Contains(t, seen, l.Origin)
}

func TestLatestTellsAForkAtTheHeldSize(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	w := newClient(t, serve(t, newServer(t, nil, l)), nil)
	_, err := w.Submit(t.Context(), l.Submission(t, 9))
	require.NoError(t, err)

	m, err := w.Latest(t.Context(), l.Origin, l.Checkpoint(t, 9))
	require.NoError(t, err)
	require.Equal(t, l.Root(9), *m.Root)
	_, err = w.Latest(t.Context(), l.Origin, l.Fork(3, 9).Checkpoint(t, 9))
	require.ErrorIs(t, err, ledger.ErrRolledBack)
	_, err = w.Latest(t.Context(), l.Origin, nil)
	require.ErrorIs(t, err, ledger.ErrNoMemory)
	_, err = w.Latest(t.Context(), "other.example/ledger/00000000000000000000000000000000/0", l.Checkpoint(t, 9))
	require.ErrorIs(t, err, witness.ErrMalformed)
}

func TestClientConfigurationsThatAreRefused(t *testing.T) {
	good := witness.ClientConfig{Name: "w", URL: "https://w.example/x", Keys: public(keys(t, witnessName)), Transport: witness.Direct(nil)}
	_, err := witness.NewClient(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*witness.ClientConfig){
		"no transport":     func(c *witness.ClientConfig) { c.Transport = nil },
		"no keys":          func(c *witness.ClientConfig) { c.Keys = nil },
		"a nil key":        func(c *witness.ClientConfig) { c.Keys = append(c.Keys, nil) },
		"keys of two":      func(c *witness.ClientConfig) { c.Keys = append(c.Keys, public(keys(t, "b"))...) },
		"a key twice":      func(c *witness.ClientConfig) { c.Keys = append(c.Keys, c.Keys[0]) },
		"no name":          func(c *witness.ClientConfig) { c.Name = "" },
		"name with spaces": func(c *witness.ClientConfig) { c.Name = "ward 3" },
		"plain http":       func(c *witness.ClientConfig) { c.URL = "http://w.example" },
		"a file":           func(c *witness.ClientConfig) { c.URL = "file:///etc/passwd" },
		"credentials":      func(c *witness.ClientConfig) { c.URL = "https://u:p@w.example" },
		"a query":          func(c *witness.ClientConfig) { c.URL = "https://w.example/?a" },
		"no host":          func(c *witness.ClientConfig) { c.URL = "https://:443/x" },
		"relative":         func(c *witness.ClientConfig) { c.URL = "/add-checkpoint" },
		"negative timeout": func(c *witness.ClientConfig) { c.Timeout = -1 },
	} {
		c := good
		c.Keys = append([]*sign.WitnessPublicKey(nil), good.Keys...)
		change(&c)
		_, err := witness.NewClient(c)
		require.ErrorIs(t, err, witness.ErrConfig, name)
	}
	plain := good
	plain.URL, plain.AllowPlainHTTPUnsafe = "http://w.example", true
	_, err = witness.NewClient(plain)
	require.NoError(t, err)
}
