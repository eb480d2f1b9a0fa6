package stackit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/wire"
)

const fuzzID = "0b6f1b7e-4f2f-4a53-9d52-a8f1d5b5d0c1"

// FuzzAnswers gives everything that reads an answer of the management plane the same bytes.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"id":"` + fuzzID + `","name":"n","state":"Active","apiUrl":"https://vault","secretsEngine":"m","secretCount":3}`,
		`{"users":[{"id":"` + fuzzID + `","description":"d","username":"u","password":"p","write":false}]}`,
		`{"id":"` + fuzzID + `","description":"d","username":"u","password":null,"write":true}`,
		`{"access_token":"eyJhIjoxfQ.eyJleHAiOjF9.x","expires_in":600,"token_type":"bearer"}`,
		`{"message":"no"}`,
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
		if i, err := decodeInstance(parse(), fuzzID); err == nil {
			require.Equal(t, fuzzID, i.ID)
		}
		if users, err := decodeUsers(parse()); err == nil {
			for _, u := range users {
				require.True(t, isUUID(u.ID))
				require.Zero(t, u.Password.Len())
			}
		}
		if u, err := decodeUser(parse()); err == nil {
			require.True(t, isUUID(u.ID))
		}
		if token, lifetime, err := decodeToken(parse(), time.Unix(0, 0)); err == nil {
			require.Positive(t, token.Len())
			require.LessOrEqual(t, lifetime, time.Duration(1<<63-1))
		}
	})
}
