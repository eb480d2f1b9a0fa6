package vault_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
)

func key256(fill byte) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(fill)), 32)))
}

// fixed is a source with given texts.
func fixed(values map[vault.Key]string) vault.Source {
	return vault.SourceFunc(func(context.Context, []vault.Key) (*vault.Snapshot, error) {
		m := map[vault.Key]vault.Secret{}
		for k, v := range values {
			m[k] = vault.NewSecret([]byte(v))
		}
		return vault.NewSnapshot(m), nil
	})
}

func complete() map[vault.Key]string {
	return map[vault.Key]string{
		vault.MFAKey: key256('a'), vault.JWTSeed: key256('b'), vault.LedgerKEK: key256('c'), vault.ContextMACKey: key256('d'),
	}
}

func TestTheNamesAreThoseOfTheContract(t *testing.T) {
	keys := vault.DefaultManifest().Keys()
	require.Equal(t, []vault.Key{"MFA_ENCRYPTION_KEY", "JWT_ED25519_SEED", "LEDGER_KEK", "CONTEXT_MAC_KEY", "PASSWORD_PEPPER"}, keys[:5])
	require.Contains(t, keys, vault.Key("STACKIT_LLM_TOKEN"))
}

func TestLoadDecodesKeys(t *testing.T) {
	values := complete()
	values[vault.RedisPassword] = "p4ss word"
	s, err := vault.DefaultManifest().Load(t.Context(), fixed(values))
	require.NoError(t, err)
	mfa, ok := s.Secret(vault.MFAKey)
	require.True(t, ok)
	require.Equal(t, strings.Repeat("a", 32), string(mfa.Reveal()))
	redis, ok := s.Secret(vault.RedisPassword)
	require.True(t, ok)
	require.Equal(t, "p4ss word", string(redis.Reveal()))
	_, ok = s.Secret(vault.PasswordPepper)
	require.False(t, ok, "optional and absent")
	s.Wipe()
	require.Nil(t, mfa.Reveal())
}

func TestLoadWipesWhatTheSourceSent(t *testing.T) {
	sent := map[vault.Key]vault.Secret{}
	for k, v := range complete() {
		sent[k] = vault.NewSecret([]byte(v))
	}
	src := vault.SourceFunc(func(context.Context, []vault.Key) (*vault.Snapshot, error) { return vault.NewSnapshot(sent), nil })
	_, err := vault.DefaultManifest().Load(t.Context(), src)
	require.NoError(t, err)
	for _, s := range sent {
		require.Zero(t, s.Len())
	}
}

func TestLoadRefusesUnusableValuesAndNamesOnlyKeys(t *testing.T) {
	unusable := map[string]string{
		"hexadecimal":              strings.Repeat("ab", 32),
		"31 bytes":                 base64.StdEncoding.EncodeToString(make([]byte, 31)),
		"33 bytes":                 base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 33))),
		"all zero":                 base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"without padding":          strings.TrimRight(key256('a'), "="),
		"a trailing line break":    key256('a') + "\n",
		"an inner line break":      key256('a')[:43] + "\n",
		"trailing bits":            key256('a')[:42] + "B=",
		"URL alphabet":             strings.Repeat("_", 43) + "=",
		"raw bytes":                strings.Repeat("x", 32),
		"a value that looks right": key256('a')[:40] + "====",
	}
	for name, v := range unusable {
		t.Run(name, func(t *testing.T) {
			values := complete()
			values[vault.JWTSeed] = v
			s, err := vault.DefaultManifest().Load(t.Context(), fixed(values))
			require.Nil(t, s)
			require.ErrorIs(t, err, vault.ErrIncomplete)
			var m *vault.ManifestError
			require.ErrorAs(t, err, &m)
			require.Equal(t, []vault.Key{vault.JWTSeed}, m.Malformed)
			require.Equal(t, "vault: load: malformed JWT_ED25519_SEED", err.Error())
		})
	}
}

func TestLoadNamesEveryProblemAtOnce(t *testing.T) {
	values := complete()
	delete(values, vault.MFAKey)
	values[vault.LedgerKEK] = ""
	values[vault.PasswordPepper] = "short" // optional, but there
	values[vault.RedisPassword] = " padded"
	_, err := vault.DefaultManifest().Load(t.Context(), fixed(values))
	require.EqualError(t, err, "vault: load: missing MFA_ENCRYPTION_KEY empty LEDGER_KEK malformed PASSWORD_PEPPER REDIS_PASSWORD")
}

func TestTextRefusesControlCharactersAndLength(t *testing.T) {
	m := vault.Manifest{{Key: "T", Format: vault.Text}}
	for _, bad := range []string{"a\nb", "a\x00", "ä", "a ", " a", strings.Repeat("x", 4097)} {
		_, err := m.Load(t.Context(), fixed(map[vault.Key]string{"T": bad}))
		require.ErrorIs(t, err, vault.ErrIncomplete)
	}
	_, err := m.Load(t.Context(), fixed(map[vault.Key]string{"T": strings.Repeat("x", 4096)}))
	require.NoError(t, err)
}

func TestRequireMakesOptionalSecretsMandatory(t *testing.T) {
	base := vault.DefaultManifest()
	m := base.Require(vault.DatabaseAppPassword, "OWN_TOKEN")
	_, err := m.Load(t.Context(), fixed(complete()))
	require.EqualError(t, err, "vault: load: missing DATABASE_APP_PASSWORD OWN_TOKEN")
	_, err = base.Load(t.Context(), fixed(complete()))
	require.NoError(t, err, "the original is unchanged")
}

func TestLoadFailsWithItsSource(t *testing.T) {
	broken := errors.New("plane down")
	_, err := vault.DefaultManifest().Load(t.Context(), vault.SourceFunc(func(context.Context, []vault.Key) (*vault.Snapshot, error) {
		return nil, broken
	}))
	require.ErrorIs(t, err, broken)
	_, err = vault.DefaultManifest().Load(t.Context(), nil)
	require.Error(t, err)
	_, err = vault.DefaultManifest().Load(t.Context(), vault.SourceFunc(func(context.Context, []vault.Key) (*vault.Snapshot, error) {
		return nil, nil
	}))
	require.ErrorIs(t, err, vault.ErrIncomplete)
}

func TestAManifestThatMakesNoSenseIsRefused(t *testing.T) {
	for _, m := range []vault.Manifest{
		{{Key: ""}}, {{Key: "A"}, {Key: "A"}}, {{Key: "A", Format: 9}}, {{Key: "A\"B"}}, {{Key: vault.Key(strings.Repeat("A", 129))}},
	} {
		_, err := m.Load(t.Context(), fixed(nil))
		require.Error(t, err)
		require.NotErrorIs(t, err, vault.ErrIncomplete)
	}
}

func ExampleManifest_Load() {
	source := vault.SourceFunc(func(context.Context, []vault.Key) (*vault.Snapshot, error) {
		return vault.NewSnapshot(map[vault.Key]vault.Secret{
			"SIGNING_KEY": vault.NewSecret([]byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")),
		}), nil
	})
	manifest := vault.Manifest{{Key: "SIGNING_KEY"}, {Key: "TOKEN", Format: vault.Text, Optional: true}}
	secrets, err := manifest.Load(context.Background(), source)
	if err != nil {
		fmt.Println("not starting:", err)
		return
	}
	key, _ := secrets.Secret("SIGNING_KEY")
	fmt.Println(key, "of", key.Len(), "bytes")

	_, err = manifest.Require("TOKEN").Load(context.Background(), source)
	fmt.Println("not starting:", err)
	// Output:
	// [secret] of 32 bytes
	// not starting: vault: load: missing TOKEN
}

func key256Text(raw string) string { return base64.StdEncoding.EncodeToString([]byte(raw)) }
