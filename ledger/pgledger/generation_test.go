package pgledger_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/rls"
)

// replaceEntryKey gives a log another entry key behind its writers' backs and returns the key's id.
func (k kit) replaceEntryKey(t *testing.T, tenant uuid.UUID) string {
	t.Helper()
	head, err := k.log.Head(t.Context(), tenant)
	require.NoError(t, err)
	key, err := sign.NewCompositeKey(rand.Reader)
	require.NoError(t, err)
	sealed, err := newSealer().Seal(key.Seed(), append([]byte("ledger/entry\x00"), tenant[:]...))
	require.NoError(t, err)
	id := key.Public().ID().String()
	k.tamper(t, `INSERT INTO tomkit.ledger_keys VALUES ($1, 'entry', $2, $3, $4, $5, now())`,
		tenant, int64(head.Size), id, key.Public().Bytes(), sealed)
	k.tamper(t, `UPDATE tomkit.ledger_heads SET generation = generation + 1 WHERE tenant_id = $1`, tenant)
	return id
}

// signedWith returns the key of the newest entry's signature.
func (k kit) signedWith(t *testing.T, tenant uuid.UUID) (key string) {
	t.Helper()
	require.NoError(t, k.db.Tenant(tenant).QueryRow(t.Context(),
		`SELECT signature_key FROM tomkit.audit_logs WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1`, tenant).Scan(&key))
	return key
}

func TestReplacedKeysAreReadAgain(t *testing.T) {
	k := newKit(t)
	k.business(t)
	tenant := uuid.New()
	k.fill(t, tenant, 4)
	for name, write := range map[string]func() error{
		"by Append": func() error { _, err := k.log.Append(t.Context(), approval(tenant, 1)); return err },
		"by RecordTx": func() error {
			return k.db.Tenant(tenant).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO public.business DEFAULT VALUES`); err != nil {
					return err
				}
				return k.log.RecordTx(ctx, tx, approval(tenant, 2))
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			old := k.signedWith(t, tenant)
			id := k.replaceEntryKey(t, tenant)
			require.NotEqual(t, old, id)
			require.NoError(t, write(), "signed with the old key, refused, signed with the new one")
			require.Equal(t, id, k.signedWith(t, tenant))
		})
	}
}

func TestAClosedLogTakesNoEntry(t *testing.T) {
	k := newKit(t)
	k.business(t)
	tenant := uuid.New()
	k.fill(t, tenant, 2)
	k.tamper(t, `UPDATE tomkit.ledger_heads SET closed_at = now() WHERE tenant_id = $1`, tenant)
	for name, log := range map[string]*pgledger.Log{"a writer that knows the head": k.log, "a new process": k.open(t, config())} {
		t.Run(name, func(t *testing.T) {
			_, err := log.Append(t.Context(), system(tenant, 1))
			require.ErrorIs(t, err, ledger.ErrLogClosed)
			err = k.db.Tenant(tenant).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO public.business DEFAULT VALUES`); err != nil {
					return err
				}
				return log.RecordTx(ctx, tx, system(tenant, 1))
			})
			require.ErrorIs(t, err, ledger.ErrLogClosed)
		})
	}
	require.Zero(t, k.rows(t))
	requireIntact(t, k.log, tenant, 3)
}

func TestStatementsBehindAnEntry(t *testing.T) {
	k := newKit(t)
	k.business(t)
	tenant := uuid.New()
	k.fill(t, tenant, 2)
	also := func(seq *uint64, failure error) func(*pgx.Batch, uint64, int) error {
		return func(b *pgx.Batch, at uint64, generation int) error {
			*seq = at
			b.Queue(`INSERT INTO public.business (n) VALUES ($1)`, int(at))
			return failure
		}
	}
	var seq uint64
	require.NoError(t, k.log.AppendAlso(t.Context(), approval(tenant, 1), also(&seq, nil)))
	require.EqualValues(t, 3, seq)
	require.Equal(t, 1, k.rows(t))
	t.Run("are queued again when the head was stale", func(t *testing.T) {
		_, err := k.open(t, config()).Append(t.Context(), system(tenant, 1))
		require.NoError(t, err)
		require.NoError(t, k.log.AppendAlso(t.Context(), approval(tenant, 2), also(&seq, nil)))
		require.EqualValues(t, 5, seq)
		require.Equal(t, 2, k.rows(t))
	})
	t.Run("take the entry with them when they fail", func(t *testing.T) {
		failure := errors.New("no")
		require.ErrorIs(t, k.log.AppendAlso(t.Context(), approval(tenant, 3), also(&seq, failure)), failure)
		err := k.log.AppendAlso(t.Context(), approval(tenant, 3), func(b *pgx.Batch, _ uint64, _ int) error {
			b.Queue(`SELECT 1/0`)
			return nil
		})
		requireState(t, err, "22012")
		require.Equal(t, 2, k.rows(t))
	})
	requireIntact(t, k.log, tenant, 6)
}
