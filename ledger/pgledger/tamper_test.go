package pgledger_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// tamper lets a superuser change rows, past triggers and constraints.
func (k kit) tamper(t testing.TB, sql string, args ...any) {
	t.Helper()
	ctx := context.Background()
	conn, err := k.pg.Superuser(t).Acquire(ctx)
	require.NoError(t, err)
	defer conn.Release()
	require.NoError(t, pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, table := range ledgerTables {
			if _, err := tx.Exec(ctx, "ALTER TABLE tomkit."+table+" DISABLE TRIGGER ALL"); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, sql, args...)
		if err != nil {
			return err
		}
		require.NotZero(t, tag.RowsAffected(), "the attack changed nothing")
		for _, table := range ledgerTables {
			if _, err := tx.Exec(ctx, fmt.Sprintf(`DO $$ DECLARE sql text; BEGIN
				FOR sql IN SELECT format('ALTER TABLE %%s ENABLE ALWAYS TRIGGER %%I', tgrelid::regclass, tgname)
					FROM pg_trigger WHERE tgrelid = 'tomkit.%s'::regclass AND NOT tgisinternal LOOP EXECUTE sql; END LOOP; END $$`, table)); err != nil {
				return err
			}
		}
		return nil
	}))
}

// unconstrain drops what would make a superuser's attack clumsy.
func (k kit) unconstrain(t testing.TB) {
	t.Helper()
	_, err := k.pg.Superuser(t).Exec(context.Background(), `DO $$ DECLARE c record; BEGIN
FOR c IN SELECT conname, conrelid::regclass AS rel FROM pg_constraint WHERE contype = 'c' AND connamespace = 'tomkit'::regnamespace
         AND conrelid::regclass::text ~ 'audit_logs|ledger' LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.rel, c.conname);
END LOOP; END $$`)
	require.NoError(t, err)
}

// requireBrokenAt verifies and expects the first finding at exactly seq.
func requireBrokenAt(t *testing.T, log *pgledger.Log, tenant uuid.UUID, seq uint64, opts pgledger.VerifyOptions) *verify.Report {
	t.Helper()
	report, err := log.VerifyChain(t.Context(), tenant, opts)
	require.NoError(t, err)
	require.Equal(t, verify.Broken, report.Verdict)
	first := report.Findings[0]
	require.True(t, first.Exact(), "%v", first.Err)
	require.Equal(t, seq, first.First, "%v", first.Err)
	return report
}

// columns are attacks that change one column of the row at $2 a little.
var columns = map[string]string{
	"seq":                 "seq = seq + 100000",
	"id":                  "id = overlay(id::text placing (CASE right(id::text, 1) WHEN '0' THEN '1' ELSE '0' END) from 36)::uuid",
	"tenant_id":           "tenant_id = overlay(tenant_id::text placing (CASE right(tenant_id::text, 1) WHEN '0' THEN '1' ELSE '0' END) from 36)::uuid",
	"user_id":             "user_id = CASE WHEN user_id IS NULL THEN id ELSE NULL END",
	"action":              "action = 'x' || substr(action, 2)",
	"entity_type":         "entity_type = 'x' || substr(entity_type, 2)",
	"entity_id":           "entity_id = entity_id || '0'",
	"details":             `details = '{"n":99}'`,
	"nis2_narrative":      "nis2_narrative = replace(nis2_narrative, 'am 2', 'am 1')",
	"previous_hash":       "previous_hash = translate(previous_hash, '0123456789abcdef', '123456789abcdef0')",
	"current_hash":        "current_hash = translate(current_hash, '0123456789abcdef', '123456789abcdef0')",
	"dilithium_signature": "dilithium_signature = CASE WHEN dilithium_signature IS NULL THEN '\\x00' ELSE set_byte(dilithium_signature, 3400 - 1000, get_byte(dilithium_signature, 2400) # 1) END",
	"created_at":          "created_at = created_at + interval '1 microsecond'",
	"class":               "class = CASE class WHEN 'normal' THEN 'critical' ELSE 'normal' END",
	"scheme":              "scheme = 'plain'",
	"signature_key":       "signature_key = '0123456789abcdef', dilithium_signature = coalesce(dilithium_signature, '\\x00')",
	"leaf_hash":           "leaf_hash = set_byte(leaf_hash, 7, get_byte(leaf_hash, 7) # 1)",
}

func TestASuperusersChangeOfAnyColumnIsFoundAtItsPosition(t *testing.T) {
	for column, change := range columns {
		for _, when := range []string{"covered by a checkpoint and a full tile", "covered by a checkpoint", "not covered yet"} {
			t.Run(column+", "+when, func(t *testing.T) {
				t.Parallel()
				k := newKit(t)
				tenant := uuid.New()
				n, seq := 20, uint64(4) // a critical entry
				if when == "covered by a checkpoint and a full tile" {
					n, seq = 300, 104
				}
				k.fill(t, tenant, n)
				if when != "not covered yet" {
					_, err := k.log.Checkpoint(t.Context(), tenant)
					require.NoError(t, err)
				}
				k.unconstrain(t)
				k.tamper(t, "UPDATE tomkit.audit_logs SET "+change+" WHERE tenant_id = $1 AND seq = $2", tenant, int64(seq))
				requireBrokenAt(t, k.log, tenant, seq, pgledger.VerifyOptions{})
				requireBrokenAt(t, k.open(t, config()), tenant, seq, pgledger.VerifyOptions{})
			})
		}
	}
}

func TestOtherTampering(t *testing.T) {
	const size = 300 // events after the opening entry
	for _, c := range []struct {
		name string
		sql  string
		seq  uint64
	}{
		{"the opening entry deleted", "DELETE FROM tomkit.audit_logs WHERE tenant_id = $1 AND seq = 0", 0},
		{"a middle entry deleted", "DELETE FROM tomkit.audit_logs WHERE tenant_id = $1 AND seq = 150", 150},
		{"the last entry deleted", "DELETE FROM tomkit.audit_logs WHERE tenant_id = $1 AND seq = 300", 300},
		{"the tail deleted", "DELETE FROM tomkit.audit_logs WHERE tenant_id = $1 AND seq >= 270", 270},
		{"a middle entry deleted and the rest moved up", `WITH gone AS (DELETE FROM tomkit.audit_logs WHERE tenant_id = $1 AND seq = 150 RETURNING seq)
UPDATE tomkit.audit_logs a SET seq = a.seq - 1 FROM gone WHERE a.tenant_id = $1 AND a.seq > gone.seq AND a.seq < 152`, 150},
		{"two entries swapped", "UPDATE tomkit.audit_logs SET seq = CASE seq WHEN 20 THEN -21 ELSE -20 END WHERE tenant_id = $1 AND seq IN (20, 21)", 20},
		{"an entry with a consistent chain hash", `UPDATE tomkit.audit_logs SET entity_id = 'forged', current_hash = encode(sha256(convert_to(
previous_hash || action || 'forged' || nis2_narrative || tomkit.ledger_time(created_at), 'UTF8')), 'hex') WHERE tenant_id = $1 AND seq = 151`, 151},
		{"the head's hash", "UPDATE tomkit.ledger_heads SET head_hash = translate(head_hash, '0123456789abcdef', '123456789abcdef0') WHERE tenant_id = $1", size},
		{"an opening's value", "UPDATE tomkit.ledger_openings SET value = 'jemand.anders@klinikum.de' WHERE tenant_id = $1 AND seq = 32", 32},
		{"an opening's salt", "UPDATE tomkit.ledger_openings SET salt = set_byte(salt, 0, get_byte(salt, 0) # 1) WHERE tenant_id = $1 AND seq = 32", 32},
		{"an opening removed without a redaction", "DELETE FROM tomkit.ledger_openings WHERE tenant_id = $1 AND seq = 32", 32},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			k.unconstrain(t)
			tenant := uuid.New()
			k.fill(t, tenant, size)
			_, err := k.log.Checkpoint(t.Context(), tenant)
			require.NoError(t, err)
			k.tamper(t, c.sql, tenant)
			if c.name == "two entries swapped" {
				k.tamper(t, "UPDATE tomkit.audit_logs SET seq = -seq WHERE tenant_id = $1 AND seq < 0", tenant)
			}
			requireBrokenAt(t, k.log, tenant, c.seq, pgledger.VerifyOptions{})
		})
	}
	for name, sql := range map[string]string{
		"a stored tile":              "UPDATE tomkit.ledger_tiles SET hashes = set_byte(hashes, 5, get_byte(hashes, 5) # 1) WHERE tenant_id = $1 AND level = 0",
		"a stored tile's root":       "UPDATE tomkit.ledger_tiles SET root = set_byte(root, 5, get_byte(root, 5) # 1) WHERE tenant_id = $1 AND level = 0",
		"a checkpoint's text":        "UPDATE tomkit.ledger_checkpoints SET note = replace(note, 'log.example.org/', 'log.example.com/') WHERE tenant_id = $1",
		"an older checkpoint's root": "UPDATE tomkit.ledger_checkpoints SET note = regexp_replace(note, E'\\n[^\\n]{44}\\n', E'\\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\\n') WHERE tenant_id = $1 AND size = 2",
	} {
		t.Run(name+" does not pass", func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			tenant := uuid.New()
			k.fill(t, tenant, 1)
			_, err := k.log.Checkpoint(t.Context(), tenant)
			require.NoError(t, err)
			k.fill(t, tenant, size)
			_, err = k.log.Checkpoint(t.Context(), tenant)
			require.NoError(t, err)
			k.tamper(t, sql, tenant)
			report, err := k.open(t, config()).VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{})
			if err == nil {
				require.Equal(t, verify.Broken, report.Verdict)
			}
		})
	}
}

// A superuser cuts the tail off and makes everything else fit: only memory outside finds it.
func TestACutTailIsFoundByAReceipt(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 10)
	first, err := k.log.Checkpoint(t.Context(), tenant)
	require.NoError(t, err)
	r, err := k.log.Append(t.Context(), system(tenant, 1))
	require.NoError(t, err)
	proof, err := r.Wait(t.Context())
	require.NoError(t, err)
	later, err := k.log.LatestCheckpoint(t.Context(), tenant)
	require.NoError(t, err)

	k.tamper(t, "DELETE FROM tomkit.audit_logs WHERE tenant_id = $1 AND seq >= 11", tenant)
	k.tamper(t, "DELETE FROM tomkit.ledger_checkpoints WHERE tenant_id = $1 AND size > 11", tenant)
	k.tamper(t, `UPDATE tomkit.ledger_heads h SET size = 11, head_hash = a.current_hash, last_at = a.created_at
FROM tomkit.audit_logs a WHERE a.tenant_id = $1 AND a.seq = 10 AND h.tenant_id = $1`, tenant)

	log := k.open(t, config()) // after a restart
	t.Run("the log alone looks intact", func(t *testing.T) {
		report, err := log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{Since: first})
		require.NoError(t, err)
		require.True(t, report.Intact(), "%+v", report.Findings)
	})
	t.Run("the receipt finds it", func(t *testing.T) {
		report, err := log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{Receipts: []*verify.Receipt{proof}})
		require.NoError(t, err)
		require.Equal(t, verify.Broken, report.Verdict)
		require.Equal(t, uint64(11), report.Findings[0].First)
	})
	t.Run("a kept checkpoint finds it", func(t *testing.T) {
		report, err := log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{Since: later})
		require.NoError(t, err)
		require.Equal(t, verify.Broken, report.Verdict)
	})
}

func TestVerifyingDuringAppendsRaisesNoFalseAlarm(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 5)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := k.log.Append(context.Background(), login(tenant, i)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	other := k.open(t, config())
	for range 15 {
		report, err := other.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{})
		require.NoError(t, err)
		require.True(t, report.Intact(), "%+v", report.Findings)
	}
	cancel()
	require.NoError(t, <-done)
}

func TestEntries(t *testing.T) {
	k := newKit(t)
	tenant := uuid.New()
	k.fill(t, tenant, 25)
	read := func(f ledger.Filter) []ledger.Entry {
		page, err := k.log.Entries(t.Context(), tenant, f)
		require.NoError(t, err)
		return page
	}
	all := read(ledger.Filter{})
	require.Len(t, all, 26)
	for i, e := range all {
		require.EqualValues(t, i, e.Seq)
		require.NotContains(t, e.Narrative, "@", "the stored sentence holds commitments")
	}
	require.Contains(t, all[1].Readable, "nutzer0@klinikum.de")
	require.Len(t, all[1].Openings, 2)
	seven := uint64(7)
	require.EqualValues(t, 8, read(ledger.Filter{After: &seven, Limit: 3})[0].Seq)
	require.Len(t, read(ledger.Filter{After: &seven, Limit: 3}), 3)
	require.EqualValues(t, 6, read(ledger.Filter{After: &seven, Newest: true})[0].Seq)
	require.Len(t, read(ledger.Filter{Action: "remediation_approved"}), 5)
	require.Len(t, read(ledger.Filter{CriticalOnly: true}), 6)
	require.Len(t, read(ledger.Filter{EntityType: "device", EntityID: "device-4"}), 1)
	require.Len(t, read(ledger.Filter{Actor: uuid.NullUUID{UUID: uuid.UUID(*all[1].User), Valid: true}}), 1)
	require.Empty(t, read(ledger.Filter{Until: all[0].CreatedAt}))
	require.Len(t, read(ledger.Filter{From: all[1].CreatedAt}), 26-int(firstAt(all)))
	for _, f := range []ledger.Filter{{Limit: -1}, {Limit: ledger.MaxPage + 1}, {Action: "a\x00"}} {
		_, err := k.log.Entries(t.Context(), tenant, f)
		require.ErrorIs(t, err, ledger.ErrInvalid)
	}
	e, err := k.log.Entry(t.Context(), tenant, 3)
	require.NoError(t, err)
	require.EqualValues(t, 3, e.Seq)
	_, err = k.log.Entry(t.Context(), tenant, 26)
	require.ErrorIs(t, err, pgx.ErrNoRows)
	t.Run("an erased value says so", func(t *testing.T) {
		k.tamper(t, "DELETE FROM tomkit.ledger_openings WHERE tenant_id = $1 AND seq = 1", tenant)
		require.Contains(t, read(ledger.Filter{Limit: 2})[1].Readable, "gelöscht")
	})
	t.Run("a false opening is not shown", func(t *testing.T) {
		k.tamper(t, "UPDATE tomkit.ledger_openings SET value = 'falsch@klinikum.de' WHERE tenant_id = $1 AND seq = 2", tenant)
		require.NotContains(t, read(ledger.Filter{Limit: 3})[2].Readable, "falsch")
	})
}

// firstAt counts the entries older than the second one.
func firstAt(all []ledger.Entry) (n int) {
	for _, e := range all {
		if e.CreatedAt.Before(all[1].CreatedAt) {
			n++
		}
	}
	return n
}

func ExampleLog_VerifyChain() {
	var log *pgledger.Log // from pgledger.Open
	var tenant uuid.UUID
	verifyChain := func(ctx context.Context) error {
		report, err := log.VerifyChain(ctx, tenant, pgledger.VerifyOptions{})
		if err != nil {
			return err // the log could not be judged
		}
		for _, f := range report.Findings {
			fmt.Println(f.Kind, f.First, f.Err)
		}
		return report.Err()
	}
	_ = verifyChain
}
