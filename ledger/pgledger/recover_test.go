package pgledger_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/ledger/witness"
	"github.com/pioneerdesk/tomkit/rls"
)

func osDir(dir string) fs.FS { return os.DirFS(dir) }

func readFile(t testing.TB, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(b)
}

func fileAnchor(t testing.TB) *witness.File {
	t.Helper()
	a, err := witness.OpenFile(witness.FileConfig{Name: "file", Path: filepath.Join(t.TempDir(), "anchor")})
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	return a
}

// show makes a checkpoint and lets the log's Run show it to its anchors.
func (k kit) show(t testing.TB, tenants ...uuid.UUID) {
	t.Helper()
	for _, tenant := range tenants {
		_, err := k.log.Checkpoint(context.Background(), tenant)
		require.NoError(t, err)
	}
	run(t, k.log)()
}

func TestRecoveryAfterARestore(t *testing.T) {
	file, j := fileAnchor(t), &memoryJournal{}
	cfg := anchored(file)
	cfg.Journal = j
	k := newKit(t)
	k.log = k.open(t, cfg)
	tenant, operator, idle, person := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	approvers := [2]uuid.UUID{uuid.New(), uuid.New()}
	for _, id := range []uuid.UUID{tenant, operator, idle} {
		k.fill(t, id, 300)
	}
	_, err := k.log.Append(t.Context(), of(tenant, person, "Erika Mustermann"))
	require.NoError(t, err)
	kept, err := k.log.Append(t.Context(), login(tenant, 1))
	require.NoError(t, err)
	keptProof, err := k.waitFor(t, kept)
	require.NoError(t, err)
	k.show(t, tenant, operator, idle)
	pinned, err := k.log.KeyHistory(t.Context(), tenant)
	require.NoError(t, err)
	backup := dump(t, k.pg)

	k.fill(t, tenant, 40)
	lost, err := k.log.Append(t.Context(), login(tenant, 2))
	require.NoError(t, err)
	lostProof, err := k.waitFor(t, lost)
	require.NoError(t, err)
	_, err = k.log.Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: person})
	require.NoError(t, err)
	k.fill(t, operator, 1)
	k.show(t, tenant, operator)
	witnessed, err := k.log.Head(t.Context(), tenant)
	require.NoError(t, err)

	k.restore(t, backup)
	k.log = k.open(t, cfg)
	restored, err := k.log.Head(t.Context(), tenant)
	require.NoError(t, err)
	require.Less(t, restored.Size, witnessed.Size)

	t.Run("nothing is written", func(t *testing.T) {
		_, err := k.log.Append(t.Context(), system(tenant, 1))
		var behind *ledger.RollbackError
		require.ErrorAs(t, err, &behind)
		require.Equal(t, ledger.RollbackError{Anchor: "file", Size: witnessed.Size, Head: restored.Size}, *behind)
		err = k.db.Tenant(tenant).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			return k.log.RecordTx(ctx, tx, system(tenant, 1))
		})
		require.ErrorIs(t, err, ledger.ErrRolledBack)
		for name, write := range map[string]func() error{
			"a checkpoint": func() error { _, err := k.log.Checkpoint(t.Context(), tenant); return err },
			"an erasure": func() error {
				_, err := k.log.Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: person})
				return err
			},
			"other keys": func() error { _, err := k.log.RotateKeys(t.Context(), tenant, pgledger.Rotation{}); return err },
			"the end":    func() error { _, err := k.log.CloseLog(t.Context(), tenant, pgledger.Closing{}); return err },
		} {
			require.ErrorIs(t, write(), ledger.ErrRolledBack, name)
		}
		head, err := k.log.Head(t.Context(), tenant)
		require.NoError(t, err)
		require.Equal(t, restored, head)
		_, err = k.log.Append(t.Context(), system(idle, 1))
		require.NoError(t, err, "a log that is not behind goes on")
	})
	t.Run("no personal value that was erased is served", func(t *testing.T) {
		_, err := k.log.Entries(t.Context(), tenant, ledger.Filter{Newest: true})
		require.ErrorIs(t, err, ledger.ErrRolledBack)
		_, err = k.log.Export(t.Context(), tenant, discard{}, pgledger.ExportOptions{})
		require.ErrorIs(t, err, ledger.ErrRolledBack)
	})
	t.Run("a verification says what is missing", func(t *testing.T) {
		report, err := k.log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{})
		require.NoError(t, err)
		require.False(t, report.Intact())
		require.Equal(t, verify.KindTruncated, report.Findings[0].Kind)
	})
	t.Run("a recovery needs two users and an operator", func(t *testing.T) {
		for _, r := range []pgledger.Recovery{
			{Operator: operator}, {Operator: operator, Approvers: [2]uuid.UUID{approvers[0], approvers[0]}}, {Approvers: approvers},
		} {
			_, err := k.log.Recover(t.Context(), tenant, r)
			require.ErrorIs(t, err, ledger.ErrInvalid)
		}
		_, err := k.log.Recover(t.Context(), idle, pgledger.Recovery{Operator: operator, Approvers: approvers})
		require.ErrorIs(t, err, ledger.ErrInvalid, "what is not behind cannot be recovered")
		_, err = k.log.Recover(t.Context(), tenant, pgledger.Recovery{Operator: operator, Approvers: approvers})
		require.ErrorIs(t, err, ledger.ErrRolledBack, "the operator's log is behind itself")
	})

	other := k.open(t, cfg) // a process that finds the log rolled back, too
	_, err = other.Append(t.Context(), system(tenant, 1))
	require.ErrorIs(t, err, ledger.ErrRolledBack)
	for _, id := range []uuid.UUID{operator, tenant} {
		done, err := k.log.Recover(t.Context(), id, pgledger.Recovery{Operator: operator, Approvers: approvers})
		require.NoError(t, err)
		require.Equal(t, 2, done.Epoch)
		if id == tenant {
			require.Equal(t, restored.Size, done.LostFrom)
			require.Equal(t, witnessed.Size, done.LostUntil)
		}
	}
	t.Run("afterwards everybody writes again, and the erased value is gone", func(t *testing.T) {
		k.fill(t, tenant, 300)
		_, err := other.Append(t.Context(), approval(tenant, 1))
		require.NoError(t, err)
		page, err := other.Entries(t.Context(), tenant, ledger.Filter{Newest: true})
		require.NoError(t, err)
		require.NotEmpty(t, page)
		var n int
		require.NoError(t, k.pg.Superuser(t).QueryRow(t.Context(), `SELECT count(*) FROM tomkit.ledger_openings WHERE subject = $1`, person).Scan(&n))
		require.Zero(t, n)
	})
	t.Run("the operator's log names the approvers", func(t *testing.T) {
		told, err := k.log.Entries(t.Context(), operator, ledger.Filter{Action: "ledger_recovery_approved"})
		require.NoError(t, err)
		require.Len(t, told, 1)
		require.Contains(t, string(told[0].Details), approvers[0].String())
		require.Contains(t, string(told[0].Details), approvers[1].String())
	})
	t.Run("verification is intact with the gap declared, and a lost receipt is reported lost", func(t *testing.T) {
		k.show(t, tenant)
		dir, _ := exportDir(t, k.log, tenant, pgledger.ExportOptions{})
		receipts := []*verify.Receipt{keptProof, lostProof}
		live, err := k.log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{Receipts: receipts})
		require.NoError(t, err)
		now, err := k.log.KeyHistory(t.Context(), tenant)
		require.NoError(t, err)
		for _, report := range []*verify.Report{live, verifyDir(t, dir, verify.Config{Keys: now, Receipts: receipts}), verifyDir(t, dir, verify.Config{Keys: pinned, Receipts: receipts})} {
			require.True(t, report.Intact(), "%+v", report.Findings)
			require.Len(t, report.Gaps, 1)
			require.Equal(t, restored.Size, report.Gaps[0].From)
			require.Equal(t, witnessed.Size, report.Gaps[0].Until)
			require.EqualValues(t, 1, report.LostReceipts)
			require.Equal(t, 1, report.Receipts)
		}
	})
}

// discard takes no file.
type discard struct{ verify.Files }

func TestARewrittenHistoryIsNotExcused(t *testing.T) {
	file := fileAnchor(t)
	k := newKit(t)
	k.log = k.open(t, anchored(file))
	tenant, operator := uuid.New(), uuid.New()
	k.fill(t, operator, 1)
	k.fill(t, tenant, 20)
	backup := dump(t, k.pg)
	k.fill(t, tenant, 10)
	k.show(t, tenant, operator)
	k.restore(t, backup)
	k.log = k.open(t, config()) // somebody who does not ask the anchor writes on
	k.fill(t, tenant, 30)

	k.log = k.open(t, anchored(file))
	_, err := k.log.Append(t.Context(), system(tenant, 1))
	var behind *ledger.RollbackError
	require.ErrorAs(t, err, &behind)
	require.True(t, behind.Fork)
	_, err = k.log.Recover(t.Context(), tenant, pgledger.Recovery{Operator: operator, Approvers: [2]uuid.UUID{uuid.New(), uuid.New()}})
	require.ErrorAs(t, err, &behind)
	require.True(t, behind.Fork, "no gap excuses other entries")
}
