package ledgertest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Store is a log that can be written and read.
type Store interface {
	ledger.Appender
	ledger.Reader
}

// Implementation is what Run tests. Log is needed; what is nil is not tested.
type Implementation struct {
	Log Store
	// Another returns a further handle on the same data, as another process would have it.
	Another func(t testing.TB) Store
	// Batch writes events of one tenant, all or none.
	Batch func(ctx context.Context, events []record.Event) ([]ledger.Receipt, error)
	// InTx runs fn in a transaction of the tenant's, with a function that records events in it, and commits unless fn fails.
	InTx func(ctx context.Context, tenant uuid.UUID, fn func(record func(record.Event) error) error) error
	// Verify judges a tenant's log.
	Verify func(ctx context.Context, tenant uuid.UUID) (*verify.Report, error)
	// Keys returns the keys by which a tenant's receipts verify. Without it Receipt.Wait is not tested.
	Keys func(ctx context.Context, tenant uuid.UUID) (*verify.KeyHistory, error)
}

// Run holds an implementation to what ledger.Appender and ledger.Reader promise. open is called once for each part; tenants
// are new ones, so the data may be shared.
func Run(t *testing.T, open func(t testing.TB) Implementation) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"entries stand in the order they were written, without a gap", testOrder},
		{"an entry says what its event said", testContent},
		{"a receipt names its entry, and proves it", testReceipts},
		{"filters select what they say", testFilters},
		{"pages meet without overlap", testPages},
		{"what cannot be recorded is refused, and nothing is written", testRefusals},
		{"a call that was cancelled writes nothing", testCancelled},
		{"many writers share a log without a fork", testConcurrency},
		{"personal values are bound, not written", testPersonal},
		{"tenants know nothing of each other", testIsolation},
		{"a batch is written whole or not at all", testBatch},
		{"what a transaction records is there when it commits, and only then", testInTx},
	} {
		t.Run(part.name, func(t *testing.T) {
			s := &suite{Implementation: open(t)}
			part.run(t, s)
			for _, tenant := range s.tenants {
				s.intact(t, tenant)
			}
		})
	}
}

type suite struct {
	Implementation
	tenants []uuid.UUID
}

func (s *suite) tenant() uuid.UUID {
	id := uuid.New()
	s.tenants = append(s.tenants, id)
	return id
}

// intact checks a log by its entries and, where there is one, by its verifier.
func (s *suite) intact(t *testing.T, tenant uuid.UUID) {
	t.Helper()
	var chain verify.Chain
	chain.Expect(tenant)
	all := s.all(t, tenant)
	for i := range all {
		canonical, err := all[i].Canonical()
		require.NoError(t, err)
		require.NoError(t, chain.Check(canonical))
		require.Equal(t, verify.LeafHash(canonical), all[i].LeafHash)
		status, err := narrative.Check(&all[i].Entry)
		require.Equal(t, narrative.Rendered, status, "%v", err)
	}
	if s.Verify == nil || len(all) == 0 {
		return
	}
	report, err := s.Verify(t.Context(), tenant)
	require.NoError(t, err)
	require.True(t, report.Intact(), "%v", report.Findings)
	require.EqualValues(t, len(all), report.Entries)
}

// all reads a log to its end.
func (s *suite) all(t *testing.T, tenant uuid.UUID) (all []ledger.Entry) {
	t.Helper()
	f := ledger.Filter{Limit: ledger.MaxPage}
	for {
		page, err := s.Log.Entries(t.Context(), tenant, f)
		require.NoError(t, err)
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		last := page[len(page)-1].Seq
		f.After = &last
	}
}

func (s *suite) append(t *testing.T, ev record.Event) ledger.Receipt {
	t.Helper()
	r, err := s.Log.Append(t.Context(), ev)
	require.NoError(t, err)
	return r
}

// Event returns an ordinary event, number n: every third is critical, every second by the system and about no person.
func Event(tenant uuid.UUID, n int) record.Event {
	at := time.Date(2026, 3, 9, 14, 23, n, 0, time.UTC)
	if n%2 == 1 {
		return record.Event{Tenant: tenant, Action: "device_enrolled", EntityType: "device", EntityID: fmt.Sprintf("pc-%d", n), Critical: n%3 == 0,
			Details:   map[string]any{"n": n, "tags": []any{"ä", true}},
			Narrative: record.Narrative{Template: "device_enrolled", Args: map[string]any{"device": fmt.Sprintf("ward-%d", n), "at": at}}}
	}
	user := uuid.NewSHA1(tenant, []byte{byte(n % 6)})
	return record.Event{Tenant: tenant, Actor: uuid.NullUUID{UUID: user, Valid: true}, Action: "login", EntityType: "user", EntityID: user.String(),
		Critical: n%3 == 0, Details: map[string]any{"address": record.Personal{Subject: user, Value: fmt.Sprintf("192.0.2.%d", n%256)}},
		Narrative: record.Narrative{Template: "login", Args: map[string]any{
			"user": record.Personal{Subject: user, Value: fmt.Sprintf("nutzer%d@klinikum.de", n%6)}, "at": at, "method": "Passwort und TOTP"}}}
}

func testOrder(t *testing.T, s *suite) {
	tenant := s.tenant()
	_, err := s.Log.Head(t.Context(), tenant)
	require.ErrorIs(t, err, ledger.ErrNoLog)
	empty, err := s.Log.Entries(t.Context(), tenant, ledger.Filter{})
	require.NoError(t, err)
	require.Empty(t, empty)
	var receipts []ledger.Receipt
	for n := range 12 {
		receipts = append(receipts, s.append(t, Event(tenant, n)))
	}
	for i, r := range receipts[1:] {
		require.Equal(t, receipts[i].Seq+1, r.Seq)
		require.False(t, r.At.Before(receipts[i].At), "time never steps back")
	}
	all := s.all(t, tenant)
	head, err := s.Log.Head(t.Context(), tenant)
	require.NoError(t, err)
	last := all[len(all)-1]
	require.Equal(t, ledger.Head{Size: uint64(len(all)), Hash: last.CurrentHash, At: last.CreatedAt}, head)
	require.Equal(t, receipts[11].Seq, last.Seq)
	ids := map[[16]byte]bool{}
	for i, e := range all {
		require.EqualValues(t, i, e.Seq)
		require.False(t, ids[e.ID])
		ids[e.ID] = true
	}
}

func testContent(t *testing.T, s *suite) {
	tenant := s.tenant()
	for n := range 6 {
		ev := Event(tenant, n)
		r := s.append(t, ev)
		e := s.entry(t, tenant, r.Seq)
		require.EqualValues(t, tenant, e.Tenant)
		require.Equal(t, []string{ev.Action, ev.EntityType, ev.EntityID}, []string{e.Action, e.EntityType, e.EntityID})
		require.Equal(t, ev.Actor.Valid, e.User != nil)
		if e.User != nil {
			require.EqualValues(t, ev.Actor.UUID, *e.User)
		}
		require.Equal(t, ev.Critical, e.Class == verify.Critical)
		require.Equal(t, ev.Critical, len(e.Signature) > 0)
		require.Equal(t, verify.SchemeBound, e.Scheme)
		require.Equal(t, time.UTC, e.CreatedAt.Location())
		if n%2 == 1 {
			require.Contains(t, string(e.Details), fmt.Sprintf(`"n":%d`, n))
			require.Equal(t, fmt.Sprintf("Gerät ward-%d wurde am 2026-03-09T14:23:%02dZ registriert.", n, n), e.Readable)
			require.Equal(t, e.Narrative, e.Readable)
		}
	}
}

func (s *suite) entry(t *testing.T, tenant uuid.UUID, seq uint64) ledger.Entry {
	t.Helper()
	f := ledger.Filter{Limit: 1}
	if seq > 0 {
		before := seq - 1
		f.After = &before
	}
	page, err := s.Log.Entries(t.Context(), tenant, f)
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.Equal(t, seq, page[0].Seq)
	return page[0]
}

func testReceipts(t *testing.T, s *suite) {
	tenant := s.tenant()
	var receipts []ledger.Receipt
	for n := range 5 {
		r := s.append(t, Event(tenant, n))
		e := s.entry(t, tenant, r.Seq)
		require.Equal(t, tenant, r.Tenant)
		require.EqualValues(t, r.ID, e.ID)
		require.Equal(t, e.LeafHash, r.LeafHash)
		require.True(t, r.At.Equal(e.CreatedAt))
		receipts = append(receipts, r)
	}
	_, err := ledger.Receipt{}.Wait(t.Context())
	require.Error(t, err, "the zero receipt stands for nothing")
	if s.Keys == nil {
		return
	}
	for _, r := range receipts {
		proof, err := r.Wait(t.Context())
		require.NoError(t, err)
		keys, err := s.Keys(t.Context(), tenant)
		require.NoError(t, err)
		require.Equal(t, r.Seq, proof.Index)
		require.Equal(t, r.LeafHash, proof.Leaf)
		_, err = proof.Verify(keys)
		require.NoError(t, err)
		proof.Index++
		_, err = proof.Verify(keys)
		require.Error(t, err, "for this position only")
	}
}
