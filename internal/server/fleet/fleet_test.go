package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn/credential"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/heartbeat/pgsink"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/internal/server/fleet"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// recorder takes events down, or fails: at once, or when the transaction ends.
type recorder struct {
	mu     sync.Mutex
	events []record.Event
	now    error
	late   error
}

func (r *recorder) RecordTx(_ context.Context, tx *rls.Tx, ev record.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now != nil {
		return r.now
	}
	r.events = append(r.events, ev)
	if late := r.late; late != nil {
		tx.BeforeCommit(func(context.Context, pgx.Tx) error { return late })
	}
	return nil
}

type fixture struct {
	*pgtest.DB
	super *pgxpool.Pool
	rec   *recorder
	clock time.Time
	store *fleet.Store
	by    fleet.Actor
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db := pgtest.New(t, rls.Migrations(), tenant.Migrations(), pgledger.Migrations(), pgauthn.Migrations(), pgsink.Migrations(), fleet.Migrations())
	f := &fixture{DB: db, super: db.Superuser(t), rec: &recorder{}, clock: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC), by: fleet.Actor{User: uuid.New(), Email: "head@ward.example"}}
	f.store = fleet.New(db.Open(t), f.rec, func() time.Time { return f.clock })
	return f
}

func (f *fixture) token(t *testing.T, tenant uuid.UUID) credential.Credential {
	t.Helper()
	token, _, err := f.store.CreateToken(t.Context(), tenant, f.by)
	require.NoError(t, err)
	return token
}

func facts(n int) fleet.Facts {
	return fleet.Facts{Name: fmt.Sprintf("pc-%d", n), OS: "linux", Arch: "amd64", MachineID: fmt.Sprintf("%064x", n)}
}

// state is everything this room keeps.
func (f *fixture) state(t *testing.T) (text string) {
	t.Helper()
	require.NoError(t, f.super.QueryRow(t.Context(), `SELECT concat(
		(SELECT jsonb_agg(to_jsonb(x) ORDER BY secret_hash) FROM tomkit.enrol_tokens x),
		(SELECT jsonb_agg(to_jsonb(x) ORDER BY id) FROM tomkit.devices x),
		(SELECT jsonb_agg(to_jsonb(x) ORDER BY secret_hash) FROM tomkit.device_credentials x))`).Scan(&text))
	return text
}

func TestNoChangeSurvivesWithoutItsEntry(t *testing.T) {
	f := newFixture(t)
	ward := f.Tenant(t, "ward")
	device, cred, err := f.store.Enrol(t.Context(), f.token(t, ward), facts(1))
	require.NoError(t, err)
	token := f.token(t, ward)
	before := f.state(t)
	broken := errors.New("the ledger is broken")
	for name, fail := range map[string]func(){
		"refused at once":           func() { f.rec.now, f.rec.late = broken, nil },
		"refused before the commit": func() { f.rec.now, f.rec.late = nil, broken },
	} {
		t.Run("an entry "+name, func(t *testing.T) {
			fail()
			got, _, err := f.store.CreateToken(t.Context(), ward, f.by)
			require.ErrorIs(t, err, broken)
			require.Empty(t, got.Reveal())
			id, got, err := f.store.Enrol(t.Context(), token, facts(2))
			require.ErrorIs(t, err, broken)
			require.Equal(t, uuid.Nil, id)
			require.Empty(t, got.Reveal())
			require.ErrorIs(t, f.store.Remove(t.Context(), ward, device, f.by), broken)
			require.Equal(t, before, f.state(t))
			_, err = f.store.Authenticate(t.Context(), cred)
			require.NoError(t, err)
		})
	}
}

func TestEntriesNameThePersonAndHoldNoSecret(t *testing.T) {
	f := newFixture(t)
	ward := f.Tenant(t, "ward")
	token := f.token(t, ward)
	device, cred, err := f.store.Enrol(t.Context(), token, facts(1))
	require.NoError(t, err)
	require.NoError(t, f.store.Remove(t.Context(), ward, device, f.by))
	var actions []string
	for _, ev := range f.rec.events {
		actions = append(actions, ev.Action)
		require.Equal(t, ward, ev.Tenant)
		text := fmt.Sprintf("%+v", ev)
		for _, secret := range []string{token.Reveal(), cred.Reveal(), facts(1).MachineID} {
			require.NotContains(t, text, secret)
		}
	}
	require.Equal(t, []string{"enrol_token_created", "device_enrolled", "device_removed"}, actions)
	require.False(t, f.rec.events[1].Actor.Valid, "the machine enrols itself")
	require.Equal(t, record.Personal{Subject: f.by.User, Value: f.by.Email}, f.rec.events[2].Narrative.Args["user"])
	require.NotContains(t, f.state(t), token.Reveal()[len(token.Reveal())-43:])
}

func TestATokenIsGoodForADayAndForOneMachine(t *testing.T) {
	f := newFixture(t)
	ward := f.Tenant(t, "ward")
	t.Run("until its last moment", func(t *testing.T) {
		token, expires, err := f.store.CreateToken(t.Context(), ward, f.by)
		require.NoError(t, err)
		require.Equal(t, f.clock.Add(fleet.TokenTTL), expires)
		f.clock = expires
		_, _, err = f.store.Enrol(t.Context(), token, facts(1))
		require.ErrorIs(t, err, fleet.ErrCredential)
		f.clock = expires.Add(-time.Microsecond)
		_, _, err = f.store.Enrol(t.Context(), token, facts(1))
		require.NoError(t, err)
		_, _, err = f.store.Enrol(t.Context(), token, facts(2))
		require.ErrorIs(t, err, fleet.ErrCredential)
	})
	t.Run("of 16 at once one gets in", func(t *testing.T) {
		token := f.token(t, ward)
		var wg sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			wg.Go(func() { _, _, errs[i] = f.store.Enrol(t.Context(), token, facts(100+i)) })
		}
		wg.Wait()
		in := 0
		for _, err := range errs {
			if err == nil {
				in++
				continue
			}
			require.ErrorIs(t, err, fleet.ErrCredential)
		}
		require.Equal(t, 1, in)
	})
	t.Run("one machine with two tokens at once is one device", func(t *testing.T) {
		tokens := []credential.Credential{f.token(t, ward), f.token(t, ward)}
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i := range tokens {
			wg.Go(func() { _, _, errs[i] = f.store.Enrol(t.Context(), tokens[i], facts(200)) })
		}
		wg.Wait()
		if errs[0] == nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		require.ErrorIs(t, errs[0], fleet.ErrEnrolled)
		require.NoError(t, errs[1])
	})
}

func TestTenantsDoNotReachEachOther(t *testing.T) {
	f := newFixture(t)
	ward, lab := f.Tenant(t, "ward"), f.Tenant(t, "lab")
	mine, cred, err := f.store.Enrol(t.Context(), f.token(t, ward), facts(1))
	require.NoError(t, err)
	theirs, _, err := f.store.Enrol(t.Context(), f.token(t, lab), facts(1))
	require.NoError(t, err, "the same machine in another tenant")

	require.ErrorIs(t, f.store.Remove(t.Context(), ward, theirs, f.by), fleet.ErrUnknown)
	require.ErrorIs(t, f.store.Remove(t.Context(), lab, mine, f.by), fleet.ErrUnknown)
	for tenant, want := range map[uuid.UUID]uuid.UUID{ward: mine, lab: theirs} {
		list, err := f.store.List(t.Context(), tenant, uuid.Nil, 100)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, want, list[0].ID)
		require.Nil(t, list[0].LastSeen)
	}
	got, err := f.store.Authenticate(t.Context(), cred)
	require.NoError(t, err)
	require.Equal(t, mine, got)

	stranger, err := credential.New(credential.Device, lab)
	require.NoError(t, err)
	_, err = f.store.Authenticate(t.Context(), stranger)
	require.ErrorIs(t, err, fleet.ErrCredential)
	nobody, err := credential.New(credential.Enrol, uuid.New())
	require.NoError(t, err)
	_, _, err = f.store.Enrol(t.Context(), nobody, facts(9))
	require.ErrorIs(t, err, fleet.ErrCredential)

	require.NoError(t, f.store.Remove(t.Context(), ward, mine, f.by))
	_, err = f.store.Authenticate(t.Context(), cred)
	require.ErrorIs(t, err, fleet.ErrCredential)
	require.ErrorIs(t, f.store.Remove(t.Context(), ward, mine, f.by), fleet.ErrUnknown)
	list, err := f.store.List(t.Context(), lab, uuid.Nil, 100)
	require.NoError(t, err)
	require.Len(t, list, 1)
}

// TestASuspendedTenantsDevicesAreStrangers suspends the tenant, and then its MSP.
func TestASuspendedTenantsDevicesAreStrangers(t *testing.T) {
	f := newFixture(t)
	north := f.MSP(t, "north")
	ward, lab := f.TenantUnder(t, "north", "ward"), f.TenantUnder(t, "south", "lab")
	device, cred, err := f.store.Enrol(t.Context(), f.token(t, ward), facts(1))
	require.NoError(t, err)
	_, other, err := f.store.Enrol(t.Context(), f.token(t, lab), facts(1))
	require.NoError(t, err)
	token := f.token(t, ward)
	db := f.Open(t)
	for name, set := range map[string]func(context.Context, *rls.Tx, tenant.Status) error{
		"the tenant": func(ctx context.Context, tx *rls.Tx, s tenant.Status) error {
			return tenant.SetStatus(ctx, tx, ward, s)
		},
		"its MSP": func(ctx context.Context, tx *rls.Tx, s tenant.Status) error {
			return tenant.SetMSPStatus(ctx, tx, north, s)
		},
	} {
		become := func(s tenant.Status) {
			require.NoError(t, db.System(t.Context(), "test", func(ctx context.Context, tx *rls.Tx) error { return set(ctx, tx, s) }))
		}
		t.Run(name, func(t *testing.T) {
			become(tenant.Suspended)
			before := f.state(t)
			_, unknown := f.store.Authenticate(t.Context(), must(credential.New(credential.Device, ward)))
			_, refused := f.store.Authenticate(t.Context(), cred)
			require.ErrorIs(t, refused, fleet.ErrCredential)
			require.Equal(t, unknown, refused, "one answer for both")
			_, _, unknown = f.store.Enrol(t.Context(), must(credential.New(credential.Enrol, ward)), facts(2))
			_, _, refused = f.store.Enrol(t.Context(), token, facts(2))
			require.ErrorIs(t, refused, fleet.ErrCredential)
			require.Equal(t, unknown, refused, "one answer for both")
			require.Equal(t, before, f.state(t), "the token is not used up")
			_, err := f.store.Authenticate(t.Context(), other)
			require.NoError(t, err, "another tenant's")
			become(tenant.Active)
			got, err := f.store.Authenticate(t.Context(), cred)
			require.NoError(t, err)
			require.Equal(t, device, got)
		})
	}
	_, _, err = f.store.Enrol(t.Context(), token, facts(2))
	require.NoError(t, err)
}

func must(c credential.Credential, err error) credential.Credential {
	if err != nil {
		panic(err)
	}
	return c
}

// TestRowsCannotBeTakenAway checks what the request login may do to this room's tables.
func TestRowsCannotBeTakenAway(t *testing.T) {
	f := newFixture(t)
	app := f.Pool(t, rls.RoleApp)
	for _, table := range []string{"devices", "device_credentials", "enrol_tokens"} {
		for _, sql := range []string{"DELETE FROM tomkit.", "TRUNCATE tomkit."} {
			_, err := app.Exec(t.Context(), sql+table)
			require.ErrorContains(t, err, "42501", sql+table)
		}
	}
}
