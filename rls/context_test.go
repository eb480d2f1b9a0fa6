package rls_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
)

func TestContextText(t *testing.T) {
	key := rls.ContextKey{ID: "k-1_x", Key: []byte(strings.Repeat("k", 32))}
	at := time.Unix(1_700_000_000, 999)
	id := uuid.MustParse("0f0e0d0c-0b0a-4908-8706-050403020100")
	have := rls.SignContext(rls.Config{ContextKey: key, Now: func() time.Time { return at }}, 't', id)
	const text = "1.t.0f0e0d0c-0b0a-4908-8706-050403020100.1700000060.k-1_x"
	mac := hmac.New(sha256.New, key.Key)
	mac.Write([]byte(text))
	require.Equal(t, text+"."+hex.EncodeToString(mac.Sum(nil)), have)
}

// FuzzContext holds that whatever key, id and time, a context has six fields, of which the last authenticates the rest,
// and that no two inputs share one.
func FuzzContext(f *testing.F) {
	f.Add("k", []byte("0123456789abcdef0123456789abcdef"), []byte("0123456789abcdef"), int64(1_700_000_000), true)
	f.Add("a_-9", []byte("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"), []byte{}, int64(0), false)
	f.Fuzz(func(t *testing.T, keyID string, keyBytes, idBytes []byte, unix int64, msp bool) {
		key := rls.ContextKey{ID: keyID, Key: keyBytes}
		if rls.ValidKey(key) != nil || unix < 0 || unix > 1<<40 {
			return
		}
		var id uuid.UUID
		copy(id[:], idBytes)
		kind := byte('t')
		if msp {
			kind = 'm'
		}
		text := rls.SignContext(rls.Config{ContextKey: key, Now: func() time.Time { return time.Unix(unix, 0) }}, kind, id)
		fields := strings.Split(text, ".")
		require.Len(t, fields, 6)
		require.Equal(t, []string{"1", string(kind), id.String(), strconv.FormatInt(unix+60, 10), keyID}, fields[:5])
		mac := hmac.New(sha256.New, keyBytes)
		mac.Write([]byte(strings.Join(fields[:5], ".")))
		require.Equal(t, hex.EncodeToString(mac.Sum(nil)), fields[5])
	})
}

// BenchmarkContext measures making a context, which every scoped call does.
func BenchmarkContext(b *testing.B) {
	sign := rls.Signer(rls.Config{ContextKey: rls.ContextKey{ID: "k1", Key: make([]byte, 32)}, Now: time.Now})
	id := uuid.New()
	b.ReportAllocs()
	for b.Loop() {
		sign(id)
	}
}
