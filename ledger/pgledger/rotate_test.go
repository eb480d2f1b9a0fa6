package pgledger_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

// keyOf returns the present key of a purpose.
func keyOf(t testing.TB, h *verify.KeyHistory, p verify.Purpose) sign.KeyID {
	t.Helper()
	for i := range h.Keys {
		if h.Keys[i].Purpose == p && h.Keys[i].Until == 0 {
			return h.Keys[i].ID()
		}
	}
	t.Fatal("no such key")
	return sign.KeyID{}
}

func TestKeyDrill(t *testing.T) {
	k := newKit(t)
	other := k.open(t, config()) // another process, which is not told
	tenant := uuid.New()
	k.fill(t, tenant, 20)
	_, err := other.Append(t.Context(), approval(tenant, 1))
	require.NoError(t, err)
	r, err := k.log.Append(t.Context(), login(tenant, 1))
	require.NoError(t, err)
	receipt, err := k.waitFor(t, r)
	require.NoError(t, err)
	first, err := k.log.KeyHistory(t.Context(), tenant)
	require.NoError(t, err)
	require.Len(t, first.Keys, 3)

	var last pgledger.KeyChange
	for i := range 2 { // to three keys of each purpose
		last, err = k.log.RotateKeys(t.Context(), tenant, pgledger.Rotation{})
		require.NoError(t, err)
		require.Len(t, last.History.Keys, 6+3*i)
		k.fill(t, tenant, 300)
	}
	t.Run("another process signs with the new keys at once", func(t *testing.T) {
		_, err := other.Append(t.Context(), approval(tenant, 2))
		require.NoError(t, err)
		require.Equal(t, keyOf(t, last.History, verify.PurposeEntry).String(), k.signedWith(t, tenant))
		note, err := other.Checkpoint(t.Context(), tenant)
		require.NoError(t, err)
		_, err = verify.OpenCheckpoint(note, last.History)
		require.NoError(t, err)
		_, err = verify.OpenCheckpoint(note, first)
		require.ErrorIs(t, err, verify.ErrUnsigned)
	})
	t.Run("the old private keys are destroyed", func(t *testing.T) {
		var n, left int
		require.NoError(t, k.pg.Superuser(t).QueryRow(t.Context(),
			`SELECT count(*), count(*) FILTER (WHERE sealed <> '') FROM tomkit.ledger_keys WHERE tenant_id = $1`, tenant).Scan(&n, &left))
		require.Equal(t, 9, n)
		require.Equal(t, 3, left)
	})
	dir, size := exportDir(t, k.log, tenant, pgledger.ExportOptions{})
	t.Run("a verifier pinned on the first history follows", func(t *testing.T) {
		report := verifyDir(t, dir, verify.Config{Keys: first, Receipts: []*verify.Receipt{receipt}})
		require.True(t, report.Intact(), "%+v", report.Findings)
		require.Equal(t, size, report.Entries)
		report, err := other.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{Receipts: []*verify.Receipt{receipt}})
		require.NoError(t, err)
		require.True(t, report.Intact(), "%+v", report.Findings)
	})

	stolen := keyOf(t, last.History, verify.PurposeEntry)
	t.Run("a compromise needs two approvers, and a key of the log", func(t *testing.T) {
		one := uuid.New()
		for _, r := range []pgledger.Rotation{
			{Compromised: []sign.KeyID{stolen}},
			{Compromised: []sign.KeyID{stolen}, Approvers: [2]uuid.UUID{one, one}},
			{Compromised: []sign.KeyID{{1}}, Approvers: [2]uuid.UUID{one, uuid.New()}},
			{Reason: verify.ReasonCompromise, Approvers: [2]uuid.UUID{one, uuid.New()}},
			{Reason: "Frau Müller ging"},
		} {
			_, err := k.log.RotateKeys(t.Context(), tenant, r)
			require.ErrorIs(t, err, ledger.ErrInvalid)
		}
	})
	after, err := k.log.RotateKeys(t.Context(), tenant, pgledger.Rotation{
		Compromised: []sign.KeyID{stolen}, Approvers: [2]uuid.UUID{uuid.New(), uuid.New()}})
	require.NoError(t, err)
	_, err = other.Append(t.Context(), approval(tenant, 3))
	require.NoError(t, err)
	dir, _ = exportDir(t, k.log, tenant, pgledger.ExportOptions{})
	t.Run("a verifier pinned on the history after a compromise says it is intact", func(t *testing.T) {
		report := verifyDir(t, dir, verify.Config{Keys: after.History})
		require.True(t, report.Intact(), "%+v", report.Findings)
		marked := false
		for _, use := range report.Keys {
			marked = marked || use.ID == stolen.String() && use.Compromised
		}
		require.True(t, marked)
	})
	t.Run("one pinned before does not believe the new keys", func(t *testing.T) {
		report := verifyDir(t, dir, verify.Config{Keys: last.History})
		require.False(t, report.Intact())
	})
	t.Run("the history can be marshalled and tells of the compromise", func(t *testing.T) {
		text, err := after.History.Marshal()
		require.NoError(t, err)
		again, err := verify.ParseKeys(text)
		require.NoError(t, err)
		require.Equal(t, len(after.History.Keys), len(again.Keys))
		require.Contains(t, string(text), `"compromised": true`)
	})
}

func TestKeysChangeWhileEverybodyWrites(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 5)
	logs := []*pgledger.Log{k.log, k.open(t, config())}
	var writers sync.WaitGroup
	for i, log := range logs {
		writers.Go(func() {
			for n := range 30 {
				if _, err := log.Append(context.Background(), approval(tenant, 100*i+n)); err != nil {
					t.Error(err)
				}
				if _, err := log.Checkpoint(context.Background(), tenant); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 4 {
		if _, err := k.log.RotateKeys(t.Context(), tenant, pgledger.Rotation{}); err != nil {
			t.Error(err)
		}
	}
	writers.Wait()
	requireIntact(t, k.log, tenant, 6+60+4)
	for _, log := range logs {
		h, err := log.KeyHistory(t.Context(), tenant)
		require.NoError(t, err)
		require.Len(t, h.Keys, 15)
	}
}

func TestAnInjectedRotation(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 2)
	const sql = `SELECT tomkit.ledger_rotate($1, $2, sha256(''), 1, sha256('') || sha256(''), sha256('') || sha256(''), 'x', '{}', '{}', '{}', '{}', '{}')`
	_, err := k.db.Tenant(tenant).Exec(t.Context(), sql, tenant, 2)
	requireState(t, err, "TKL02")
	_, err = k.db.Tenant(uuid.New()).Exec(t.Context(), sql, tenant, 2)
	requireState(t, err, denied)
	for name, call := range map[string]string{
		"recover":  `SELECT tomkit.ledger_recover($1, 2, sha256(''), 1, 'x')`,
		"close":    `SELECT tomkit.ledger_close($1, 2, sha256(''), now())`,
		"reseal":   `SELECT tomkit.ledger_reseal($1, 1, sha256(''), '{entry}', '{a}', '{b}')`,
		"anchored": `SELECT tomkit.ledger_anchored($1, 2, sha256(''), 'x', '', '', now())`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := k.db.Tenant(tenant).Exec(t.Context(), call, tenant)
			requireState(t, err, "TKL02")
			_, err = k.db.Tenant(uuid.New()).Exec(t.Context(), call, tenant)
			requireState(t, err, denied)
			for _, role := range []string{rls.RoleMSP, rls.RoleBackup, rls.RoleMigrator} {
				_, err := k.pg.Pool(t, role).Exec(t.Context(), call, tenant)
				requireState(t, err, denied)
			}
		})
	}
	_, err = k.db.Tenant(tenant).Exec(t.Context(), `SELECT tomkit.ledger_purge($1, $1, 0, 10)`, tenant)
	requireState(t, err, denied)
	_, err = k.pg.Pool(t, rls.RoleMigrator).Exec(t.Context(), `SELECT tomkit.ledger_purge($1, $2, 0, 10)`, tenant, uuid.New())
	requireState(t, err, "TKL09")
}

func TestReseal(t *testing.T) {
	key := func(n byte) seal.Key {
		b := make([]byte, 32)
		b[0] = n
		return seal.Key{Bytes: b}
	}
	ring := func(active seal.Key, old ...seal.Key) *seal.Ring {
		r, err := seal.New(seal.Config{Active: active, Old: old})
		require.NoError(t, err)
		return r
	}
	k := newKit(t)
	with := func(r *seal.Ring) *pgledger.Log {
		return k.open(t, pgledger.Config{Domain: "log.example.org", Sealer: r})
	}
	before := with(ring(key(1)))
	tenants := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	for i, tenant := range tenants {
		_, err := before.Append(t.Context(), approval(tenant, i))
		require.NoError(t, err)
	}
	_, err := before.RotateKeys(t.Context(), tenants[0], pgledger.Rotation{})
	require.NoError(t, err)

	both := with(ring(key(2), key(1)))
	var told []string
	done, err := both.Reseal(t.Context(), pgledger.ResealOptions{Progress: func(_ uuid.UUID, n int) { told = append(told, fmt.Sprint(n)) }})
	require.NoError(t, err)
	require.Equal(t, pgledger.Resealed{Logs: 3, Keys: 12}, done)
	require.Equal(t, []string{"1", "2", "3"}, told)
	again, err := both.Reseal(t.Context(), pgledger.ResealOptions{})
	require.NoError(t, err)
	require.Equal(t, pgledger.Resealed{Logs: 3}, again)

	alone := with(ring(key(2))) // the earlier key is forgotten
	for i, tenant := range tenants {
		_, err := alone.Append(t.Context(), approval(tenant, i))
		require.NoError(t, err)
		_, err = alone.Checkpoint(t.Context(), tenant)
		require.NoError(t, err)
	}
	_, err = with(ring(key(1))).Append(t.Context(), approval(tenants[1], 9))
	require.Error(t, err)
}
