package sign_test

import (
	"bytes"
	"crypto/aes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/cloudflare/circl/sign/dilithium/mode3"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/sign"
)

// drbg is the AES-256 CTR DRBG of NIST's PQCgenKAT.c (SP 800-90A, no derivation function).
type drbg struct {
	key [32]byte
	v   [16]byte
}

func newDRBG(seed []byte) *drbg {
	g := &drbg{}
	g.update(seed)
	return g
}

func (g *drbg) block(out []byte) {
	for i := len(g.v) - 1; i >= 0; i-- {
		if g.v[i]++; g.v[i] != 0 {
			break
		}
	}
	c, err := aes.NewCipher(g.key[:])
	if err != nil {
		panic(err)
	}
	c.Encrypt(out, g.v[:])
}

func (g *drbg) update(data []byte) {
	var b [48]byte
	for i := 0; i < len(b); i += aes.BlockSize {
		g.block(b[i:])
	}
	for i := range data {
		b[i] ^= data[i]
	}
	copy(g.key[:], b[:32])
	copy(g.v[:], b[32:])
}

func (g *drbg) bytes(n int) []byte {
	out := make([]byte, (n+aes.BlockSize-1)/aes.BlockSize*aes.BlockSize)
	for i := 0; i < len(out); i += aes.BlockSize {
		g.block(out[i:])
	}
	g.update(nil)
	return out[:n]
}

// The 100 known answers of the round-3 submission: the file PQCsignKAT_4000.rsp of the reference implementation
// (pq-crystals/dilithium, commit 61b51a71701b8ae9f546a1e5) has this SHA-256. It is made anew here, and every signature in it
// verifies.
func TestTheKnownAnswersOfRoundThreeVerify(t *testing.T) {
	const want = "8196b32212753f525346201ffec1c7a0a852596fa0b57bd4e2746231dab44d55"
	seed := make([]byte, 48)
	for i := range seed {
		seed[i] = byte(i)
	}
	g := newDRBG(seed)
	file := sha256.New()
	fmt.Fprintf(file, "# Dilithium3\n\n")
	for i := range 100 {
		seed, msg := g.bytes(48), g.bytes(33*(i+1))
		pub, key := mode3.NewKeyFromSeed((*[32]byte)(newDRBG(seed).bytes(32)))
		sig := make([]byte, mode3.SignatureSize)
		mode3.SignTo(key, msg, sig)
		fmt.Fprintf(file, "count = %d\nseed = %X\nmlen = %d\nmsg = %X\npk = %X\nsk = %X\nsmlen = %d\nsm = %X%X\n\n",
			i, seed, len(msg), msg, pub.Bytes(), key.Bytes(), len(msg)+len(sig), sig, msg)

		ours, err := sign.ParseDilithium3PublicKey(pub.Bytes())
		require.NoError(t, err)
		require.NoError(t, ours.Verify(msg, sig))
		require.ErrorIs(t, ours.Verify(msg[1:], sig), sign.ErrInvalidSignature)
	}
	require.Equal(t, want, hex.EncodeToString(file.Sum(nil)))
}

func dilithium(t testing.TB, fill byte, msg []byte) (*sign.Dilithium3PublicKey, []byte) {
	t.Helper()
	pub, key := mode3.NewKeyFromSeed((*[32]byte)(bytes.Repeat([]byte{fill}, 32)))
	sig := make([]byte, mode3.SignatureSize)
	mode3.SignTo(key, msg, sig)
	ours, err := sign.ParseDilithium3PublicKey(pub.Bytes())
	require.NoError(t, err)
	return ours, sig
}

func TestDilithiumKeys(t *testing.T) {
	key, _ := dilithium(t, 1, nil)
	other, _ := dilithium(t, 2, nil)
	again, err := sign.ParseDilithium3PublicKey(key.Bytes())
	require.NoError(t, err)
	require.True(t, again.Equal(key))
	require.False(t, again.Equal(other))
	require.False(t, again.Equal(nil))
	require.NotEqual(t, key.ID(), other.ID())
	require.Contains(t, key.String(), key.ID().String())
	raw := key.Bytes()
	raw[0] ^= 1
	require.True(t, again.Equal(key), "a key shares no memory with its bytes")
	for _, n := range []int{0, 1, 1951, 1953, 1472, 1984} {
		_, err := sign.ParseDilithium3PublicKey(make([]byte, n))
		require.ErrorIs(t, err, sign.ErrInvalidKey)
	}
}

func TestRoundThreeAndFIPS204AreDifferentAlgorithms(t *testing.T) {
	seed := (*[32]byte)(bytes.Repeat([]byte{1}, 32))
	round3, _ := mode3.NewKeyFromSeed(seed)
	final, key := mldsa65.NewKeyFromSeed(seed)
	require.NotEqual(t, round3.Bytes(), final.Bytes())
	msg := []byte("m")
	sig := make([]byte, mldsa65.SignatureSize)
	require.NoError(t, mldsa65.SignTo(key, msg, nil, false, sig))
	old, err := sign.ParseDilithium3PublicKey(final.Bytes())
	require.NoError(t, err)
	require.Error(t, old.Verify(msg, sig))
	require.Error(t, old.Verify(msg, sig[:sign.Dilithium3SignatureSize]))
}

// layout says where the parts of a signature of the Dilithium family lie. Both have k = 6, ω = 55 and z of 5 polynomials with
// 256 coefficients of 20 bits.
type layout struct{ challenge, size int }

var (
	roundThree = layout{32, mode3.SignatureSize}
	fips204    = layout{48, mldsa65.SignatureSize}
)

const omega, rows = 55, 6

func (l layout) hint(sig []byte) []byte { return sig[l.challenge+5*640 : l.size] }

// malleations are other encodings of a signature, of which some mean the same to a careless parser. They change sig in place
// and report whether they could.
func (l layout) malleations() map[string]func(sig []byte) bool {
	// first is the range of hint positions of the first row that has at least n.
	first := func(h []byte, n int) (int, bool) {
		from := 0
		for _, to := range h[omega:] {
			if int(to)-from >= n {
				return from, true
			}
			from = int(to)
		}
		return 0, false
	}
	return map[string]func([]byte) bool{
		"two hints of a row swapped": func(sig []byte) bool {
			h := l.hint(sig)
			i, ok := first(h, 2)
			if ok {
				h[i], h[i+1] = h[i+1], h[i]
			}
			return ok
		},
		"a hint twice": func(sig []byte) bool {
			h := l.hint(sig)
			used := int(h[omega+rows-1])
			if used == omega || used == 0 {
				return false
			}
			// The last hint again, counted in the last row.
			if h[omega+rows-2] == h[omega+rows-1] {
				return false
			}
			h[used] = h[used-1]
			h[omega+rows-1]++
			return true
		},
		"a byte behind the last hint": func(sig []byte) bool {
			h := l.hint(sig)
			used := int(h[omega+rows-1])
			if used < omega {
				h[omega-1] = 1
			}
			return used < omega
		},
		"more hints than there may be": func(sig []byte) bool {
			l.hint(sig)[omega+rows-1] = omega + 1
			return true
		},
		"a row that ends before the one before": func(sig []byte) bool {
			h := l.hint(sig)
			h[omega+1] = h[omega] - 1
			return h[omega] > 0
		},
		"a coefficient of z out of range": func(sig []byte) bool { // 0 encodes γ1 = 2^19
			z := sig[l.challenge:]
			z[0], z[1], z[2] = 0, 0, z[2]&0xf0
			return true
		},
		"another coefficient of z out of range": func(sig []byte) bool { // 2^20−1 encodes −γ1+1
			z := sig[l.challenge+4*640:]
			z[0], z[1], z[2] = 0xff, 0xff, z[2]|0x0f
			return true
		},
		"another challenge": func(sig []byte) bool { sig[0] ^= 1; return true },
	}
}

func TestOtherEncodingsOfARoundThreeSignatureAreRefused(t *testing.T) {
	for name, change := range roundThree.malleations() {
		t.Run(name, func(t *testing.T) {
			done := 0
			for i := byte(0); i < 20 && done < 5; i++ {
				msg := []byte{i}
				key, sig := dilithium(t, i, msg)
				require.NoError(t, key.Verify(msg, sig))
				if change(sig) {
					done++
					require.ErrorIs(t, key.Verify(msg, sig), sign.ErrInvalidSignature)
				}
			}
			require.Positive(t, done)
		})
	}
	t.Run("other lengths", func(t *testing.T) {
		key, sig := dilithium(t, 1, nil)
		for _, bad := range [][]byte{nil, sig[:1], sig[:len(sig)-1], append(bytes.Clone(sig), 0), sig[1:], make([]byte, 2701), make([]byte, 3309)} {
			require.ErrorIs(t, key.Verify(nil, bad), sign.ErrInvalidSignature)
		}
	})
	t.Run("each byte changed", func(t *testing.T) {
		key, sig := dilithium(t, 1, nil)
		for i := 0; i < len(sig); i += 7 {
			sig[i] ^= 0x10
			require.ErrorIs(t, key.Verify(nil, sig), sign.ErrInvalidSignature, "byte %d", i)
			sig[i] ^= 0x10
		}
	})
}

// The ML-DSA half in another encoding, the Ed25519 half valid: the composite is refused.
func TestOtherEncodingsOfTheMLDSAHalfAreRefused(t *testing.T) {
	for name, change := range fips204.malleations() {
		t.Run(name, func(t *testing.T) {
			key, done := testKey(t, 7), 0
			for i := 0; i < 40 && done < 5; i++ {
				msg := []byte{byte(i)}
				sig, err := key.Sign(sign.ContextEntry, msg)
				require.NoError(t, err)
				if change(sig[:mldsa65.SignatureSize]) {
					done++
					require.ErrorIs(t, key.Public().Verify(sign.ContextEntry, msg, sig), sign.ErrInvalidSignature)
				}
			}
			require.Positive(t, done)
		})
	}
}

func FuzzDilithiumVerify(f *testing.F) {
	key, sig := dilithium(f, 1, []byte("m"))
	f.Add([]byte("m"), sig)
	for _, change := range roundThree.malleations() {
		_, changed := dilithium(f, 1, []byte("m"))
		change(changed)
		f.Add([]byte("m"), changed)
	}
	f.Fuzz(func(t *testing.T, msg, other []byte) {
		if key.Verify(msg, other) == nil && (string(msg) != "m" || !bytes.Equal(other, sig)) {
			t.Fatal("a signature nobody made verifies")
		}
	})
}

func BenchmarkDilithiumVerify(b *testing.B) {
	msg := make([]byte, 64)
	key, sig := dilithium(b, 1, msg)
	b.ReportAllocs()
	for b.Loop() {
		if err := key.Verify(msg, sig); err != nil {
			b.Fatal(err)
		}
	}
}
