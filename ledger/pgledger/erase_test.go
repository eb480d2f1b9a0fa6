package pgledger_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/journal"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

// memoryJournal is a ledger.Journal of a test.
type memoryJournal struct {
	mu      sync.Mutex
	records []ledger.ErasureRecord
	err     error
}

func (j *memoryJournal) Append(_ context.Context, r ledger.ErasureRecord) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		j.records = append(j.records, r)
	}
	return j.err
}

func (j *memoryJournal) Each(_ context.Context, fn func(ledger.ErasureRecord) error) error {
	j.mu.Lock()
	records := append([]ledger.ErasureRecord(nil), j.records...)
	j.mu.Unlock()
	for _, r := range records {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

func journalled(j ledger.Journal) pgledger.Config {
	cfg := config()
	cfg.Journal = j
	return cfg
}

// of is an event with a personal value in details and narrative.
func of(tenant, subject uuid.UUID, name string) record.Event {
	return record.Event{
		Tenant: tenant, Actor: uuid.NullUUID{UUID: subject, Valid: true}, Action: "login", EntityType: "user", EntityID: subject.String(),
		Details: map[string]any{"mail": record.Personal{Subject: subject, Value: name}},
		Narrative: record.Narrative{Template: "login", Args: map[string]any{
			"user": record.Personal{Subject: subject, Value: name}, "at": time.Now(), "method": "Passwort und TOTP"}},
	}
}

// values counts the openings of a tenant that are there.
func (k kit) values(t testing.TB, tenant uuid.UUID) (n int) {
	t.Helper()
	require.NoError(t, k.db.Tenant(tenant).QueryRow(context.Background(),
		`SELECT count(*) FROM tomkit.ledger_openings WHERE tenant_id = $1`, tenant).Scan(&n))
	return n
}

func TestErasingAPerson(t *testing.T) {
	j := &memoryJournal{}
	k := newKit(t)
	k.log = k.open(t, journalled(j))
	tenant, person, other := uuid.New(), uuid.New(), uuid.New()
	var receipts []*verify.Receipt
	for i := range 300 {
		who := person
		if i%3 == 0 {
			who = other
		}
		r, err := k.log.Append(t.Context(), of(tenant, who, fmt.Sprintf("Person %s", who)))
		require.NoError(t, err)
		if i%50 == 7 {
			proof, err := r.Wait(t.Context())
			require.NoError(t, err)
			receipts = append(receipts, proof)
		}
	}
	before := k.values(t, tenant)
	require.Equal(t, 600, before)

	done, err := k.log.Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: person})
	require.NoError(t, err)
	require.EqualValues(t, 400, done.Values)
	require.Len(t, done.Receipts, 1)
	require.Equal(t, 200, k.values(t, tenant))
	require.Len(t, j.records, 1)
	require.Len(t, j.records[0].Values, 400)

	t.Run("leaves the log intact, with every receipt", func(t *testing.T) {
		report, err := k.log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{Receipts: receipts})
		require.NoError(t, err)
		require.True(t, report.Intact(), "%+v", report.Findings)
		require.EqualValues(t, 400, report.Redacted)
		require.EqualValues(t, 200, report.Openings)
		require.Equal(t, len(receipts), report.Receipts)
	})
	t.Run("leaves an export intact", func(t *testing.T) {
		for _, withhold := range []bool{false, true} {
			dir, _ := exportDir(t, k.log, tenant, pgledger.ExportOptions{WithholdPersonal: withhold})
			report := verifyDir(t, dir, verify.Config{Receipts: receipts})
			require.True(t, report.Intact(), "%+v", report.Findings)
			require.EqualValues(t, 400, report.Redacted)
		}
	})
	t.Run("is told by an entry that binds what went", func(t *testing.T) {
		e, err := k.log.Entry(t.Context(), tenant, done.Receipts[0].Seq)
		require.NoError(t, err)
		require.Equal(t, verify.RedactionAction, e.Action)
		require.Equal(t, verify.Critical, e.Class)
		require.Contains(t, e.Readable, "400 Werte in 200 Einträgen")
		shown, err := k.log.Entry(t.Context(), tenant, 3)
		require.NoError(t, err)
		require.NotContains(t, shown.Readable, "Person "+person.String())
	})
	t.Run("a second time writes nothing", func(t *testing.T) {
		again, err := k.log.Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: person})
		require.NoError(t, err)
		require.Zero(t, again.Values)
		require.Empty(t, again.Receipts)
		require.Len(t, j.records, 1)
	})
	t.Run("a redaction that somebody removes is found", func(t *testing.T) {
		k.tamper(t, `DELETE FROM tomkit.ledger_redactions WHERE tenant_id = $1 AND seq = 3`, tenant)
		report, err := k.log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{})
		require.NoError(t, err)
		require.False(t, report.Intact())
	})
}

func TestErasureIsRefused(t *testing.T) {
	j := &memoryJournal{}
	k := newKit(t)
	tenant, person := uuid.New(), uuid.New()
	_, err := k.log.Append(t.Context(), of(tenant, person, "Erika Mustermann"))
	require.NoError(t, err)

	t.Run("without a journal", func(t *testing.T) {
		_, err := k.log.Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: person})
		require.ErrorIs(t, err, ledger.ErrNoJournal)
	})
	t.Run("when the journal fails", func(t *testing.T) {
		broken := &memoryJournal{err: errors.New("disk full")}
		_, err := k.open(t, journalled(broken)).Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: person})
		require.ErrorIs(t, err, broken.err)
	})
	t.Run("without a subject or with a reason that is no code", func(t *testing.T) {
		log := k.open(t, journalled(j))
		_, err := log.Erase(t.Context(), tenant, pgledger.EraseRequest{})
		require.ErrorIs(t, err, ledger.ErrInvalid)
		_, err = log.Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: person, Reason: "Herr Müller will es"})
		require.ErrorIs(t, err, ledger.ErrInvalid)
	})
	require.Equal(t, 2, k.values(t, tenant))
	require.Empty(t, j.records)

	t.Run("unless the lack of a journal is asked for", func(t *testing.T) {
		cfg := config()
		cfg.NoJournalUnsafe = true
		done, err := k.open(t, cfg).Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: person})
		require.NoError(t, err)
		require.EqualValues(t, 2, done.Values)
	})
}

func TestErasingInTheCallersTransaction(t *testing.T) {
	j := &memoryJournal{}
	k := newKit(t)
	k.log = k.open(t, journalled(j))
	tenant, person := uuid.New(), uuid.New()
	_, err := k.log.Append(t.Context(), of(tenant, person, "Erika Mustermann"))
	require.NoError(t, err)
	failure := errors.New("no")
	erase := func(outcome error) error {
		return k.db.Tenant(tenant).InTx(t.Context(), func(ctx context.Context, tx *rls.Tx) error {
			n, err := k.log.ErasePersonTx(ctx, tx, person, uuid.NullUUID{})
			require.NoError(t, err)
			require.EqualValues(t, 2, n)
			require.NoError(t, k.log.RecordTx(ctx, tx, system(tenant, 1)))
			return outcome
		})
	}
	require.ErrorIs(t, erase(failure), failure)
	require.Equal(t, 2, k.values(t, tenant))
	require.Empty(t, j.records, "what is rolled back before its commit was not journalled")
	require.NoError(t, erase(nil))
	require.Zero(t, k.values(t, tenant))
	requireIntact(t, k.log, tenant, 4)
}

func TestErasuresRaceWithWritersAndVerifiers(t *testing.T) {
	j := &memoryJournal{}
	k := newKit(t)
	k.log = k.open(t, journalled(j))
	other := k.open(t, journalled(j))
	tenant := uuid.New()
	people := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	k.fill(t, tenant, 20)
	var all sync.WaitGroup
	stop := make(chan struct{})
	for i, log := range []*pgledger.Log{k.log, other} {
		all.Go(func() {
			for n := range 40 {
				if _, err := log.Append(t.Context(), of(tenant, people[(n+i)%3], "Erika Mustermann")); err != nil {
					t.Error(err)
				}
				if n%8 == 7 {
					if _, err := log.Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: people[n%3]}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	verified := make(chan struct{})
	go func() {
		defer close(verified)
		for {
			select {
			case <-stop:
				return
			default:
			}
			report, err := k.log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{})
			if err != nil || !report.Intact() {
				t.Errorf("false alarm: %v %+v", err, report)
				return
			}
		}
	}()
	all.Wait()
	close(stop)
	<-verified
	for _, p := range people {
		_, err := k.log.Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: p})
		require.NoError(t, err)
	}
	report, err := k.log.VerifyChain(t.Context(), tenant, pgledger.VerifyOptions{})
	require.NoError(t, err)
	require.True(t, report.Intact(), "%+v", report.Findings)
	require.EqualValues(t, 160, report.Redacted)
}

func TestAnErasureOfManyValuesGoesInSteps(t *testing.T) {
	k := newKit(t)
	k.log = k.open(t, journalled(&memoryJournal{}))
	tenant, person := uuid.New(), uuid.New()
	events := make([]record.Event, 2100) // 4,200 values
	for i := range events {
		events[i] = of(tenant, person, "Erika Mustermann")
	}
	_, err := k.log.AppendBatch(t.Context(), events)
	require.NoError(t, err)
	var told []uint64
	done, err := k.log.Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: person, Reason: "retention", Progress: func(n uint64) { told = append(told, n) }})
	require.NoError(t, err)
	require.Equal(t, []uint64{4096, 4200}, told)
	require.Len(t, done.Receipts, 2)
	requireIntact(t, k.log, tenant, 2103)
}

func TestAnInjectedErasure(t *testing.T) {
	k := newKit(t)
	k.log = k.open(t, journalled(&memoryJournal{}))
	tenant, person, other := uuid.New(), uuid.New(), uuid.New()
	for range 2 {
		_, err := k.log.Append(t.Context(), of(tenant, person, "Erika Mustermann"))
		require.NoError(t, err)
	}
	done, err := k.log.Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: person})
	require.NoError(t, err)
	_, err = k.log.Append(t.Context(), of(tenant, other, "Max Muster"))
	require.NoError(t, err)
	entry := int64(done.Receipts[0].Seq)
	const sql = `SELECT tomkit.ledger_erase($1, $2, $3, (SELECT array_agg(seq) FROM tomkit.ledger_openings WHERE tenant_id = $1),
(SELECT array_agg(commitment) FROM tomkit.ledger_openings WHERE tenant_id = $1))`
	t.Run("is refused without the door key", func(t *testing.T) {
		_, err := k.db.Tenant(tenant).Exec(t.Context(), sql, tenant, entry, make([]byte, 32))
		requireState(t, err, "TKL02")
	})
	t.Run("is refused with the door key for what no entry tells of", func(t *testing.T) {
		mac := k.doorMAC(t, tenant, "erase", uint64(entry), k.digestOfAll(t, tenant))
		_, err := k.db.Tenant(tenant).Exec(t.Context(), sql, tenant, entry, mac)
		requireState(t, err, "TKL03")
	})
	t.Run("is refused for another tenant, without a context, and by other logins", func(t *testing.T) {
		for _, scope := range []rls.Scope{k.db.Tenant(uuid.New()), k.db.Anonymous()} {
			_, err := scope.Exec(t.Context(), sql, tenant, entry, make([]byte, 32))
			requireState(t, err, denied)
		}
		for _, role := range []string{rls.RoleMSP, rls.RoleBackup, rls.RoleMigrator} {
			_, err := k.pg.Pool(t, role).Exec(t.Context(), sql, tenant, entry, make([]byte, 32))
			requireState(t, err, denied)
		}
	})
	require.Equal(t, 2, k.values(t, tenant))
}

// doorMAC is the code of somebody who holds the door key.
func (k kit) doorMAC(t testing.TB, tenant uuid.UUID, purpose string, number uint64, digest []byte) []byte {
	t.Helper()
	var inner, outer []byte
	require.NoError(t, k.pg.Superuser(t).QueryRow(context.Background(),
		`SELECT door_inner, door_outer FROM tomkit.ledger_heads WHERE tenant_id = $1`, tenant).Scan(&inner, &outer))
	m := append([]byte("tomkit/ledger/"+purpose+"/v1\x00"), tenant[:]...)
	m = append(binary.BigEndian.AppendUint64(m, number), digest...)
	in := sha256.Sum256(append(inner, m...))
	out := sha256.Sum256(append(outer, in[:]...))
	return out[:]
}

// digestOfAll is the digest of all openings of a tenant.
func (k kit) digestOfAll(t testing.TB, tenant uuid.UUID) (digest []byte) {
	t.Helper()
	require.NoError(t, k.pg.Superuser(t).QueryRow(context.Background(),
		`SELECT sha256(string_agg(int8send(seq) || commitment, '' ORDER BY seq, commitment)) FROM tomkit.ledger_openings WHERE tenant_id = $1`,
		tenant).Scan(&digest))
	return digest
}

// dump is a backup of the whole database as text.
func dump(t testing.TB, db *pgtest.DB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup")
	out, err := exec.Command("pg_dump", "--format=custom", "--file="+file, db.SuperuserURL()).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return file
}

func plain(t testing.TB, backup string) string {
	t.Helper()
	out, err := exec.Command("pg_restore", "--file=-", backup).Output()
	require.NoError(t, err)
	return string(out)
}

// restore puts a backup in the place of the database's content.
func (k *kit) restore(t testing.TB, backup string) {
	t.Helper()
	k.log.Close()
	k.db.Close()
	out, err := exec.Command("pg_restore", "--clean", "--if-exists", "--single-transaction", "--dbname="+k.pg.SuperuserURL(), backup).CombinedOutput()
	require.NoError(t, err, "%s", out)
	k.db = k.pg.Open(t)
}

func TestErasedTextIsNowhere(t *testing.T) {
	j, err := journal.Open(filepath.Join(t.TempDir(), "erasures.jsonl"))
	require.NoError(t, err)
	defer j.Close()
	k := newKit(t)
	k.log = k.open(t, journalled(j))
	tenant, person, other := uuid.New(), uuid.New(), uuid.New()
	const text, kept = "Erika Mustermann-Testfall", "Max Beispiel-Testfall"
	for _, ev := range []record.Event{of(tenant, person, text), of(tenant, other, kept)} {
		_, err := k.log.Append(t.Context(), ev)
		require.NoError(t, err)
	}
	backup := dump(t, k.pg)
	require.Contains(t, plain(t, backup), text, "the backup before has it")
	_, err = k.log.Erase(t.Context(), tenant, pgledger.EraseRequest{Subject: person})
	require.NoError(t, err)

	after := plain(t, dump(t, k.pg))
	require.NotContains(t, after, text)
	require.Contains(t, after, kept)
	dir, _ := exportDir(t, k.log, tenant, pgledger.ExportOptions{})
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NotContains(t, string(b), text, path)
		}
		return err
	}))
	k.eachText(t, func(table, row string) { require.NotContains(t, row, text, table) })

	k.restore(t, backup)
	require.Equal(t, 4, k.values(t, tenant), "restored")
	t.Run("and a restored older backup forgets it before it serves", func(t *testing.T) {
		k.log = k.open(t, journalled(j))
		require.Equal(t, 2, k.values(t, tenant), "replayed by Open")
		require.NotContains(t, plain(t, dump(t, k.pg)), text)
		head, err := k.log.Head(t.Context(), tenant)
		require.NoError(t, err)
		last, err := k.log.Entry(t.Context(), tenant, head.Size-1)
		require.NoError(t, err)
		require.Equal(t, verify.RedactionAction, last.Action)
		require.Equal(t, "erasure_journal", last.EntityID)
		requireIntact(t, k.log, tenant, int(head.Size))
		again := k.open(t, journalled(j))
		same, err := again.Head(t.Context(), tenant)
		require.NoError(t, err)
		require.Equal(t, head, same, "a second start has nothing to erase")
	})
	t.Run("and a journal that cannot be read keeps the log from opening", func(t *testing.T) {
		broken := &memoryJournal{records: []ledger.ErasureRecord{{}}}
		_, err := pgledger.Open(t.Context(), k.db, journalled(eachFails{broken}))
		require.ErrorIs(t, err, errJournal)
	})
}

var errJournal = errors.New("unreadable")

type eachFails struct{ *memoryJournal }

func (eachFails) Each(context.Context, func(ledger.ErasureRecord) error) error { return errJournal }

// eachText calls fn with every row of every table of the schema.
func (k kit) eachText(t testing.TB, fn func(table, row string)) {
	t.Helper()
	su := k.pg.Superuser(t)
	rows, err := su.Query(context.Background(), `SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'm') AND c.relnamespace = 'tomkit'::regnamespace`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	for _, table := range tables {
		rows, err := su.Query(context.Background(), `SELECT t::text FROM `+table+` t`)
		require.NoError(t, err)
		all, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		for _, row := range all {
			fn(table, row)
		}
	}
}
