package seal_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/seal"
)

func TestADataKeyOpensWhatItSealedAndNothingElse(t *testing.T) {
	kek := ring(t, active(keyA))
	sealed, data, err := kek.NewDataKey(row)
	require.NoError(t, err)
	value, err := data.Seal([]byte("finding"), row)
	require.NoError(t, err)

	again, err := kek.OpenDataKey(row, sealed)
	require.NoError(t, err)
	plaintext, err := again.Open(value, row)
	require.NoError(t, err)
	require.Equal(t, "finding", string(plaintext))

	_, err = kek.Open(value, row)
	require.ErrorIs(t, err, seal.ErrKeyID, "the key-encryption key opens no data")
	_, err = kek.OpenDataKey(seal.AAD("mfa/totp", uuid.New(), uuid.Nil), sealed)
	require.ErrorIs(t, err, seal.ErrOpen, "another tenant's key")
	other, _, err := kek.NewDataKey(row)
	require.NoError(t, err)
	foreign, err := kek.OpenDataKey(row, other)
	require.NoError(t, err)
	_, err = foreign.Open(value, row)
	require.ErrorIs(t, err, seal.ErrKeyID, "a key made later")
}

func TestDataKeysRotate(t *testing.T) {
	kek := ring(t, active(keyA))
	first, data, err := kek.NewDataKey(row)
	require.NoError(t, err)
	value, err := data.Seal([]byte("old"), row)
	require.NoError(t, err)
	second, _, err := kek.NewDataKey(row)
	require.NoError(t, err)
	both, err := kek.OpenDataKey(row, second, first)
	require.NoError(t, err)
	plaintext, err := both.Open(value, row)
	require.NoError(t, err)
	require.Equal(t, "old", string(plaintext))
	require.True(t, both.NeedsReseal(value))
	_, err = kek.OpenDataKey(row, second, second)
	require.Error(t, err, "one key twice")
	_, err = kek.OpenDataKey(row, "no key")
	require.ErrorIs(t, err, seal.ErrFormat)
}

func TestAKeyWarnsBeforeItsNoncesRunOut(t *testing.T) {
	seal.SetNonceBudget(t, 10)
	var warned []string
	cfg := active(keyA)
	cfg.Warn = func(kid string) { warned = append(warned, kid) }
	r := ring(t, cfg)
	for i := range 10 {
		require.Equal(t, i >= 5, len(warned) == 1, "after %d values", i)
		_, err := r.Seal([]byte("x"), row)
		require.NoError(t, err)
	}
	for range 3 {
		_, err := r.Seal([]byte("x"), row)
		require.ErrorIs(t, err, seal.ErrExhausted)
	}
	require.Equal(t, []string{r.ActiveKeyID()}, warned)
}

func ExampleRing_NewDataKey() {
	kek, err := seal.New(seal.Config{Active: seal.Key{ID: "kek-2026", Bytes: []byte("0123456789abcdef0123456789abcdef")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	tenant := seal.AAD("tenant/data-key", uuid.MustParse("11111111-1111-4111-8111-111111111111"), uuid.Nil)
	sealed, data, err := kek.NewDataKey(tenant) // store sealed in the tenant's row
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := data.Seal([]byte("note"), tenant)

	data, _ = kek.OpenDataKey(tenant, sealed) // after a restart
	note, err := data.Open(text, tenant)
	fmt.Printf("%s %v\n", note, err)
	// Output: note <nil>
}
