package rls_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
)

// expected makes a context by the definition: the block is HKDF-SHA-512 of the key, the MAC SHA-256 of block and message.
func expected(t testing.TB, key rls.ContextKey, kind byte, id uuid.UUID, expiry int64) string {
	block, err := hkdf.Key(sha512.New, key.Key, nil, "tomkit/context/v1/"+string(kind)+"/"+key.ID, 64)
	require.NoError(t, err)
	message := fmt.Sprintf(".%s.%010d", id, expiry)
	return fmt.Sprintf("%x%s", sha256.Sum256(append(block, message...)), message)
}

func TestContextText(t *testing.T) {
	key := rls.ContextKey{ID: "k-1_x", Key: []byte(strings.Repeat("k", 32))}
	at := time.Unix(1_700_000_000, 999)
	id := uuid.MustParse("0f0e0d0c-0b0a-4908-8706-050403020100")
	sign := rls.Signer(rls.Config{ContextKey: key, Now: func() time.Time { return at }})
	const message = ".0f0e0d0c-0b0a-4908-8706-050403020100.1700000060"
	const tenant = "0fd80e78ba16fcf14c6fb519cd7cc072687116104c496f460e9b84bcb5d915b9"
	const msp = "17f6795ce3cbe0cc65984cbb1d14c849fd0e1a9993e6b08310f547656a77422a"
	require.Equal(t, tenant+message, sign('t', id))
	require.Equal(t, msp+message, sign('m', id))
	require.Equal(t, sign('t', id), expected(t, key, 't', id, 1_700_000_060))
}

// FuzzContext holds that whatever key, id and time, a context is what its definition says, and always of one length.
func FuzzContext(f *testing.F) {
	f.Add("k", []byte("0123456789abcdef0123456789abcdef"), []byte("0123456789abcdef"), int64(1_700_000_000), true)
	f.Add("a_-9", []byte("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"), []byte{}, int64(0), false)
	f.Fuzz(func(t *testing.T, keyID string, keyBytes, idBytes []byte, unix int64, msp bool) {
		key := rls.ContextKey{ID: keyID, Key: keyBytes}
		if rls.ValidKey(key) != nil || unix < 0 || unix+60 > 9_999_999_999 {
			return
		}
		var id uuid.UUID
		copy(id[:], idBytes)
		kind := byte('t')
		if msp {
			kind = 'm'
		}
		text := rls.Signer(rls.Config{ContextKey: key, Now: func() time.Time { return time.Unix(unix, 0) }})(kind, id)
		require.Len(t, text, 112)
		require.Equal(t, expected(t, key, kind, id, unix+60), text)
	})
}

// BenchmarkContext measures making a context, which every scoped call does.
func BenchmarkContext(b *testing.B) {
	sign := rls.Signer(rls.Config{ContextKey: rls.ContextKey{ID: "k1", Key: make([]byte, 32)}, Now: time.Now})
	id := uuid.New()
	b.ReportAllocs()
	for b.Loop() {
		sign('t', id)
	}
}
