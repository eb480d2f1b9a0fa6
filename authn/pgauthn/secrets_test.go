package pgauthn_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base32"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

// enc is the document's form: $enc$<base64(nonce ‖ ciphertext ‖ tag)> over the base32 text, without associated data.
func enc(t *testing.T, key []byte, text string) string {
	t.Helper()
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	return "$enc$" + base64.StdEncoding.EncodeToString(gcm.Seal(nil, nil, []byte(text), nil))
}

func TestMigrateSecrets(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tenant, by, _ := w.staff(t)
	oldKey, otherKey := bytes.Repeat([]byte("o"), seal.KeySize), bytes.Repeat([]byte("x"), seal.KeySize)
	ring, err := seal.New(seal.Config{
		Active: seal.Key{Bytes: bytes.Repeat([]byte("k"), seal.KeySize)}, Old: []seal.Key{{Bytes: oldKey}}, ReadLegacy: true,
	})
	require.NoError(t, err)
	old, err := seal.New(seal.Config{Active: seal.Key{Bytes: oldKey}})
	require.NoError(t, err)
	cfg := w.cfg
	cfg.Seal = ring
	store, err := pgauthn.New(cfg)
	require.NoError(t, err)

	secret := bytes.Repeat([]byte{7}, 20)
	text := base32.StdEncoding.EncodeToString(secret)
	add := func(t *testing.T, stored func(user uuid.UUID) string) uuid.UUID {
		t.Helper()
		id, err := w.CreateUser(ctx, by, tenant, pgauthn.NewUser{Email: uuid.NewString() + "@x.de", Role: "Technician"})
		require.NoError(t, err)
		w.exec(t, `INSERT INTO tomkit.user_totp (tenant_id, user_id, secret, last_step, created_at) VALUES ($1, $2, $3, 41, now())`, tenant, id, stored(id))
		return id
	}
	users := []uuid.UUID{
		add(t, func(uuid.UUID) string { return text }),
		add(t, func(uuid.UUID) string { return strings.ToLower(text[:4]) + " " + text[4:] }),
		add(t, func(uuid.UUID) string { return enc(t, oldKey, text) }),
		add(t, func(user uuid.UUID) string {
			sealed, err := old.Seal(secret, authn.SecretAAD(tenant, user))
			require.NoError(t, err)
			return sealed
		}),
		add(t, func(user uuid.UUID) string {
			sealed, err := ring.Seal(secret, authn.SecretAAD(tenant, user))
			require.NoError(t, err)
			return sealed
		}),
	}

	t.Run("eight processes migrate each secret once", func(t *testing.T) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		total := 0
		for range 8 {
			wg.Go(func() {
				m, err := store.MigrateSecrets(ctx)
				mu.Lock()
				defer mu.Unlock()
				total += m.Resealed
				if err != nil || m.Unreadable != 0 {
					t.Error(m, err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 4, total)
	})
	t.Run("all open in their own row and keep the last step", func(t *testing.T) {
		for _, user := range users {
			f, err := store.TOTP(ctx, tenant, user)
			require.NoError(t, err)
			require.False(t, ring.NeedsReseal(f.Sealed))
			require.EqualValues(t, 41, f.LastStep)
			opened, err := ring.Open(f.Sealed, authn.SecretAAD(tenant, user))
			require.NoError(t, err)
			require.Equal(t, secret, opened)
		}
	})
	t.Run("again there is nothing to do", func(t *testing.T) {
		m, err := store.MigrateSecrets(ctx)
		require.NoError(t, err)
		require.Zero(t, m)
	})
	t.Run("what no key opens stays and is counted", func(t *testing.T) {
		bad := []string{enc(t, otherKey, text), "short", enc(t, oldKey, "not base32!"), "$enc3$future"}
		for _, stored := range bad {
			user := add(t, func(uuid.UUID) string { return stored })
			m, err := store.MigrateSecrets(ctx)
			require.ErrorIs(t, err, pgauthn.ErrUnreadable)
			require.NotContains(t, err.Error(), stored)
			require.Equal(t, pgauthn.Migrated{Unreadable: 1}, m)
			f, err := store.TOTP(ctx, tenant, user)
			require.NoError(t, err)
			require.Equal(t, stored, f.Sealed)
			w.exec(t, `DELETE FROM tomkit.user_totp WHERE user_id = $1`, user)
		}
	})
	t.Run("more than a page is migrated", func(t *testing.T) {
		w.exec(t, `WITH u AS (
				INSERT INTO tomkit.users (tenant_id, id, email, role_id, created_at)
				SELECT $1, gen_random_uuid(), 'u' || n || '@many.example', (SELECT id FROM tomkit.roles WHERE tenant_id = $1 AND name = 'Technician'), now()
				FROM generate_series(1, 1100) n RETURNING id)
			INSERT INTO tomkit.user_totp (tenant_id, user_id, secret, created_at) SELECT $1, id, $2, now() FROM u`, tenant, text)
		m, err := store.MigrateSecrets(ctx)
		require.NoError(t, err)
		require.Equal(t, 1100, m.Resealed)
	})
}

func TestSweep(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	tenant, user := w.fill(t)
	now := time.Now()
	later := func(d time.Duration) *pgauthn.Store {
		cfg := w.cfg
		cfg.Now = func() time.Time { return now.Add(d) }
		s, err := pgauthn.New(cfg)
		require.NoError(t, err)
		return s
	}
	trusted := authn.CounterKey{2}
	require.NoError(t, w.Count(ctx, tenant, []authn.CounterKey{trusted}, func(c []authn.Counter) error {
		c[0] = authn.Counter{LastAt: now, TrustedUntil: now.Add(30 * 24 * time.Hour)}
		return nil
	}))
	swept, err := w.Sweep(ctx)
	require.NoError(t, err)
	require.Zero(t, swept)
	swept, err = later(49 * time.Hour).Sweep(ctx)
	require.NoError(t, err)
	require.Equal(t, pgauthn.Swept{Steps: 1, Counters: 1}, swept)
	swept, err = later(33 * 24 * time.Hour).Sweep(ctx)
	require.NoError(t, err)
	require.Equal(t, pgauthn.Swept{Sessions: 1, Counters: 1}, swept)
	_, err = w.User(ctx, tenant, user)
	require.NoError(t, err)
}
