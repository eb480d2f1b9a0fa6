package ledgertest

import (
	"math/rand"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func testFilters(t *testing.T, s *suite) {
	tenant := s.tenant()
	for n := range 24 {
		s.append(t, Event(tenant, n))
	}
	all := s.all(t, tenant)
	random := rand.New(rand.NewSource(1))
	pick := func() *ledger.Entry { return &all[random.Intn(len(all))] }
	maybe := func() bool { return random.Intn(3) == 0 }
	for range 150 {
		f := ledger.Filter{Limit: 1 + random.Intn(40), Newest: random.Intn(2) == 0, CriticalOnly: maybe()}
		if maybe() {
			f.Action = pick().Action
		}
		if maybe() {
			f.EntityType = pick().EntityType
		}
		if maybe() {
			f.EntityID = pick().EntityID
		}
		if e := pick(); maybe() && e.User != nil {
			f.Actor = uuid.NullUUID{UUID: *e.User, Valid: true}
		}
		if maybe() {
			f.From = pick().CreatedAt
		}
		if maybe() {
			f.Until = pick().CreatedAt
		}
		if maybe() {
			after := pick().Seq
			f.After = &after
		}
		have, err := s.Log.Entries(t.Context(), tenant, f)
		require.NoError(t, err)
		require.Equal(t, seqs(selected(all, f)), seqs(have), "%+v", f)
	}
	none, err := s.Log.Entries(t.Context(), tenant, ledger.Filter{Action: "no_such_action"})
	require.NoError(t, err)
	require.Empty(t, none)
}

// selected is the meaning of a Filter, in Go.
func selected(all []ledger.Entry, f ledger.Filter) (out []ledger.Entry) {
	all = slices.Clone(all)
	if f.Newest {
		slices.Reverse(all)
	}
	for _, e := range all {
		switch {
		case f.After != nil && !f.Newest && e.Seq <= *f.After, f.After != nil && f.Newest && e.Seq >= *f.After,
			!f.From.IsZero() && e.CreatedAt.Before(f.From), !f.Until.IsZero() && !e.CreatedAt.Before(f.Until),
			f.Action != "" && e.Action != f.Action, f.EntityType != "" && e.EntityType != f.EntityType, f.EntityID != "" && e.EntityID != f.EntityID,
			f.Actor.Valid && (e.User == nil || uuid.UUID(*e.User) != f.Actor.UUID), f.CriticalOnly && e.Class != verify.Critical:
		case len(out) < f.Limit:
			out = append(out, e)
		}
	}
	return out
}

func seqs(entries []ledger.Entry) []uint64 {
	out := make([]uint64, len(entries))
	for i := range entries {
		out[i] = entries[i].Seq
	}
	return out
}

func testPages(t *testing.T, s *suite) {
	tenant := s.tenant()
	for n := range ledger.DefaultPage + 5 {
		s.append(t, Event(tenant, n))
	}
	all := seqs(s.all(t, tenant))
	for _, newest := range []bool{false, true} {
		for _, limit := range []int{7, 0} {
			var have []uint64
			f := ledger.Filter{Limit: limit, Newest: newest}
			for {
				page, err := s.Log.Entries(t.Context(), tenant, f)
				require.NoError(t, err)
				if len(page) == 0 {
					break
				}
				if limit == 0 {
					require.LessOrEqual(t, len(page), ledger.DefaultPage)
				} else {
					require.LessOrEqual(t, len(page), limit)
				}
				have = append(have, seqs(page)...)
				f.After = &have[len(have)-1]
			}
			if newest {
				slices.Reverse(have)
			}
			require.Equal(t, all, have)
		}
	}
	for _, limit := range []int{-1, ledger.MaxPage + 1} {
		_, err := s.Log.Entries(t.Context(), tenant, ledger.Filter{Limit: limit})
		require.ErrorIs(t, err, ledger.ErrInvalid)
	}
}
