package pgledger_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

// migrator connects with the login that may purge.
func (k kit) migrator(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), k.pg.URL(rls.RoleMigrator))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func TestALogEnds(t *testing.T) {
	file := fileAnchor(t)
	k := newKit(t)
	k.log = k.open(t, anchored(file))
	tenant, operator, other := uuid.New(), uuid.New(), uuid.New()
	k.fill(t, tenant, 300)
	k.fill(t, operator, 2)
	k.fill(t, other, 2)
	r, err := k.log.Append(t.Context(), login(tenant, 1))
	require.NoError(t, err)
	receipt, err := k.waitFor(t, r)
	require.NoError(t, err)

	dir := filepath.Join(t.TempDir(), "archive")
	files, err := verify.NewDir(dir)
	require.NoError(t, err)
	done, err := k.log.CloseLog(t.Context(), tenant, pgledger.Closing{Keep: time.Hour, Archive: files})
	require.NoError(t, err)
	require.NoError(t, files.Close())
	require.EqualValues(t, 303, done.Size)
	require.Empty(t, done.Unanchored)
	require.NotEmpty(t, done.Checkpoint)

	t.Run("the archive verifies and says that the log is closed", func(t *testing.T) {
		report := verifyDir(t, dir, verify.Config{Receipts: []*verify.Receipt{receipt}})
		require.True(t, report.Intact(), "%+v", report.Findings)
		require.NotNil(t, report.Closed)
		require.EqualValues(t, 303, report.Entries)
	})
	t.Run("the anchor has seen the last checkpoint", func(t *testing.T) {
		m, err := file.Latest(t.Context(), origin(t, k.log, tenant), nil)
		require.NoError(t, err)
		require.EqualValues(t, 303, m.Size)
	})
	t.Run("nothing follows", func(t *testing.T) {
		for _, log := range []*pgledger.Log{k.log, k.open(t, config())} {
			_, err := log.Append(t.Context(), system(tenant, 1))
			require.ErrorIs(t, err, ledger.ErrLogClosed)
			_, err = log.RotateKeys(t.Context(), tenant, pgledger.Rotation{})
			require.ErrorIs(t, err, ledger.ErrLogClosed)
		}
		cfg := config()
		cfg.Journal = &memoryJournal{}
		_, err := k.open(t, cfg).Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: uuid.New()})
		require.ErrorIs(t, err, ledger.ErrLogClosed)
		requireIntact(t, k.log, tenant, 303)
	})
	t.Run("closing again changes nothing", func(t *testing.T) {
		again, err := k.log.CloseLog(t.Context(), tenant, pgledger.Closing{Keep: time.Nanosecond})
		require.NoError(t, err)
		require.Equal(t, done, again)
	})

	migrator := k.migrator(t)
	purge := func(tenant uuid.UUID) error {
		_, err := k.log.Purge(t.Context(), migrator, tenant, pgledger.Purging{Operator: operator})
		return err
	}
	t.Run("it is kept, and an open log is too", func(t *testing.T) {
		require.ErrorIs(t, purge(tenant), ledger.ErrKept)
		require.ErrorIs(t, purge(other), ledger.ErrKept)
		require.ErrorIs(t, purge(operator), ledger.ErrInvalid)
		told, err := k.log.Entries(t.Context(), operator, ledger.Filter{Action: "ledger_purged"})
		require.NoError(t, err)
		require.Empty(t, told)
	})
	t.Run("not even the migrator deletes it by hand, or purges without the operator's entry", func(t *testing.T) {
		_, err := migrator.Exec(t.Context(), `SET ROLE tomkit_ledger; DELETE FROM tomkit.audit_logs WHERE tenant_id = '`+tenant.String()+`'`)
		requireState(t, err, refused)
		_, err = migrator.Exec(t.Context(), `RESET ROLE`)
		require.NoError(t, err)
		k.tamper(t, `UPDATE tomkit.ledger_closings SET keep_until = now() WHERE tenant_id = $1`, tenant)
		_, err = migrator.Exec(t.Context(), `SELECT tomkit.ledger_purge($1, $2, 1, 10)`, tenant, operator)
		requireState(t, err, "TKL03")
	})
	t.Run("after its time it goes, and the operator's log keeps the final checkpoint's hash", func(t *testing.T) {
		require.NoError(t, purge(tenant))
		for _, table := range ledgerTables {
			var n int
			require.NoError(t, k.pg.Superuser(t).QueryRow(t.Context(), `SELECT count(*) FROM tomkit.`+table+` WHERE tenant_id = $1`, tenant).Scan(&n))
			require.Zero(t, n, table)
		}
		told, err := k.log.Entries(t.Context(), operator, ledger.Filter{Action: "ledger_purged"})
		require.NoError(t, err)
		require.Len(t, told, 1)
		requireIntact(t, k.log, other, 3)
		_, err = k.log.Head(t.Context(), tenant)
		require.ErrorIs(t, err, ledger.ErrNoLog)
	})
}
