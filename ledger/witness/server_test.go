package witness_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

// body writes an add-checkpoint request.
func body(old int, proof [][32]byte, signed []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", old)
	for _, h := range proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	return b.String() + "\n" + string(signed)
}

func advance(t testing.TB, l *ledgertest.AnchorLog, from, to int) string {
	return body(from, l.Consistency(from, to), l.Checkpoint(t, to))
}

func TestStatusesAreThoseOfTheSpecification(t *testing.T) {
	l, stranger := ledgertest.NewAnchorLog(t, 1, 20), ledgertest.NewAnchorLog(t, 2, 20)
	thief := *ledgertest.NewAnchorLog(t, 3, 20) // the origin is right, the keys are not
	thief.Origin = l.Origin
	s := newServer(t, nil, l)
	require.Equal(t, 200, post(s, advance(t, l, 0, 7)).Code)
	note := string(l.Checkpoint(t, 12))
	proof := l.Consistency(7, 12)
	half := func(line int) []byte { // one of the two lines only
		lines := strings.SplitAfter(note, "\n")
		return []byte(strings.Join(append(lines[:4:4], lines[4+line]), ""))
	}
	emptyRoot := sha256.Sum256(nil)
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"no body":                      {"", 400},
		"no old line":                  {"\n" + note, 400},
		"old line misspelt":            {"Old 7\n\n" + note, 400},
		"old with two spaces":          {"old  7\n\n" + note, 400},
		"old with a zero in front":     {"old 07\n\n" + note, 400},
		"old negative":                 {"old -7\n\n" + note, 400},
		"old beyond any log":           {"old 99999999999999999999\n\n" + note, 400},
		"carriage returns":             {strings.ReplaceAll(advance(t, l, 7, 12), "\n", "\r\n"), 400},
		"no empty line":                {"old 7\n" + note, 400},
		"proof not base64":             {"old 7\nxyz\n\n" + note, 400},
		"proof of short hashes":        {"old 7\nAAAA\n\n" + note, 400},
		"proof with stray bits":        {strings.Replace(advance(t, l, 7, 12), "=\n", "B\n", 1), 400},
		"proof of 64 hashes":           {body(7, make([][32]byte, 64), []byte(note)), 400},
		"no signature":                 {body(7, proof, []byte(note[:strings.Index(note, "\n\n")+2])), 400},
		"an extension line":            {body(7, proof, []byte(strings.Replace(note, "\n\n", "\nx\n\n", 1))), 400},
		"size with a zero in front":    {body(7, proof, []byte(strings.Replace(note, "\n12\n", "\n012\n", 1))), 400},
		"not UTF-8":                    {body(7, proof, append([]byte{0xff}, note...)), 400},
		"unknown log":                  {advance(t, stranger, 0, 7), 404},
		"next epoch, not added":        {body(0, nil, []byte(strings.ReplaceAll(note, "/0\n", "/1\n"))), 404},
		"another log's keys":           {body(7, proof, thief.Checkpoint(t, 12)), 403},
		"composite line only":          {body(7, proof, half(0)), 403},
		"ed25519 line only":            {body(7, proof, half(1)), 403},
		"flipped signature":            {body(7, proof, flipLast(note)), 403},
		"signature of another size":    {body(7, proof, []byte(strings.Replace(note, "\n12\n", "\n13\n", 1))), 403},
		"old beyond the checkpoint":    {body(13, nil, []byte(note)), 400},
		"old is not what is known":     {advance(t, l, 6, 12), 409},
		"old is nothing":               {advance(t, l, 0, 12), 409},
		"an older checkpoint":          {advance(t, l, 3, 5), 409},
		"same size, another root":      {body(7, nil, l.Fork(2, 7).Checkpoint(t, 7)), 409},
		"same size, needless proof":    {body(7, proof, l.Checkpoint(t, 7)), 422},
		"empty proof":                  {body(7, nil, []byte(note)), 422},
		"proof too short":              {body(7, proof[1:], []byte(note)), 422},
		"proof too long":               {body(7, append(proof[:len(proof):len(proof)], [32]byte{}), []byte(note)), 422},
		"proof of other sizes":         {body(7, l.Consistency(6, 12), []byte(note)), 422},
		"fork with its own proof":      {advance(t, l.Fork(3, 12), 7, 12), 422},
		"empty log with a root":        {body(0, nil, signRoot(t, l, 0, [32]byte{1})), 422},
		"back to the empty log":        {body(0, nil, signRoot(t, l, 0, emptyRoot)), 409},
		"over the limit":               {body(7, proof, append([]byte(note), bytes.Repeat([]byte("— x AAAAAAA=\n"), 1<<14)...)), 413},
		"old, then a page of headings": {"old 7\n\n\n\n" + note, 400},
	} {
		t.Run(name, func(t *testing.T) {
			rec := post(s, c.body)
			require.Equal(t, c.want, rec.Code)
			require.NotContains(t, rec.Body.String(), "witness.example")
		})
	}
	conflict := post(s, advance(t, l, 6, 12))
	require.Equal(t, "7\n", conflict.Body.String())
	require.Equal(t, []string{"text/x.tlog.size"}, conflict.Header()["Content-Type"])
	require.Empty(t, post(s, body(7, nil, l.Fork(2, 7).Checkpoint(t, 7))).Header()["Content-Type"], "the size is not what is disputed")

	require.Equal(t, 200, post(s, advance(t, l, 7, 12)).Code, "nothing of that moved the memory")
	for method, want := range map[string]int{"GET": 405, "PUT": 405} {
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, httptest.NewRequest(method, "/add-checkpoint", nil))
		require.Equal(t, want, rec.Code)
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest("POST", "/add-checkpoints", strings.NewReader(advance(t, l, 12, 13))))
	require.Equal(t, 404, rec.Code)
	rec = httptest.NewRecorder()
	zipped := httptest.NewRequest("POST", "/add-checkpoint", strings.NewReader(advance(t, l, 12, 13)))
	zipped.Header.Set("Content-Encoding", "gzip")
	s.ServeHTTP(rec, zipped)
	require.Equal(t, 415, rec.Code)
}

func flipLast(signed string) []byte {
	b := []byte(signed)
	i := len(b) - 20
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return b
}

// signRoot signs any root: the log is what a witness does not trust.
func signRoot(t testing.TB, l *ledgertest.AnchorLog, size uint64, root [32]byte) []byte {
	t.Helper()
	signed, err := l.Sign(verify.Checkpoint{Origin: l.Origin, Size: size, Root: root})
	require.NoError(t, err)
	return signed
}

func TestCosignaturesVerifyAndCarryTheTime(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	now := time.Date(2026, 3, 1, 8, 0, 0, 999, time.UTC)
	s := newServer(t, func(c *witness.ServerConfig) { c.Now = func() time.Time { return now } }, l)
	rec := post(s, advance(t, l, 0, 9))
	require.Equal(t, 200, rec.Code)

	signed := append(l.Checkpoint(t, 9), rec.Body.Bytes()...)
	opened, err := note.Open(signed, note.VerifierList(public(keys(t, witnessName))[0].NoteVerifier(), public(keys(t, witnessName))[1].NoteVerifier()))
	require.NoError(t, err)
	require.Len(t, opened.Sigs, 2, "Ed25519 and ML-DSA-44")
	for i, k := range public(keys(t, witnessName)) {
		blob, err := base64.StdEncoding.DecodeString(opened.Sigs[i].Base64)
		require.NoError(t, err)
		at, err := k.VerifyCosignature([]byte(opened.Text), blob[4:])
		require.NoError(t, err)
		require.Equal(t, now.Truncate(time.Second), at)
	}
	_, err = verify.OpenCheckpoint(signed, l.Keys)
	require.NoError(t, err, "the log's own verifier ignores them")
}

// Two histories, each consistent in itself, are shown by many at the same time: one of them is cosigned, the other never.
func TestNoForkIsCosignedUnderConcurrency(t *testing.T) {
	for round := range 4 {
		l := ledgertest.NewAnchorLog(t, byte(round), 30)
		branches := []*ledgertest.AnchorLog{l, l.Fork(10, 30)}
		s := newServer(t, nil, l)
		var mu sync.Mutex
		roots := map[int]map[[32]byte]bool{}
		var wg sync.WaitGroup
		start := make(chan struct{})
		var requests [2][]string
		for b, branch := range branches {
			for _, step := range [][2]int{{0, 5}, {5, 12}, {12, 13}, {12, 20}, {13, 20}, {20, 30}, {20, 20}, {0, 30}} {
				requests[b] = append(requests[b], advance(t, branch, step[0], step[1]))
			}
		}
		for i := range 24 {
			branch := branches[i%2]
			wg.Go(func() {
				<-start
				for j, step := range []int{5, 12, 13, 20, 20, 30, 20, 30} {
					if rec := post(s, requests[i%2][j]); rec.Code == 200 {
						mu.Lock()
						if roots[step] == nil {
							roots[step] = map[[32]byte]bool{}
						}
						roots[step][branch.Root(step)] = true
						mu.Unlock()
					}
				}
			})
		}
		close(start)
		wg.Wait()
		winners := map[bool]int{}
		for size, r := range roots {
			require.Len(t, r, 1, "two roots cosigned at size %d", size)
			if size > 10 {
				winners[r[l.Root(size)]]++
			}
		}
		require.Len(t, winners, 1, "a step of each branch was cosigned")
	}
}

// refusing is a store that fails at a point.
type refusing struct {
	witness.Store
	load, swap error
}

func (r *refusing) Load(ctx context.Context, origin string) ([]byte, error) {
	if r.load != nil {
		return nil, r.load
	}
	return r.Store.Load(ctx, origin)
}

func (r *refusing) Swap(ctx context.Context, origin string, old, next []byte) error {
	if r.swap != nil {
		return r.swap
	}
	return r.Store.Swap(ctx, origin, old, next)
}

func TestNothingIsCosignedThatIsNotStored(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	store := &refusing{Store: newStore(t)}
	s := newServer(t, func(c *witness.ServerConfig) { c.Store = store }, l)
	for err, want := range map[error]int{errors.New("disk full"): 500, witness.ErrConflict: 503} {
		store.swap = err
		rec := post(s, advance(t, l, 0, 9))
		require.Equal(t, want, rec.Code)
		require.Empty(t, rec.Body.String())
	}
	store.swap, store.load = nil, errors.New("disk gone")
	require.Equal(t, 500, post(s, advance(t, l, 0, 9)).Code)
	store.load = nil
	require.Equal(t, 200, post(s, advance(t, l, 0, 9)).Code)
}

func TestRateAndNumberOfRequestsAreCapped(t *testing.T) {
	l, quiet := ledgertest.NewAnchorLog(t, 1, 9), ledgertest.NewAnchorLog(t, 2, 9)
	now := time.Now()
	s := newServer(t, func(c *witness.ServerConfig) { c.Rate, c.Now = 3, func() time.Time { return now } }, l, quiet)
	forged := body(0, nil, flipLast(string(l.Checkpoint(t, 9))))
	for range 50 {
		require.Equal(t, 403, post(s, forged).Code, "who cannot sign takes nobody's turns")
	}
	require.Equal(t, 200, post(s, advance(t, l, 0, 9)).Code)
	for range 2 {
		require.Equal(t, 409, post(s, advance(t, l, 0, 9)).Code)
	}
	rec := post(s, advance(t, l, 0, 9))
	require.Equal(t, 429, rec.Code)
	require.Equal(t, "1", rec.Header().Get("Retry-After"))
	require.Equal(t, 200, post(s, advance(t, quiet, 0, 9)).Code, "each origin has its own")
	now = now.Add(20 * time.Second)
	require.Equal(t, 409, post(s, advance(t, l, 0, 9)).Code)
	require.Equal(t, 429, post(s, advance(t, l, 0, 9)).Code)

	inside, leave := make(chan struct{}), make(chan struct{})
	s = newServer(t, func(c *witness.ServerConfig) {
		find := c.Log
		c.Requests, c.Log = 1, func(origin string) (witness.Log, bool) {
			close(inside)
			<-leave
			return find(origin)
		}
	}, l)
	var wg sync.WaitGroup
	wg.Go(func() { post(s, advance(t, l, 0, 9)) })
	<-inside
	require.Equal(t, 503, post(s, advance(t, l, 0, 9)).Code)
	close(leave)
	wg.Wait()
}

func TestAForkIsLoggedAsEvidence(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 12)
	var out bytes.Buffer
	s := newServer(t, func(c *witness.ServerConfig) { c.Logger = slog.New(slog.NewJSONHandler(&out, nil)) }, l)
	require.Equal(t, 200, post(s, advance(t, l, 0, 7)).Code)
	require.Contains(t, out.String(), `"size":7`)
	fork := l.Fork(3, 12)
	require.Equal(t, 422, post(s, advance(t, fork, 7, 12)).Code)
	signature := strings.Split(string(fork.Checkpoint(t, 12)), "\n")[5] // the Ed25519 line, which is deterministic
	require.Contains(t, out.String(), signature[len(signature)-40:])
}

func TestLogsOfVerifierKeys(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	for name, vkey := range map[string]string{"ed25519": l.VerifierKey(t), "composite": l.CompositeVerifierKey(t)} {
		t.Run(name, func(t *testing.T) {
			log, err := witness.LogOfVerifierKeys("", vkey)
			require.NoError(t, err)
			require.Equal(t, l.Origin, log.Origin())
			find, err := witness.Fixed(log)
			require.NoError(t, err)
			s := newServer(t, func(c *witness.ServerConfig) { c.Log = find })
			require.Equal(t, 403, post(s, body(0, nil, flipBoth(l.Checkpoint(t, 9)))).Code)
			require.Equal(t, 200, post(s, advance(t, l, 0, 9)).Code)

			for _, bad := range []string{"", "x", vkey + "A", strings.Replace(vkey, "+", "x+", 1), vkey[:len(vkey)-8], "a b" + vkey} {
				_, err := witness.LogOfVerifierKeys("", bad)
				require.ErrorIs(t, err, witness.ErrConfig)
			}
		})
	}
	_, err := witness.LogOfVerifierKeys("x", keys(t, witnessName)[0].Public().String())
	require.ErrorIs(t, err, witness.ErrConfig, "a witness is no log")
	_, err = witness.LogOfVerifierKeys("x")
	require.ErrorIs(t, err, witness.ErrConfig)
	one, err := witness.LogOfKeys(l.Keys)
	require.NoError(t, err)
	_, err = witness.Fixed(one, one)
	require.ErrorIs(t, err, witness.ErrConfig)
}

func flipBoth(signed []byte) []byte {
	lines := strings.SplitAfter(string(signed), "\n")
	for i := 4; i < 6; i++ {
		lines[i] = string(flipLast(lines[i]))
	}
	return []byte(strings.Join(lines, ""))
}

// A recovered log begins a new epoch: another origin, which the witness's operator adds, and which starts at 0.
func TestANewEpochStartsAtZeroWhenItIsAdded(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 12)
	next := l.NextEpoch()
	s := newServer(t, nil, l, next)
	require.Equal(t, 200, post(s, advance(t, l, 0, 12)).Code)
	require.Equal(t, 200, post(s, advance(t, next, 0, 9)).Code)
	require.Equal(t, 409, post(s, advance(t, l, 0, 9)).Code)
}

func TestServerConfigurationsThatAreRefused(t *testing.T) {
	good := witness.ServerConfig{Keys: keys(t, witnessName), Log: lookup(t), Store: newStore(t)}
	_, err := witness.NewServer(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*witness.ServerConfig){
		"no keys":       func(c *witness.ServerConfig) { c.Keys = nil },
		"keys of two":   func(c *witness.ServerConfig) { c.Keys = append(keys(t, "b"), c.Keys...) },
		"a key twice":   func(c *witness.ServerConfig) { c.Keys = []*sign.WitnessKey{c.Keys[0], c.Keys[0]} },
		"no logs":       func(c *witness.ServerConfig) { c.Log = nil },
		"no store":      func(c *witness.ServerConfig) { c.Store = nil },
		"negative rate": func(c *witness.ServerConfig) { c.Rate = -1 },
	} {
		c := good
		change(&c)
		_, err := witness.NewServer(c)
		require.ErrorIs(t, err, witness.ErrConfig, name)
	}
}

func TestAStoreIsOneProcesssAndOneWitnesss(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "state")
	_, err := witness.OpenFileStore(dir)
	require.ErrorIs(t, err, witness.ErrConfig, "not there")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	_, err = witness.OpenFileStore(dir)
	require.ErrorIs(t, err, witness.ErrConfig, "emptied, or not mounted")
	require.NoError(t, witness.CreateFileStore(dir))
	require.ErrorIs(t, witness.CreateFileStore(dir), witness.ErrConfig, "in use already")
	store := openStore(t, dir)
	_, err = witness.OpenFileStore(dir)
	require.ErrorIs(t, err, witness.ErrLocked)

	l := ledgertest.NewAnchorLog(t, 1, 9)
	one, two := l.Checkpoint(t, 4), l.Checkpoint(t, 9)
	require.NoError(t, store.Swap(t.Context(), l.Origin, nil, one))
	require.ErrorIs(t, store.Swap(t.Context(), l.Origin, nil, two), witness.ErrConflict)
	require.ErrorIs(t, store.Swap(t.Context(), l.Origin, two, two), witness.ErrConflict)
	require.NoError(t, store.Close())
	store = openStore(t, dir)
	have, err := store.Load(t.Context(), l.Origin)
	require.NoError(t, err)
	require.Equal(t, one, have)

	sum := sha256.Sum256([]byte(l.Origin))
	file := filepath.Join(dir, hex.EncodeToString(sum[:]))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	for _, damaged := range [][]byte{{}, []byte("x"), one[:100], ledgertest.NewAnchorLog(t, 2, 4).Checkpoint(t, 4), make([]byte, 1<<20)} {
		require.NoError(t, os.WriteFile(file, damaged, 0o600))
		_, err = store.Load(t.Context(), l.Origin)
		require.ErrorIs(t, err, witness.ErrDamaged)
		s := newServer(t, func(c *witness.ServerConfig) { c.Store = store }, l)
		require.Equal(t, http.StatusInternalServerError, post(s, advance(t, l, 0, 9)).Code, "damaged memory is not no memory")
	}
}
