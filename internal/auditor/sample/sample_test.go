package sample

import (
	"archive/zip"
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestSamplesAreIntact(t *testing.T) {
	for name, o := range map[string]Options{
		"ordinary": {}, "with a witness": {Witness: true}, "with all": {Rotation: 100, Recovery: 200, Closing: true, Witness: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := New(320, o).Zip(nil)
			z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
			require.NoError(t, err)
			r, err := verify.Verify(t.Context(), z, verify.Config{})
			require.NoError(t, err)
			require.NoError(t, r.Err())
			require.Equal(t, 9, r.Checkpoints)
			require.Positive(t, r.Critical)
			require.Positive(t, r.Redacted)
		})
	}
}
