package vault_test

import (
	"io"
	"reflect"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
)

func TestNewSecretTakesTheBytesAway(t *testing.T) {
	given := []byte("key material")
	s := vault.NewSecret(given)
	require.Equal(t, make([]byte, 12), given)
	require.Equal(t, "key material", string(s.Reveal()))
	require.Equal(t, 12, s.Len())
}

func TestRevealReturnsACopy(t *testing.T) {
	s := vault.NewSecret([]byte("key material"))
	clear(s.Reveal())
	require.Equal(t, "key material", string(s.Reveal()))
}

func TestWipeEmptiesAllCopies(t *testing.T) {
	s := vault.NewSecret([]byte("key material"))
	other := s
	var c io.Closer = s
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	require.Nil(t, other.Reveal())
	require.Zero(t, other.Len())
}

func TestEqualComparesBytesAndNeverAcceptsAnEmptySecret(t *testing.T) {
	a, b := vault.NewSecret([]byte("same")), vault.NewSecret([]byte("same"))
	require.True(t, a.Equal(b))
	require.True(t, a.Equal(a))
	require.False(t, a.Equal(vault.NewSecret([]byte("sama"))))
	require.False(t, a.Equal(vault.NewSecret([]byte("same longer"))))
	require.False(t, vault.Secret{}.Equal(vault.Secret{}))
	require.False(t, vault.NewSecret(nil).Equal(vault.NewSecret(nil)))
	b.Wipe()
	require.False(t, a.Equal(b))
}

func TestASecretCannotBeComparedWithEquals(t *testing.T) {
	require.False(t, reflect.TypeFor[vault.Secret]().Comparable())
}

func TestTheZeroSecretIsEmptyAndHarmless(t *testing.T) {
	var s vault.Secret
	require.Nil(t, s.Reveal())
	require.Zero(t, s.Len())
	require.NotPanics(t, s.Wipe)
	require.Equal(t, vault.Mark, s.String())
}

func TestReadersAndAWiperDoNotRace(t *testing.T) {
	s := vault.NewSecret([]byte("0123456789abcdef"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if b := s.Reveal(); b != nil && string(b) != "0123456789abcdef" {
					t.Error("torn read")
				}
			}
		})
	}
	wg.Go(s.Wipe)
	wg.Wait()
	require.Nil(t, s.Reveal())
}
