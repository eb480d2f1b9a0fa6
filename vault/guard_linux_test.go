package vault_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
)

// flags returns the kernel's flags of the mapping that holds address, "" if there is none.
func flags(t *testing.T, address uintptr) string {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	inside := false
	for line := range strings.Lines(string(smaps)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			inside = from <= address && address < to
		}
		if rest, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			return rest
		}
	}
	return ""
}

func TestAGuardedSecretLiesOutsideTheHeapAndOfCoreDumps(t *testing.T) {
	given := []byte("guarded key material")
	s := vault.NewGuardedSecret(given)
	require.Equal(t, make([]byte, 20), given)
	require.Equal(t, "guarded key material", string(s.Reveal()))
	p := s.Protection()
	require.True(t, p.OffHeap)
	require.True(t, p.NoDump)

	address := vault.Address(s)
	require.Contains(t, flags(t, address), " dd ", "the mapping may be dumped")
	require.Equal(t, p.Locked, strings.Contains(flags(t, address), " lo "))
	s.Wipe()
	require.Empty(t, flags(t, address), "still mapped")
	require.Nil(t, s.Reveal())
	require.Zero(t, s.Protection())
	require.NotPanics(t, s.Wipe)
}

func TestReadingPastAGuardedSecretFaults(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	s := vault.NewGuardedSecret([]byte("x"))
	defer s.Wipe()
	next := unsafe.Add(unsafe.Pointer(nil), vault.Address(s)+1) // an address outside the heap
	require.Panics(t, func() { runtime.KeepAlive(*(*byte)(next)) })
}

func TestAForgottenGuardedSecretIsUnmapped(t *testing.T) {
	address := vault.Address(vault.NewGuardedSecret([]byte("forgotten")))
	for flags(t, address) != "" { // the cleanup runs after a collection, in its own time
		runtime.GC()
	}
}

func TestAnEmptyGuardedSecretIsEmpty(t *testing.T) {
	s := vault.NewGuardedSecret(nil)
	require.Zero(t, s.Len())
	require.Zero(t, s.Protection())
}

func TestLoadKeepsItsSecretsGuarded(t *testing.T) {
	src := vault.SourceFunc(func(context.Context, []vault.Key) (*vault.Snapshot, error) {
		return vault.NewSnapshot(map[vault.Key]vault.Secret{
			"KEY":  vault.NewSecret([]byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))),
			"TEXT": vault.NewSecret([]byte("password")),
		}), nil
	})
	snapshot, err := vault.Manifest{{Key: "KEY"}, {Key: "TEXT", Format: vault.Text}}.Load(t.Context(), src)
	require.NoError(t, err)
	for _, k := range []vault.Key{"KEY", "TEXT"} {
		s, _ := snapshot.Secret(k)
		require.True(t, s.Protection().OffHeap, k)
	}
}

// child runs one test of this binary in a process of its own, in the given mode.
func child(t *testing.T, test, mode string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), "TOMKIT_VAULT_CHILD="+mode)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func TestHardenProcess(t *testing.T) {
	if os.Getenv("TOMKIT_VAULT_CHILD") != "" {
		h := vault.HardenProcess()
		limits, err := os.ReadFile("/proc/self/limits")
		require.NoError(t, err)
		fmt.Printf("hardened %+v\n%s\n", h, limits)
		return
	}
	out := child(t, "TestHardenProcess", "harden")
	require.Contains(t, out, "NoCoreDump:true NotDumpable:true")
	require.Regexp(t, `Max core file size +0 +0`, out)
}

// scanned counts where the process's own memory shows the bytes that hidden hides. Mappings without resident pages, such as
// most of the race detector's, hold nothing.
func scanned(t *testing.T, hidden []byte) int {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	mem, err := os.Open("/proc/self/mem")
	require.NoError(t, err)
	defer mem.Close()
	found := 0
	var from, to, resident int64
	for line := range strings.Lines(string(smaps)) {
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n == 3 && !strings.HasPrefix(mode, "rw") {
			from = to
		}
		if n, _ := fmt.Sscanf(line, "Rss: %d kB", &resident); n == 1 && resident > 0 {
			found += scannedRange(mem, from, to, hidden)
		}
	}
	return found
}

func scannedRange(mem *os.File, from, to int64, hidden []byte) int {
	found := 0
	buf := make([]byte, 1<<20)
	for at := from; at < to; at += int64(len(buf)-len(hidden)) + 1 {
		n, _ := mem.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
		found += occurrences(buf[:n], hidden)
	}
	clear(buf)
	return found
}

// occurrences counts without ever holding the clear text: hidden is its complement.
func occurrences(in, hidden []byte) int {
	count := 0
	for {
		i := bytes.IndexByte(in, ^hidden[0])
		if i < 0 || len(in)-i < len(hidden) {
			return count
		}
		if bytes.Equal(complement(in[i:i+len(hidden)]), hidden) {
			count++
		}
		in = in[i+1:]
	}
}

// complement returns the bytes of b inverted.
func complement(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = ^c
	}
	return out
}

func TestMemoryHoldsNoSecretAfterAWipe(t *testing.T) {
	if mode := os.Getenv("TOMKIT_VAULT_CHILD"); mode != "" {
		scanChild(t, mode)
		return
	}
	require.Contains(t, child(t, "TestMemoryHoldsNoSecretAfterAWipe", "load"), "loaded=true after=0 0\n")
	require.NotContains(t, child(t, "TestMemoryHoldsNoSecretAfterAWipe", "leak"), "after=0 0\n", "the scan is blind")
}

// scanChild loads a key, counts its copies, wipes and counts again: the decoded key and its base64 form. In the mode leak it
// keeps what Reveal gave it.
func scanChild(t *testing.T, mode string) {
	hiddenKey, hiddenText := make([]byte, 32), make([]byte, 44)
	src := vault.SourceFunc(func(context.Context, []vault.Key) (*vault.Snapshot, error) {
		key, text := make([]byte, 32), make([]byte, 44)
		for i := range key {
			key[i] = byte(i*7+3) ^ 0x5a
		}
		base64.StdEncoding.Encode(text, key)
		copy(hiddenKey, complement(key))
		copy(hiddenText, complement(text))
		clear(key)
		return vault.NewSnapshot(map[vault.Key]vault.Secret{"KEY": vault.NewSecret(text)}), nil
	})
	snapshot, err := vault.Manifest{{Key: "KEY"}}.Load(t.Context(), src)
	require.NoError(t, err)
	s, _ := snapshot.Secret("KEY")
	var kept []byte
	if mode == "leak" {
		kept = s.Reveal()
	}
	loaded := scanned(t, hiddenKey) > 0
	snapshot.Wipe()
	runtime.GC()
	runtime.GC()
	fmt.Printf("loaded=%t after=%d %d\n", loaded, scanned(t, hiddenKey), scanned(t, hiddenText))
	runtime.KeepAlive(kept)
}
