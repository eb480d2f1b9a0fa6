package sign_test

import (
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/stretchr/testify/require"
)

func readVectors(t testing.TB, name string, into any) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(z).Decode(into))
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

// NIST's vectors for the keys of the ML-DSA half.
func TestACVPKeyGen(t *testing.T) {
	var cases []struct {
		ID   int `json:"tcId"`
		Seed string
		PK   string
	}
	readVectors(t, "acvp-mldsa65-keygen.json.gz", &cases)
	require.Len(t, cases, 25)
	for _, c := range cases {
		pub, _ := mldsa65.NewKeyFromSeed((*[32]byte)(unhex(t, c.Seed)))
		require.Equal(t, unhex(t, c.PK), pub.Bytes(), "case %d", c.ID)
	}
}

// Wycheproof's vectors for the verification that the composite stands on: good signatures from edge cases of signing, and
// bad ones in length, hints, range and context.
func TestWycheproofVerify(t *testing.T) {
	var file struct {
		NumberOfTests int
		TestGroups    []struct {
			PublicKey string
			Tests     []struct {
				ID       int `json:"tcId"`
				Comment  string
				Msg, Ctx string
				Sig      string
				Result   string
			}
		}
	}
	readVectors(t, "wycheproof-mldsa65-verify.json.gz", &file)
	count := 0
	for _, g := range file.TestGroups {
		var key mldsa65.PublicKey
		usable := key.UnmarshalBinary(unhex(t, g.PublicKey)) == nil
		for _, c := range g.Tests {
			count++
			valid := usable && mldsa65.Verify(&key, unhex(t, c.Msg), unhex(t, c.Ctx), unhex(t, c.Sig))
			require.Equal(t, c.Result == "valid", valid, "case %d: %s", c.ID, c.Comment)
		}
	}
	require.Equal(t, file.NumberOfTests, count)
}
