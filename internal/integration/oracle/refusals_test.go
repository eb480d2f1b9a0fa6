package oracle_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"filippo.io/mldsa"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/sign"
)

// agree verifies with both implementations, which must say the same, and returns what they say.
func agree(t *testing.T, pub, msg, ctx, sig []byte) bool {
	t.Helper()
	var ours mldsa65.PublicKey
	good := ours.UnmarshalBinary(pub) == nil && mldsa65.Verify(&ours, msg, ctx, sig)
	theirs, err := mldsa.NewPublicKey(mldsa.MLDSA65(), pub)
	if err == nil {
		err = mldsa.Verify(theirs, msg, sig, &mldsa.Options{Context: string(ctx)})
	}
	require.Equal(t, err == nil, good, "circl says %t, filippo.io/mldsa %v", good, err)
	return good
}

// Offsets in an ML-DSA-65 signature: challenge, 5 polynomials z, 55 hint positions, 6 ends of rows.
const (
	offsetZ    = 48
	offsetHint = offsetZ + 5*640
	offsetEnds = offsetHint + 55
)

// refusals change a signature into one that must not verify. They report whether they could.
var refusals = map[string]func(sig []byte) ([]byte, bool){
	"nothing":              func([]byte) ([]byte, bool) { return nil, true },
	"one byte":             func(s []byte) ([]byte, bool) { return s[:1], true },
	"one byte less":        func(s []byte) ([]byte, bool) { return s[:len(s)-1], true },
	"one byte more":        func(s []byte) ([]byte, bool) { return append(s, 0), true },
	"without its hints":    func(s []byte) ([]byte, bool) { return s[:offsetHint], true },
	"round-3 length":       func(s []byte) ([]byte, bool) { return s[:3293], true },
	"the challenge":        func(s []byte) ([]byte, bool) { s[47] ^= 0x80; return s, true },
	"all zeros":            func(s []byte) ([]byte, bool) { clear(s); return s, true },
	"z at the upper bound": func(s []byte) ([]byte, bool) { s[offsetZ], s[offsetZ+1] = 0, 0; s[offsetZ+2] &= 0xf0; return s, true },
	"z at the lower bound": func(s []byte) ([]byte, bool) {
		s[offsetZ], s[offsetZ+1] = 0xff, 0xff
		s[offsetZ+2] |= 0x0f
		return s, true
	},
	"z just out of range": func(s []byte) ([]byte, bool) { // γ1 − (γ1 − β) = 196 encodes the smallest |z| that is refused
		s[offsetZ], s[offsetZ+1] = 196, 0
		s[offsetZ+2] &= 0xf0
		return s, true
	},
	"hints of a row swapped": func(s []byte) ([]byte, bool) {
		if s[offsetEnds] < 2 {
			return s, false
		}
		s[offsetHint], s[offsetHint+1] = s[offsetHint+1], s[offsetHint]
		return s, true
	},
	"a hint twice": func(s []byte) ([]byte, bool) {
		if s[offsetEnds] < 2 {
			return s, false
		}
		s[offsetHint+1] = s[offsetHint]
		return s, true
	},
	"a byte behind the hints": func(s []byte) ([]byte, bool) {
		if s[offsetEnds+5] == 55 {
			return s, false
		}
		s[offsetEnds-1] = 0xff
		return s, true
	},
	"too many hints":       func(s []byte) ([]byte, bool) { s[offsetEnds+5] = 56; return s, true },
	"255 hints":            func(s []byte) ([]byte, bool) { s[offsetEnds+5] = 255; return s, true },
	"rows that step back":  func(s []byte) ([]byte, bool) { s[offsetEnds+1] = s[offsetEnds] - 1; return s, s[offsetEnds] > 0 },
	"a row that ends late": func(s []byte) ([]byte, bool) { s[offsetEnds]++; return s, true },
}

func TestBothRefuseTheSameSignatures(t *testing.T) {
	for name, change := range refusals {
		t.Run(name, func(t *testing.T) {
			done := 0
			for range 8 {
				pub, priv, _ := both(t, random(mldsa65.SeedSize))
				msg, ctx := random(33), random(7)
				sig := make([]byte, mldsa65.SignatureSize)
				require.NoError(t, mldsa65.SignTo(priv, msg, ctx, true, sig))
				require.True(t, agree(t, pub.Bytes(), msg, ctx, sig))
				if bad, ok := change(sig); ok {
					done++
					require.False(t, agree(t, pub.Bytes(), msg, ctx, bad))
				}
			}
			require.Positive(t, done)
		})
	}
	t.Run("keys of other lengths", func(t *testing.T) {
		pub, priv, _ := both(t, random(mldsa65.SeedSize))
		sig := make([]byte, mldsa65.SignatureSize)
		require.NoError(t, mldsa65.SignTo(priv, nil, nil, true, sig))
		for _, n := range []int{0, 1, 1951, 1312} {
			require.False(t, agree(t, pub.Bytes()[:n], nil, nil, sig))
		}
		require.False(t, agree(t, append(pub.Bytes(), 0), nil, nil, sig))
	})
	t.Run("every byte of a signature counts", func(t *testing.T) {
		pub, priv, _ := both(t, random(mldsa65.SeedSize))
		sig := make([]byte, mldsa65.SignatureSize)
		require.NoError(t, mldsa65.SignTo(priv, nil, nil, true, sig))
		for i := 0; i < len(sig); i += 13 {
			changed := bytes.Clone(sig)
			changed[i] ^= 1 << (i % 8)
			require.False(t, agree(t, pub.Bytes(), nil, nil, changed), "byte %d", i)
		}
	})
}

func TestContextsOfEveryLength(t *testing.T) {
	pub, priv, other := both(t, random(mldsa65.SeedSize))
	long := random(256)
	for n := range 256 {
		sig := make([]byte, mldsa65.SignatureSize)
		require.NoError(t, mldsa65.SignTo(priv, []byte("m"), long[:n], false, sig))
		want, err := other.SignDeterministic([]byte("m"), &mldsa.Options{Context: string(long[:n])})
		require.NoError(t, err)
		require.Equal(t, want, sig, "context of %d bytes", n)
		require.False(t, agree(t, pub.Bytes(), []byte("m"), long[:(n+1)%256], sig))
	}
	require.Error(t, mldsa65.SignTo(priv, nil, long, false, make([]byte, mldsa65.SignatureSize)))
	_, err := other.SignDeterministic(nil, &mldsa.Options{Context: string(long)})
	require.Error(t, err)

	key, err := sign.NewCompositeKey(rand.Reader)
	require.NoError(t, err)
	for _, n := range []int{0, 1, 30, 127, 128, 254, 255} {
		ctx := strings.Repeat("c", n)
		sig, err := key.Sign(ctx, []byte("m"))
		require.NoError(t, err)
		require.NoError(t, verifyComposite(key.Public().Bytes(), ctx, []byte("m"), sig))
		require.Error(t, verifyComposite(key.Public().Bytes(), ctx+"c", []byte("m"), sig))
	}
}

// A composite with one half good is refused by the draft's verification on the other libraries and by ours.
func TestHalfValidCompositesAreRefusedByBoth(t *testing.T) {
	key, err := sign.NewCompositeKey(rand.Reader)
	require.NoError(t, err)
	stranger, err := sign.NewCompositeKey(rand.Reader)
	require.NoError(t, err)
	msg, ctx := []byte("m"), sign.ContextEntry
	sig, err := key.Sign(ctx, msg)
	require.NoError(t, err)
	foreign, err := stranger.Sign(ctx, msg)
	require.NoError(t, err)
	otherMsg, err := key.Sign(ctx, []byte("n"))
	require.NoError(t, err)
	const half = mldsa65.SignatureSize
	join := func(a, b []byte) []byte { return append(bytes.Clone(a[:half]), b[half:]...) }
	for name, bad := range map[string][]byte{
		"ML-DSA half of a stranger":         join(foreign, sig),
		"Ed25519 half of a stranger":        join(sig, foreign),
		"ML-DSA half of another message":    join(otherMsg, sig),
		"Ed25519 half of another message":   join(sig, otherMsg),
		"Ed25519 half of zeros":             join(sig, make([]byte, len(sig))),
		"ML-DSA half of zeros":              join(make([]byte, len(sig)), sig),
		"halves in the other order":         append(bytes.Clone(sig[half:]), sig[:half]...),
		"signature of a stranger, complete": foreign,
	} {
		require.ErrorIs(t, key.Public().Verify(ctx, msg, bad), sign.ErrInvalidSignature, name)
		require.Error(t, verifyComposite(key.Public().Bytes(), ctx, msg, bad), name)
	}
	for name, change := range refusals {
		bad, ok := change(bytes.Clone(sig[:half]))
		if !ok || len(bad) != half {
			continue
		}
		bad = append(bad, sig[half:]...)
		require.ErrorIs(t, key.Public().Verify(ctx, msg, bad), sign.ErrInvalidSignature, name)
		require.Error(t, verifyComposite(key.Public().Bytes(), ctx, msg, bad), name)
	}
}

// Wycheproof's cases, of which ledger/sign checks that circl judges them right, are judged the same by the other library.
func TestBothAgreeOnWycheproof(t *testing.T) {
	f, err := os.Open("../../../ledger/sign/testdata/wycheproof-mldsa65-verify.json.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var file struct {
		TestGroups []struct {
			PublicKey string
			Tests     []struct{ Msg, Ctx, Sig, Result string }
		}
	}
	require.NoError(t, json.NewDecoder(z).Decode(&file))
	unhex := func(text string) []byte {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		return b
	}
	for _, g := range file.TestGroups {
		for _, c := range g.Tests {
			require.Equal(t, c.Result == "valid", agree(t, unhex(g.PublicKey), unhex(c.Msg), unhex(c.Ctx), unhex(c.Sig)))
		}
	}
}
