//go:build unix

package witness_test

import (
	"context"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

// TestMain is a witness when a test starts itself as one.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TOMKIT_WITNESS_CHILD"); dir != "" {
		child(dir, os.Getenv("TOMKIT_WITNESS_DIES"))
	}
	os.Exit(m.Run())
}

// dying is a store whose process dies at a point.
type dying struct {
	witness.Store
	at string
}

func (d dying) Swap(ctx context.Context, origin string, old, next []byte) error {
	kill := func() { syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	if d.at == "before the state is written" {
		kill()
	}
	err := d.Store.Swap(ctx, origin, old, next)
	if d.at == "after the state is written" {
		kill()
	}
	return err
}

// child serves a witness on standard input's listener until it is killed.
func child(dir, at string) {
	var t childT
	store, err := witness.OpenFileStore(dir)
	t.check(err)
	l := ledgertest.NewAnchorLog(t, 1, 0)
	log, err := witness.LogOfKeys(l.Keys)
	t.check(err)
	find, err := witness.Fixed(log)
	t.check(err)
	s, err := witness.NewServer(witness.ServerConfig{Keys: keys(t, witnessName), Log: find, Store: dying{store, at}, Rate: 1e6})
	t.check(err)
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	t.check(err)
	t.check(http.Serve(listener, s))
}

// childT is a testing.TB outside a test.
type childT struct{ testing.TB }

func (childT) Helper() {}
func (childT) Errorf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format, args...)
	os.Exit(1)
}
func (childT) FailNow() { os.Exit(1) }
func (t childT) check(err error) {
	if err != nil {
		t.Errorf("%v\n", err)
	}
}

// start starts a witness over dir. Requests wait in the listener until it accepts them.
func start(t *testing.T, dir, dies string) (url string, cmd *exec.Cmd) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TOMKIT_WITNESS_CHILD="+dir, "TOMKIT_WITNESS_DIES="+dies)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{f}, os.Stderr
	require.NoError(t, cmd.Start())
	require.NoError(t, f.Close())
	require.NoError(t, l.Close())
	return "http://" + l.Addr().String() + "/add-checkpoint", cmd
}

// ask posts a body and returns status and answer; 0 if the witness died over it.
func ask(client *http.Client, url, body string) (int, string) {
	resp, err := client.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(b)
}

func newHTTP(t *testing.T) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// The process dies at the two edges of the durable step. Afterwards the other history is refused if the first may have been
// cosigned, and whoever asked gets the cosignature that was lost.
func TestAWitnessKilledAroundItsStateNeverSignsTwoRoots(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 12)
	fork, client := l.Fork(5, 12), newHTTP(t)
	for at, want := range map[string]int{"before the state is written": 7, "after the state is written": 12} {
		t.Run(at, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			require.NoError(t, witness.CreateFileStore(dir))
			url, cmd := start(t, dir, "")
			code, _ := ask(client, url, advance(t, l, 0, 7))
			require.Equal(t, 200, code)
			require.NoError(t, cmd.Process.Kill())
			_ = cmd.Wait()

			url, cmd = start(t, dir, at)
			code, _ = ask(client, url, advance(t, l, 7, 12))
			require.Zero(t, code, "no answer left")
			_ = cmd.Wait()

			url, cmd = start(t, dir, "")
			defer func() { cmd.Process.Kill(); _ = cmd.Wait() }()
			code, size := ask(client, url, advance(t, l, 0, 12))
			require.Equal(t, 409, code)
			require.Equal(t, fmt.Sprintln(want), size)
			code, _ = ask(client, url, advance(t, fork, want, 12))
			require.Contains(t, []int{409, 422}, code)
			code, lines := ask(client, url, advance(t, l, want, 12))
			require.Equal(t, 200, code)
			require.Equal(t, 2, strings.Count(lines, "\n"))
		})
	}
}

// Two histories race for cosignatures while the witness is killed at random; whatever came back, no size has two roots. The
// long form does it some hundred times.
func TestAWitnessKilledAtRandomNeverSignsTwoRoots(t *testing.T) {
	rounds := 6
	if os.Getenv("TOMKIT_SOAK") == "1" {
		rounds = 300
	}
	const sizes = 160
	l := ledgertest.NewAnchorLog(t, 1, sizes)
	branches := []*ledgertest.AnchorLog{l, l.Fork(3, sizes)}
	dir := filepath.Join(t.TempDir(), "state")
	require.NoError(t, witness.CreateFileStore(dir))
	var mu sync.Mutex
	cosigned := map[int]int{} // size to branch
	largest, client := 0, newHTTP(t)
	for range rounds {
		url, cmd := start(t, dir, "")
		_, text := ask(client, url, advance(t, l, 0, sizes)) // waits until it serves
		known := 0
		fmt.Sscan(text, &known)
		require.GreaterOrEqual(t, known, largest, "a size that was cosigned is forgotten")
		var wg sync.WaitGroup
		for b, branch := range branches {
			wg.Go(func() {
				for old := known; old < sizes; {
					step := old + 1 + rand.Intn(2)
					if step > sizes {
						return
					}
					code, answer := ask(client, url, advance(t, branch, old, step))
					switch code {
					case 200:
						mu.Lock()
						if was, ok := cosigned[step]; ok && was != b && step > 3 {
							t.Errorf("two roots at size %d", step)
						}
						cosigned[step], largest = b, max(largest, step)
						mu.Unlock()
						old = step
					case 409:
						fmt.Sscan(answer, &old)
					default: // the other history, or a dead witness
						return
					}
				}
			})
		}
		time.Sleep(time.Duration(rand.Intn(40)) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		wg.Wait()
		if largest >= sizes-3 { // a new race from the start
			dir = filepath.Join(t.TempDir(), fmt.Sprint("state", rand.Int63()))
			require.NoError(t, witness.CreateFileStore(dir))
			clear(cosigned)
			largest = 0
		}
	}
}
