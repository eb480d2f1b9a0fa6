package ledgertest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func testRefusals(t *testing.T, s *suite) {
	tenant := s.tenant()
	s.append(t, Event(tenant, 0))
	before, err := s.Log.Head(t.Context(), tenant)
	require.NoError(t, err)
	deep := map[string]any{}
	for at, i := deep, 0; i < verify.MaxDepth+1; i++ {
		next := map[string]any{}
		at["d"] = next
		at = next
	}
	for name, c := range map[string]struct {
		edit func(*record.Event)
		want error
	}{
		"no tenant":             {func(e *record.Event) { e.Tenant = uuid.Nil }, ledger.ErrInvalid},
		"no action":             {func(e *record.Event) { e.Action = "" }, ledger.ErrInvalid},
		"an action with spaces": {func(e *record.Event) { e.Action = "log in" }, ledger.ErrInvalid},
		"a long action":         {func(e *record.Event) { e.Action = strings.Repeat("a", verify.MaxAction+1) }, ledger.ErrTooLarge},
		"a change of keys":      {func(e *record.Event) { e.Action = verify.RotationAction }, ledger.ErrInvalid},
		"a gap":                 {func(e *record.Event) { e.Action = verify.RecoveryAction }, ledger.ErrInvalid},
		"an end":                {func(e *record.Event) { e.Action = verify.ClosingAction }, ledger.ErrInvalid},
		"an erasure":            {func(e *record.Event) { e.Action = verify.RedactionAction }, ledger.ErrInvalid},
		"no entity type":        {func(e *record.Event) { e.EntityType = "" }, ledger.ErrInvalid},
		"a long entity id":      {func(e *record.Event) { e.EntityID = strings.Repeat("a", verify.MaxEntityID+1) }, ledger.ErrTooLarge},
		"U+0000 in an id":       {func(e *record.Event) { e.EntityID = "a\x00" }, ledger.ErrInvalid},
		"an id that is no text": {func(e *record.Event) { e.EntityID = "\xff" }, ledger.ErrInvalid},
		"a fraction":            {func(e *record.Event) { e.Details = map[string]any{"x": 0.5} }, ledger.ErrInvalid},
		"null":                  {func(e *record.Event) { e.Details = map[string]any{"x": nil} }, ledger.ErrInvalid},
		"an integer of 2^53":    {func(e *record.Event) { e.Details = map[string]any{"x": int64(1) << 53} }, ledger.ErrInvalid},
		"deep details":          {func(e *record.Event) { e.Details = deep }, ledger.ErrInvalid},
		"large details":         {func(e *record.Event) { e.Details = map[string]any{"x": strings.Repeat("x", verify.MaxDetails)} }, ledger.ErrTooLarge},
		"a forged commitment": {func(e *record.Event) {
			e.Details = map[string]any{"x": map[string]any{"c": strings.Repeat("ab", 32)}}
		}, ledger.ErrInvalid},
		"a forged form": {func(e *record.Event) { e.Details = map[string]any{narrative.Member: "x"} }, ledger.ErrInvalid},
		"a large personal value": {func(e *record.Event) {
			e.Details = map[string]any{"x": record.Personal{Value: strings.Repeat("x", verify.MaxPersonal+1)}}
		}, ledger.ErrTooLarge},
		"no sentence":            {func(e *record.Event) { e.Narrative = record.Narrative{} }, ledger.ErrInvalid},
		"a sentence of its own":  {func(e *record.Event) { e.Narrative.Template = "Alles gut." }, ledger.ErrInvalid},
		"an argument too few":    {func(e *record.Event) { e.Narrative.Args = nil }, ledger.ErrInvalid},
		"a person in plain text": {func(e *record.Event) { e.Narrative.Args["user"] = "a@b.de" }, ledger.ErrInvalid},
	} {
		ev := Event(tenant, 0)
		c.edit(&ev)
		_, err := s.Log.Append(t.Context(), ev)
		require.ErrorIs(t, err, c.want, name)
		require.NotContains(t, err.Error(), "klinikum", name)
	}
	after, err := s.Log.Head(t.Context(), tenant)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func testCancelled(t *testing.T, s *suite) {
	tenant := s.tenant()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Log.Append(ctx, Event(tenant, 0))
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Log.Head(t.Context(), tenant)
	require.ErrorIs(t, err, ledger.ErrNoLog)

	// Cancelled at any moment: an error means that nothing is there, unless it says that it does not know.
	written := map[[16]byte]bool{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range 60 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n*n)*10*time.Microsecond)
			defer cancel()
			r, err := s.Log.Append(ctx, Event(tenant, n))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				written[r.ID] = true
			case errors.Is(err, ledger.ErrOutcomeUnknown):
				t.Error("unknown, with the store at hand")
			}
		})
	}
	all.Wait()
	have := map[[16]byte]bool{}
	for _, e := range s.all(t, tenant) {
		if e.Action == "login" || e.Action == "device_enrolled" { // not what the log writes by itself
			have[e.ID] = true
		}
	}
	require.Equal(t, written, have)
}

func testConcurrency(t *testing.T, s *suite) {
	tenant := s.tenant()
	stores := []Store{s.Log}
	if s.Another != nil {
		stores = append(stores, s.Another(t))
	}
	const writers, each = 32, 20
	seen := map[uint64][16]byte{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				r, err := stores[(w+i)%len(stores)].Append(context.Background(), Event(tenant, w*each+i)) // every third is critical
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if _, twice := seen[r.Seq]; twice {
					t.Errorf("position %d was given twice", r.Seq)
				}
				seen[r.Seq] = r.ID
				mu.Unlock()
			}
		})
	}
	all.Wait()
	require.Len(t, seen, writers*each)
	entries := s.all(t, tenant)
	for i, e := range entries {
		require.EqualValues(t, i, e.Seq)
		if id, ours := seen[e.Seq]; ours {
			require.Equal(t, id, e.ID)
			delete(seen, e.Seq)
		}
	}
	require.Empty(t, seen, "every receipt names an entry")
}

func testPersonal(t *testing.T, s *suite) {
	tenant, subject := s.tenant(), uuid.New()
	value := "Erika Mustermann"
	var commitments [][32]byte
	for range 2 {
		r := s.append(t, record.Event{Tenant: tenant, Action: "login", EntityType: "user", EntityID: subject.String(),
			Details: map[string]any{"who": []any{record.Personal{Subject: subject, Value: value}}},
			Narrative: record.Narrative{Template: "login", Args: map[string]any{"user": record.Personal{Subject: subject, Value: value},
				"at": time.Now(), "method": "Passwort"}}})
		e := s.entry(t, tenant, r.Seq)
		require.NotContains(t, e.Narrative+string(e.Details), value)
		require.Contains(t, e.Readable, value)
		require.Len(t, e.Openings, 2)
		for _, o := range e.Openings {
			require.Equal(t, subject, o.Subject)
			require.Equal(t, value, o.Value)
			require.Equal(t, o.Commitment, verify.Commitment(o.Salt, o.Value))
			require.Contains(t, e.Commitments(), o.Commitment)
			require.NotContains(t, commitments, o.Commitment, "equal values have different commitments")
			commitments = append(commitments, o.Commitment)
		}
	}
}

func testIsolation(t *testing.T, s *suite) {
	a, b := s.tenant(), s.tenant()
	for n := range 8 {
		ra, rb := s.append(t, Event(a, n)), s.append(t, Event(b, n))
		require.Equal(t, ra.Seq, rb.Seq, "one log does not count the other's entries")
	}
	for _, tenant := range []uuid.UUID{a, b} {
		for _, e := range s.all(t, tenant) {
			require.EqualValues(t, tenant, e.Tenant)
		}
	}
	headA, err := s.Log.Head(t.Context(), a)
	require.NoError(t, err)
	s.append(t, Event(b, 9))
	again, err := s.Log.Head(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, headA, again)
	actor := Event(b, 0).Actor
	page, err := s.Log.Entries(t.Context(), a, ledger.Filter{Actor: actor})
	require.NoError(t, err)
	require.Empty(t, page)
}

func testBatch(t *testing.T, s *suite) {
	if s.Batch == nil {
		return
	}
	tenant := s.tenant()
	s.append(t, Event(tenant, 0))
	before, err := s.Log.Head(t.Context(), tenant)
	require.NoError(t, err)
	receipts, err := s.Batch(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, receipts)

	bad := Event(tenant, 2)
	bad.Details = map[string]any{"x": nil}
	_, err = s.Batch(t.Context(), []record.Event{Event(tenant, 1), bad, Event(tenant, 3)})
	require.ErrorIs(t, err, ledger.ErrInvalid)
	_, err = s.Batch(t.Context(), []record.Event{Event(tenant, 1), Event(uuid.New(), 2)})
	require.ErrorIs(t, err, ledger.ErrInvalid)
	after, err := s.Log.Head(t.Context(), tenant)
	require.NoError(t, err)
	require.Equal(t, before, after)

	var events []record.Event
	for n := range 30 {
		events = append(events, Event(tenant, n))
	}
	receipts, err = s.Batch(t.Context(), events)
	require.NoError(t, err)
	require.Len(t, receipts, len(events))
	for i, r := range receipts {
		require.Equal(t, before.Size+uint64(i), r.Seq)
		require.Equal(t, events[i].EntityID, s.entry(t, tenant, r.Seq).EntityID)
	}
}

func testInTx(t *testing.T, s *suite) {
	if s.InTx == nil {
		return
	}
	tenant, failed := s.tenant(), errors.New("the change failed")
	err := s.InTx(t.Context(), tenant, func(record func(record.Event) error) error {
		require.NoError(t, record(Event(tenant, 0)))
		return failed
	})
	require.ErrorIs(t, err, failed)
	_, err = s.Log.Head(t.Context(), tenant)
	require.ErrorIs(t, err, ledger.ErrNoLog)

	var want []string
	for turn := range 3 {
		s.append(t, Event(tenant, 6*turn))
		want = append(want, Event(tenant, 6*turn).EntityID)
		err := s.InTx(t.Context(), tenant, func(record func(record.Event) error) error {
			bad := Event(tenant, 1)
			bad.Action = "not a name"
			require.ErrorIs(t, record(bad), ledger.ErrInvalid)
			for n := range 3 {
				if err := record(Event(tenant, 6*turn+n+1)); err != nil {
					return err
				}
				want = append(want, Event(tenant, 6*turn+n+1).EntityID)
			}
			_, err := s.Log.Head(context.WithoutCancel(t.Context()), tenant)
			require.NoError(t, err, "the log can be read meanwhile")
			return nil
		})
		require.NoError(t, err)
	}
	var have []string
	for _, e := range s.all(t, tenant) {
		if e.Action == "login" || e.Action == "device_enrolled" { // not what the log writes by itself
			have = append(have, e.EntityID)
		}
	}
	require.Equal(t, want, have, "in the order in which they were recorded")
}
