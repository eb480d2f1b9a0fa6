package integration_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// sealer is AES-256-GCM under a random key, what vault/seal is in production.
type sealer struct{ aead cipher.AEAD }

func newSealer(t *testing.T) sealer {
	t.Helper()
	block, err := aes.NewCipher(randomBytes(32))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return sealer{aead}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func (s sealer) Seal(plaintext, aad []byte) (string, error) {
	nonce := randomBytes(s.aead.NonceSize())
	return hex.EncodeToString(s.aead.Seal(nonce, nonce, plaintext, aad)), nil
}

func (s sealer) Open(sealed string, aad []byte) ([]byte, error) {
	b, err := hex.DecodeString(sealed)
	if err != nil || len(b) < s.aead.NonceSize() {
		return nil, errors.New("malformed")
	}
	return s.aead.Open(nil, b[:s.aead.NonceSize()], b[s.aead.NonceSize():], aad)
}

func enrolled(tenant uuid.UUID, n int, critical bool) record.Event {
	return record.Event{
		Tenant: tenant, Critical: critical,
		Action: "device_enrolled", EntityType: "device", EntityID: fmt.Sprintf("device-%d", n),
		Details:   map[string]any{"n": n},
		Narrative: record.Narrative{Template: "device_enrolled", Args: map[string]any{"device": fmt.Sprintf("ward-%d", n), "at": time.Now()}},
	}
}

func TestLedger(t *testing.T) {
	pg := pgtest.New(t, rls.Migrations(), tenant.Migrations(), pgledger.Migrations())
	db := pg.Open(t)
	ward, lab := pg.Tenant(t, "ward"), pg.Tenant(t, "lab")
	log, err := pgledger.Open(t.Context(), db, pgledger.Config{Domain: "log.example.org", Sealer: newSealer(t)})
	require.NoError(t, err)
	t.Cleanup(log.Close)

	for n := range 20 {
		for _, id := range []uuid.UUID{ward, lab} {
			_, err := log.Append(t.Context(), enrolled(id, n, n%5 == 0))
			require.NoError(t, err)
		}
	}
	err = db.Tenant(ward).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
		return log.RecordTx(ctx, tx, enrolled(ward, 20, true))
	})
	require.NoError(t, err)

	t.Run("both logs verify in the database", func(t *testing.T) {
		for _, id := range []uuid.UUID{ward, lab} {
			report, err := log.VerifyChain(t.Context(), id, pgledger.VerifyOptions{})
			require.NoError(t, err)
			require.True(t, report.Intact(), "%+v", report)
		}
	})
	t.Run("an export verifies without the database", func(t *testing.T) {
		require.True(t, exported(t, log, ward).Intact())
	})
	for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem, rls.RoleMigrator, rls.RoleBackup} {
		for _, attack := range []string{
			`UPDATE tomkit.audit_logs SET action = 'nothing'`,
			`DELETE FROM tomkit.audit_logs`,
			`TRUNCATE tomkit.audit_logs`,
		} {
			t.Run(role+" cannot "+attack, func(t *testing.T) {
				_, err := pg.Pool(t, role).Exec(t.Context(), attack)
				require.Error(t, err)
			})
		}
	}
	t.Run("an entry that a superuser changed is named by its position", func(t *testing.T) {
		const seq = 7
		tamper(t, pg, `UPDATE tomkit.audit_logs SET action = action || '_not' WHERE tenant_id = $1 AND seq = $2`, ward, seq)
		report, err := log.VerifyChain(t.Context(), ward, pgledger.VerifyOptions{})
		require.NoError(t, err)
		require.False(t, report.Intact())
		require.NotEmpty(t, report.Findings)
		first := report.Findings[0]
		require.True(t, first.Exact())
		require.EqualValues(t, seq, first.First)
		report, err = log.VerifyChain(t.Context(), lab, pgledger.VerifyOptions{})
		require.NoError(t, err)
		require.True(t, report.Intact(), "the other tenant's log is not concerned")
	})
	t.Run("a tail that a superuser cut off is missed by whoever holds a receipt", func(t *testing.T) {
		head, err := log.Head(t.Context(), lab)
		require.NoError(t, err)
		_, err = log.Checkpoint(t.Context(), lab)
		require.NoError(t, err)
		receipt, err := log.Prove(t.Context(), lab, head.Size-1)
		require.NoError(t, err)
		known := pgledger.VerifyOptions{Receipts: []*verify.Receipt{receipt}}
		report, err := log.VerifyChain(t.Context(), lab, known)
		require.NoError(t, err)
		require.True(t, report.Intact())
		tamper(t, pg, `DELETE FROM tomkit.audit_logs WHERE tenant_id = $1 AND seq = $2`, lab, head.Size-1)
		report, err = log.VerifyChain(t.Context(), lab, known)
		require.NoError(t, err)
		require.False(t, report.Intact())
	})
}

// tamper changes rows as a superuser who has switched the triggers off.
func tamper(t *testing.T, pg *pgtest.DB, sql string, args ...any) {
	t.Helper()
	tx, err := pg.Superuser(t).Begin(t.Context())
	require.NoError(t, err)
	defer tx.Rollback(context.Background())
	_, err = tx.Exec(t.Context(), `ALTER TABLE tomkit.audit_logs DISABLE TRIGGER USER`)
	require.NoError(t, err)
	tag, err := tx.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
	require.EqualValues(t, 1, tag.RowsAffected())
	_, err = tx.Exec(t.Context(), `ALTER TABLE tomkit.audit_logs ENABLE TRIGGER USER`)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
}

// exported writes a log to a directory and verifies what lies there.
func exported(t *testing.T, log *pgledger.Log, tenant uuid.UUID) *verify.Report {
	t.Helper()
	dir := t.TempDir()
	files, err := verify.NewDir(dir)
	require.NoError(t, err)
	_, err = log.Export(t.Context(), tenant, files, pgledger.ExportOptions{})
	require.NoError(t, err)
	require.NoError(t, files.Close())
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	report, err := verify.Verify(t.Context(), root.FS(), verify.Config{})
	require.NoError(t, err)
	return report
}
