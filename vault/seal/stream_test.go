package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/seal"
)

const chunk = 64 << 10 // bytes of plaintext in a chunk of a stream

func sealStream(t testing.TB, r *seal.Ring, plaintext []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := r.SealStream(&out, row)
	require.NoError(t, err)
	_, err = io.Copy(w, iotest.HalfReader(bytes.NewReader(plaintext)))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Error(t, w.Close())
	_, err = w.Write([]byte("x"))
	require.Error(t, err)
	return out.Bytes()
}

func openStream(r *seal.Ring, sealed io.Reader, aad []byte) ([]byte, error) {
	in, err := r.OpenStream(sealed, aad)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(in)
}

func TestStreamsOfEveryLengthOpenAgain(t *testing.T) {
	r := ring(t, active(keyA))
	for _, n := range []int{0, 1, chunk - 1, chunk, chunk + 1, 2*chunk - 1, 2 * chunk, 3*chunk + 17} {
		plaintext := make([]byte, n)
		_, err := rand.Read(plaintext)
		require.NoError(t, err)
		sealed := sealStream(t, r, plaintext)
		for name, src := range map[string]io.Reader{
			"at once": bytes.NewReader(sealed), "in halves": iotest.HalfReader(bytes.NewReader(sealed)), "with the error": iotest.DataErrReader(bytes.NewReader(sealed)),
		} {
			have, err := openStream(r, src, row)
			require.NoError(t, err, "%d %s", n, name)
			require.True(t, bytes.Equal(plaintext, have), "%d %s", n, name)
		}
	}
}

func TestAStreamThatIsNotWholeIsRefused(t *testing.T) {
	r := ring(t, active(keyA))
	sealed := sealStream(t, r, bytes.Repeat([]byte("0123456789abcdef"), 3*chunk/16))
	header := len(sealed) - 3*(chunk+16)
	part := func(i int) []byte { return sealed[header+i*(chunk+16) : header+(i+1)*(chunk+16)] }
	join := func(parts ...[]byte) []byte { return bytes.Join(append([][]byte{sealed[:header]}, parts...), nil) }
	empty := sealStream(t, r, nil)
	for name, c := range map[string][]byte{
		"nothing":                   nil,
		"the header alone":          join(),
		"without the last chunk":    join(part(0), part(1)),
		"without the first chunk":   join(part(1), part(2)),
		"without a middle chunk":    join(part(0), part(2)),
		"exchanged chunks":          join(part(1), part(0), part(2)),
		"a chunk twice":             join(part(0), part(0), part(1), part(2)),
		"the last chunk twice":      join(part(0), part(1), part(2), part(2)),
		"a byte too much":           append(bytes.Clone(sealed), 0),
		"a byte too few":            sealed[:len(sealed)-1],
		"two streams":               append(bytes.Clone(sealed), sealed...),
		"an empty chunk at the end": append(bytes.Clone(sealed), empty[header:]...),
		"another magic":             append([]byte("tkseal2\n"), sealed[8:]...),
		"a key id that is too long": append([]byte("tkseal1\n\x21"), bytes.Repeat([]byte{'a'}, 100)...),
		"a key id that is none":     append([]byte("tkseal1\n\x01/"), sealed[10:]...),
	} {
		_, err := openStream(r, bytes.NewReader(c), row)
		require.ErrorIs(t, err, seal.ErrStream, name)
	}
}

func TestEveryFlippedBitOfAStreamIsRefused(t *testing.T) {
	r := ring(t, active(keyA))
	sealed := sealStream(t, r, []byte("short"))
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		_, err := openStream(r, bytes.NewReader(broken), row)
		require.Error(t, err, "byte %d", i)
	}
}

func TestNoUncheckedByteComesOutOfAStream(t *testing.T) {
	r := ring(t, active(keyA))
	plaintext := bytes.Repeat([]byte{'x'}, 2*chunk)
	sealed := sealStream(t, r, plaintext)
	sealed[len(sealed)-1] ^= 1
	in, err := r.OpenStream(bytes.NewReader(sealed), row)
	require.NoError(t, err)
	have, err := io.ReadAll(in)
	require.ErrorIs(t, err, seal.ErrStream)
	require.Len(t, have, chunk)
	_, err = in.Read(make([]byte, 1))
	require.ErrorIs(t, err, seal.ErrStream, "the error stays")
}

func TestAStreamIsBoundToKeyAndData(t *testing.T) {
	r := ring(t, active(keyA))
	sealed := sealStream(t, r, []byte("backup"))
	_, err := openStream(r, bytes.NewReader(sealed), seal.AAD("backup", uuid.New(), uuid.Nil))
	require.ErrorIs(t, err, seal.ErrStream)
	_, err = openStream(ring(t, active(keyB)), bytes.NewReader(sealed), row)
	require.ErrorIs(t, err, seal.ErrKeyID)
	imposter := ring(t, seal.Config{Active: seal.Key{ID: r.ActiveKeyID(), Bytes: keyB}})
	_, err = openStream(imposter, bytes.NewReader(sealed), row)
	require.ErrorIs(t, err, seal.ErrStream)
	old := ring(t, seal.Config{Active: seal.Key{Bytes: keyB}, Old: []seal.Key{{Bytes: keyA}}})
	have, err := openStream(old, bytes.NewReader(sealed), row)
	require.NoError(t, err)
	require.Equal(t, "backup", string(have))
	_, err = r.SealStream(io.Discard, nil)
	require.ErrorIs(t, err, seal.ErrAAD)
	_, err = r.OpenStream(bytes.NewReader(sealed), nil)
	require.ErrorIs(t, err, seal.ErrAAD)
}

func TestErrorsOfTheEndsOfAStreamComeThrough(t *testing.T) {
	r := ring(t, active(keyA))
	broken := errors.New("disk full")
	w, err := r.SealStream(&failingWriter{after: 1, err: broken}, row)
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 2*chunk))
	require.ErrorIs(t, err, broken)
	require.ErrorIs(t, w.Close(), broken)
	_, err = r.SealStream(&failingWriter{err: broken}, row)
	require.ErrorIs(t, err, broken)

	sealed := sealStream(t, r, make([]byte, 2*chunk))
	for _, n := range []int{3, 20, 100, chunk + 100} {
		_, err = openStream(r, io.MultiReader(bytes.NewReader(sealed[:n]), iotest.ErrReader(broken)), row)
		require.ErrorIs(t, err, broken, "after %d bytes", n)
	}
}

// failingWriter fails after some writes.
type failingWriter struct {
	after int
	err   error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.after == 0 {
		return 0, w.err
	}
	w.after--
	return len(p), nil
}

func FuzzOpenStream(f *testing.F) {
	r := ring(f, active(keyA))
	f.Add(sealStream(f, r, []byte("seed")))
	f.Add([]byte("tkseal1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		plaintext, err := openStream(r, bytes.NewReader(data), row)
		if err == nil && !strings.HasPrefix("seed", string(plaintext)) {
			t.Fatalf("opened %d forged bytes", len(plaintext))
		}
	})
}

func BenchmarkSealStream(b *testing.B) {
	r := ring(b, active(keyA))
	data := make([]byte, 1<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		w, err := r.SealStream(io.Discard, row)
		require.NoError(b, err)
		_, _ = w.Write(data)
		require.NoError(b, w.Close())
	}
}

func ExampleRing_SealStream() {
	ring, err := seal.New(seal.Config{Active: seal.Key{Bytes: bytes.Repeat([]byte{7}, 32)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	aad := seal.AAD("backup", uuid.Nil, uuid.Nil)
	var file bytes.Buffer
	w, _ := ring.SealStream(&file, aad)
	_, _ = io.Copy(w, strings.NewReader("a dump of any size"))
	_ = w.Close() // checked in real life: without it the stream is refused

	in, _ := ring.OpenStream(&file, aad)
	dump, err := io.ReadAll(in)
	fmt.Printf("%s, %v\n", dump, err)
	// Output: a dump of any size, <nil>
}
