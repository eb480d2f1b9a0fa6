package oracle_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"fmt"
	"testing"

	"filippo.io/mldsa"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/sign"
)

// pairs is how many random keys and messages are compared.
const pairs = 64

// random returns n random bytes.
func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// both returns the same key from both implementations.
func both(t *testing.T, seed []byte) (*mldsa65.PublicKey, *mldsa65.PrivateKey, *mldsa.PrivateKey) {
	t.Helper()
	pub, priv := mldsa65.NewKeyFromSeed((*[mldsa65.SeedSize]byte)(seed))
	other, err := mldsa.NewPrivateKey(mldsa.MLDSA65(), seed)
	require.NoError(t, err)
	return pub, priv, other
}

func TestMLDSA65(t *testing.T) {
	t.Run("a seed gives the same public key", func(t *testing.T) {
		for range pairs {
			pub, _, other := both(t, random(mldsa65.SeedSize))
			require.Equal(t, other.PublicKey().Bytes(), pub.Bytes())
		}
	})
	t.Run("deterministic signatures have the same bytes", func(t *testing.T) {
		for i := range pairs {
			_, priv, other := both(t, random(mldsa65.SeedSize))
			msg, ctx := random(i*17), random(i*255/pairs)
			sig := make([]byte, mldsa65.SignatureSize)
			require.NoError(t, mldsa65.SignTo(priv, msg, ctx, false, sig))
			want, err := other.SignDeterministic(msg, &mldsa.Options{Context: string(ctx)})
			require.NoError(t, err)
			require.Equal(t, want, sig)
		}
	})
	t.Run("each verifies the other's hedged signatures and refuses a changed bit", func(t *testing.T) {
		for i := range pairs {
			pub, priv, other := both(t, random(mldsa65.SeedSize))
			msg, ctx := random(100+i), random(i%32)
			opts := &mldsa.Options{Context: string(ctx)}

			ours := make([]byte, mldsa65.SignatureSize)
			require.NoError(t, mldsa65.SignTo(priv, msg, ctx, true, ours))
			require.NoError(t, mldsa.Verify(other.PublicKey(), msg, ours, opts))
			ours[(i*53)%len(ours)] ^= 1
			require.Error(t, mldsa.Verify(other.PublicKey(), msg, ours, opts))

			theirs, err := other.Sign(nil, msg, opts)
			require.NoError(t, err)
			require.True(t, mldsa65.Verify(pub, msg, ctx, theirs))
			theirs[(i*53)%len(theirs)] ^= 1
			require.False(t, mldsa65.Verify(pub, msg, ctx, theirs))
		}
	})
}

// The composite's parts, written down here once more from the draft.
const (
	compositePrefix = "CompositeAlgorithmSignatures2025"
	compositeLabel  = "COMPSIG-MLDSA65-Ed25519-SHA512"
)

func TestCompositeVerifiesWithOtherImplementations(t *testing.T) {
	for _, ctx := range []string{"", sign.ContextCheckpoint, sign.ContextEntry} {
		t.Run(fmt.Sprintf("context %q", ctx), func(t *testing.T) {
			for i := range pairs {
				key, err := sign.NewCompositeKey(rand.Reader)
				require.NoError(t, err)
				msg := random(i * 31)
				sig, err := key.Sign(ctx, msg)
				require.NoError(t, err)
				require.NoError(t, verifyComposite(key.Public().Bytes(), ctx, msg, sig))
			}
		})
	}
}

// verifyComposite is the draft's verification on filippo.io/mldsa and crypto/ed25519.
func verifyComposite(pub []byte, ctx string, msg, sig []byte) error {
	digest := sha512.Sum512(msg)
	representative := append([]byte(compositePrefix+compositeLabel), byte(len(ctx)))
	representative = append(append(representative, ctx...), digest[:]...)
	params := mldsa.MLDSA65()
	postQuantum, err := mldsa.NewPublicKey(params, pub[:params.PublicKeySize()])
	if err != nil {
		return err
	}
	if err := mldsa.Verify(postQuantum, representative, sig[:params.SignatureSize()], &mldsa.Options{Context: compositeLabel}); err != nil {
		return err
	}
	if !ed25519.Verify(pub[params.PublicKeySize():], representative, sig[params.SignatureSize():]) {
		return fmt.Errorf("Ed25519 half does not verify")
	}
	return nil
}
