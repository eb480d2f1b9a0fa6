package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestLedgerOnTheCommandLine(t *testing.T) {
	plain(t)
	db, _ := installed(t)
	anchor := filepath.Join(t.TempDir(), "anchors", "ledger")
	t.Setenv("TOMKIT_LEDGER_ANCHORS", "vault-host=file:"+anchor)
	tomkit(t, secretWord+"\n", "admin", "bootstrap", "--slug=op", "--name=Op", "--email=ops@op.example").done(t)
	tomkit(t, "", "admin", "msp", "--slug=house", "--name=House").done(t)
	tomkit(t, secretWord+"\n", "admin", "tenant", "--msp=house", "--slug=ward", "--name=X", "--email=head@ward.example").done(t)
	super := db.Superuser(t)
	var ward, head uuid.UUID
	require.NoError(t, super.QueryRow(t.Context(), `SELECT tenant_id, id FROM tomkit.users WHERE email = 'head@ward.example'`).Scan(&ward, &head))
	ledger := func(args ...string) outcome { return tomkit(t, "", append([]string{"ledger"}, args...)...) }

	require.Contains(t, ledger("verify", "--tenant=ward").done(t), "intact: ")
	require.True(t, json.Valid([]byte(ledger("verify", "--tenant=ward", "--json").done(t))))
	ledger("verify", "--tenant=nobody").failed(t, 2, "unknown")
	receipt, err := verify.ParseReceipt([]byte(ledger("receipt", "--tenant=ward", "--seq=1").done(t)))
	require.NoError(t, err)
	ledger("receipt", "--tenant=ward", "--seq=1000").failed(t, 2, "entries")
	keys, err := verify.ParseKeys([]byte(ledger("keys", "--tenant=ward").done(t)))
	require.NoError(t, err)

	t.Run("other keys, followed by who pinned the first", func(t *testing.T) {
		next, err := verify.ParseKeys([]byte(ledger("rotate-keys", "--tenant=ward").done(t)))
		require.NoError(t, err)
		require.Len(t, next.Keys, 6)
		stolen := next.Keys[0].ID().String()
		ledger("rotate-keys", "--tenant=ward", "--compromised="+stolen).failed(t, 2, "--approver")
		ledger("rotate-keys", "--tenant=ward", "--compromised=xyz").failed(t, 2, "key id")
		dir := filepath.Join(t.TempDir(), "export")
		ledger("export", "--tenant=ward", "--output="+dir).done(t)
		report, err := verify.Verify(t.Context(), os.DirFS(dir), verify.Config{Keys: keys, Receipts: []*verify.Receipt{receipt}})
		require.NoError(t, err)
		require.True(t, report.Intact(), "%+v", report.Findings)
		require.Contains(t, ledger("reseal").done(t), "2 log(s)")
	})
	t.Run("a person's values", func(t *testing.T) {
		ledger("erase", "--tenant=ward", "--person="+head.String(), "--confirm="+uuid.NewString()).failed(t, 2, "--confirm")
		require.Contains(t, ledger("erase", "--tenant=ward", "--person="+head.String(), "--confirm="+head.String()).done(t), "erased")
		var n int
		require.NoError(t, super.QueryRow(context.Background(), `SELECT count(*) FROM tomkit.ledger_openings WHERE subject = $1`, head).Scan(&n))
		require.Zero(t, n)
	})
	t.Run("nothing to recover", func(t *testing.T) {
		a, b := uuid.NewString(), uuid.NewString()
		ledger("recover", "--tenant=ward", "--approver="+a).failed(t, 2, "--approver")
		ledger("recover", "--tenant=ward", "--approver="+a, "--approver="+a).failed(t, 2, "--approver")
		ledger("recover", "--tenant=ward", "--approver="+a, "--approver="+b).failed(t, 2, "behind no anchor")
	})
	t.Run("the end", func(t *testing.T) {
		ledger("close", "--tenant=ward", "--confirm=lab").failed(t, 2, "--confirm")
		ledger("purge", "--tenant=ward", "--confirm=ward").failed(t, 2, "kept")
		archive := filepath.Join(t.TempDir(), "archive")
		require.Contains(t, ledger("close", "--tenant=ward", "--confirm=ward", "--keep=1ms", "--archive="+archive).done(t), "closed with")
		report, err := verify.Verify(t.Context(), os.DirFS(archive), verify.Config{})
		require.NoError(t, err)
		require.True(t, report.Intact(), "%+v", report.Findings)
		require.NotNil(t, report.Closed)
		ledger("rotate-keys", "--tenant=ward").failed(t, 1, "ended")
		text, err := os.ReadFile(anchor)
		require.NoError(t, err)
		require.Contains(t, string(text), report.Origin)
		require.Contains(t, ledger("purge", "--tenant="+ward.String(), "--confirm="+ward.String()).done(t), "removed")
		ledger("verify", "--tenant="+ward.String()).failed(t, 2, "no log")
	})
	require.Contains(t, ledger("health").done(t), "vault-host")
}
