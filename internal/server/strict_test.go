package server_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/server"
)

func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":[true,null,"x"]}`, `{"a":1,"a":2}`, `{"A":1}`, `{} {}`, `[1 2]`, `{"a" 1}`, `{"a":1,}`, `"\ud800"`, "\"\xff\"", `[[[[]]]]`, ``, `1e999`, "\ufeff{}", `{"":0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if server.CheckJSON(data) != nil {
			return
		}
		require.True(t, json.Valid(data), "accepted what is no JSON")
		require.True(t, utf8.Valid(data), "accepted what is no text")
		var v any
		if json.Unmarshal(data, &v) != nil {
			return // numbers out of range: the next reader refuses them
		}
		again, err := json.Marshal(v)
		require.NoError(t, err)
		require.NoError(t, server.CheckJSON(again), "one reading loses something")
		require.Equal(t, names(t, data), names(t, again), "a reader drops names")
	})
}

// names counts the names in a document as they stand in its text.
func names(t *testing.T, data []byte) (n int) {
	t.Helper()
	var walk func(json.RawMessage)
	walk = func(raw json.RawMessage) {
		var list []json.RawMessage
		var object map[string]json.RawMessage
		switch {
		case json.Unmarshal(raw, &object) == nil:
			n += len(object)
			for _, member := range object {
				walk(member)
			}
		case json.Unmarshal(raw, &list) == nil:
			for _, member := range list {
				walk(member)
			}
		}
	}
	walk(data)
	return n
}
