package kv

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// FuzzAnswers gives everything that reads an answer the same bytes. Whatever is accepted keeps what the types promise.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"data":{"data":{"a":"b"},"metadata":{"version":1,"created_time":"2026-03-01T08:00:00Z","deletion_time":"","destroyed":false}}}`,
		`{"data":{"data":null,"metadata":{"version":1,"created_time":"2026-03-01T08:00:00Z","deletion_time":"2026-03-01T08:00:00Z","destroyed":true}}}`,
		`{"data":{"keys":["a","b/","../c"]}}`,
		`{"data":{"current_version":1,"oldest_version":0,"updated_time":"2026-03-01T08:00:00Z","versions":{"1":{"created_time":"2026-03-01T08:00:00Z","deletion_time":"","destroyed":false}}}}`,
		`{"auth":{"client_token":"hvs.x","lease_duration":900,"renewable":true}}`,
		`{"errors":[]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		parse := func() *wire.Object { // anew for each, since reading marks what was read
			o, _ := wire.Parse(append([]byte(nil), data...), wire.Config{})
			return o
		}
		if parse() == nil {
			return // no document
		}
		if e, err := decodeEntry(parse(), "p"); err == nil {
			require.Positive(t, e.Number)
			for _, name := range e.Fields() {
				_, ok := e.Field(name)
				require.True(t, ok)
			}
			e.Wipe()
		}
		if keys, err := decodeKeys(parse()); err == nil {
			for _, key := range keys {
				_, err := splitFolder(key)
				require.NoError(t, err)
			}
		}
		if m, err := decodeMetadata(parse(), "p"); err == nil {
			for i, v := range m.Versions {
				require.Positive(t, v.Number)
				require.True(t, i == 0 || v.Number > m.Versions[i-1].Number)
			}
		}
		auth := parse().Object("auth")
		if raw := auth.Bytes("client_token"); validToken(raw) {
			s := vault.NewSecret(raw)
			require.Positive(t, s.Len())
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"a", "a/b", "../a", "a//b", "a\x00", "ä/\u202e", "a/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		segments, err := split(path)
		if err != nil {
			require.ErrorIs(t, err, ErrPath)
			return
		}
		for _, segment := range segments {
			require.NotContains(t, []string{"", ".", ".."}, segment)
			require.NotContains(t, segment, "/")
		}
	})
}
