package pgsink_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/pgsink"
)

// mixed returns 499 good beats with one more at the given place.
func (f *fixture) mixed(t *testing.T, tenant uuid.UUID, odd heartbeat.Beat, place int) []heartbeat.Beat {
	var batch []heartbeat.Beat
	for _, id := range f.devices(t, tenant, 499) {
		batch = append(batch, beat(tenant, id, noon))
	}
	batch = append(batch, heartbeat.Beat{})
	copy(batch[place+1:], batch[place:])
	batch[place] = odd
	return batch
}

func requireOneOdd(t *testing.T, out []heartbeat.Outcome, place int, want heartbeat.Outcome) {
	t.Helper()
	require.Len(t, out, 500)
	for i, o := range out {
		if i == place {
			require.Equal(t, want, o)
		} else {
			require.Equal(t, heartbeat.Stored, o, i)
		}
	}
}

func TestPoisonDoesNotBlockTheOthers(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	s := f.sink(t, pgsink.Config{})
	cases := map[string]struct {
		odd    heartbeat.Beat
		reason string
		want   heartbeat.Outcome
	}{
		"a tenant that never was":       {beat(uuid.New(), uuid.New(), noon), "unknown_tenant", heartbeat.UnknownDevice},
		"a device that never was":       {beat(tenant, uuid.New(), noon), "unknown_device", heartbeat.UnknownDevice},
		"a sample that is not valid":    {heartbeat.Beat{Tenant: tenant, Device: uuid.New(), ReceivedAt: noon}, "refused", heartbeat.Refused},
		"a beat of nobody":              {heartbeat.Beat{}, "refused", heartbeat.Refused},
		"a device of another tenant":    {beat(tenant, f.devices(t, f.Tenant(t, "lab"), 1)[0], noon), "unknown_device", heartbeat.UnknownDevice},
		"a tenant that was deleted":     {beat(f.deletedTenant(t), uuid.New(), noon), "unknown_tenant", heartbeat.UnknownDevice},
		"a content the database denies": {f.denied(t, tenant), "refused", heartbeat.Refused},
	}
	for name, tc := range cases {
		for _, place := range []int{0, 250, 499} {
			t.Run(fmt.Sprint(name, " at ", place), func(t *testing.T) {
				_, err := f.super.Exec(t.Context(), `TRUNCATE tomkit.heartbeat_dead_letters`)
				require.NoError(t, err)
				out, err := s.Write(t.Context(), f.mixed(t, tenant, tc.odd, place))
				require.NoError(t, err)
				requireOneOdd(t, out, place, tc.want)
				require.Equal(t, 1, f.count(t, `SELECT count(*) FROM tomkit.heartbeat_dead_letters WHERE tenant_id = $1 AND device_id = $2 AND reason = $3`,
					tc.odd.Tenant, tc.odd.Device, tc.reason))
				require.Equal(t, 1, f.count(t, `SELECT count(*) FROM tomkit.heartbeat_dead_letters`))
			})
		}
	}
	t.Run("dead letters are counted, not piled up, and a tenant sees its own", func(t *testing.T) {
		ghost := uuid.New()
		for i := range 3 {
			_, err := s.Write(t.Context(), []heartbeat.Beat{beat(tenant, ghost, noon.Add(time.Duration(i)*time.Second))})
			require.NoError(t, err)
		}
		rows, err := f.scopes.Tenant(tenant).Query(t.Context(),
			`SELECT beats, first_at, last_at, sqlstate FROM tomkit.heartbeat_dead_letters WHERE device_id = $1`, ghost)
		require.NoError(t, err)
		type row struct {
			Beats    int
			From, To time.Time
			State    string
		}
		got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, 3, got[0].Beats)
		require.Equal(t, 2*time.Second, got[0].To.Sub(got[0].From))
		require.Equal(t, "23503", got[0].State)
	})
}

func (f *fixture) deletedTenant(t *testing.T) uuid.UUID {
	id := f.Tenant(t, "gone")
	_, err := f.super.Exec(t.Context(), `DELETE FROM tomkit.tenants WHERE id = $1`, id)
	require.NoError(t, err)
	return id
}

// denied returns a beat that a constraint made for it refuses.
func (f *fixture) denied(t *testing.T, tenant uuid.UUID) heartbeat.Beat {
	b := beat(tenant, f.devices(t, tenant, 1)[0], noon)
	b.Sample.AgentVersion = "poison"
	_, err := f.super.Exec(t.Context(), `ALTER TABLE tomkit.heartbeats ADD CHECK (sample->>'agent_version' <> 'poison')`)
	require.NoError(t, err)
	return b
}

func TestABatchOfNothingButPoison(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	s := f.sink(t, pgsink.Config{})
	var batch []heartbeat.Beat
	for range 500 {
		batch = append(batch, beat(tenant, uuid.New(), noon))
	}
	out, err := s.Write(t.Context(), batch)
	require.NoError(t, err)
	require.Equal(t, only(500, heartbeat.UnknownDevice), out)
	require.Equal(t, 500, f.count(t, `SELECT count(*) FROM tomkit.heartbeat_dead_letters`))
	require.Zero(t, f.count(t, `SELECT count(*) FROM tomkit.heartbeats`))
}

func TestDeletionTakesTheHeartbeatsAlong(t *testing.T) {
	f := newFixture(t)
	ward, lab := f.Tenant(t, "ward"), f.Tenant(t, "lab")
	s := f.sink(t, pgsink.Config{})
	_, err := s.Write(t.Context(), []heartbeat.Beat{beat(ward, f.devices(t, ward, 1)[0], noon), beat(lab, f.devices(t, lab, 1)[0], noon)})
	require.NoError(t, err)
	_, err = f.super.Exec(t.Context(), `DELETE FROM tomkit.tenants WHERE id = $1`, ward)
	require.NoError(t, err)
	require.Equal(t, 1, f.count(t, `SELECT count(*) FROM tomkit.heartbeats`))
	require.Equal(t, 1, f.count(t, `SELECT count(*) FROM tomkit.heartbeat_history`))
	_, err = f.super.Exec(t.Context(), `DELETE FROM tomkit.devices WHERE tenant_id = $1`, lab)
	require.NoError(t, err)
	require.Zero(t, f.count(t, `SELECT count(*) FROM tomkit.heartbeats`))
	require.Zero(t, f.count(t, `SELECT count(*) FROM tomkit.heartbeat_history`))
}

func TestADeletionUnderWayDoesNotBlockTheOthers(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	s := f.sink(t, pgsink.Config{})
	doomed := f.Tenant(t, "doomed")
	known := f.devices(t, doomed, 3)
	_, err := s.Write(t.Context(), []heartbeat.Beat{beat(doomed, known[0], noon.Add(-time.Hour)), beat(tenant, f.devices(t, tenant, 1)[0], noon)})
	require.NoError(t, err)
	spare := f.devices(t, tenant, 3)

	cases := map[string]struct {
		sql   string
		arg   uuid.UUID
		beats []heartbeat.Beat
	}{
		"of a tenant whose device has a heartbeat": {`DELETE FROM tomkit.tenants WHERE id = $1`, doomed, []heartbeat.Beat{beat(doomed, known[0], noon)}},
		"of a tenant with new devices":             {`DELETE FROM tomkit.tenants WHERE id = $1`, doomed, []heartbeat.Beat{beat(doomed, known[1], noon), beat(doomed, known[2], noon)}},
		"of a device never heard of":               {`DELETE FROM tomkit.devices WHERE id = $1`, spare[0], []heartbeat.Beat{beat(tenant, spare[0], noon)}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tx, err := f.super.Begin(t.Context())
			require.NoError(t, err)
			defer tx.Rollback(context.Background())
			_, err = tx.Exec(t.Context(), tc.sql, tc.arg)
			require.NoError(t, err)

			batch := append(f.mixed(t, tenant, tc.beats[0], 250), tc.beats[1:]...)
			out, err := s.Write(t.Context(), batch) // returns although the deletion never commits
			require.NoError(t, err)
			for i, o := range out {
				if i == 250 || i >= 500 {
					require.Equal(t, heartbeat.Unwritten, o)
				} else {
					require.Equal(t, heartbeat.Stored, o, i)
				}
			}
			require.NoError(t, tx.Rollback(t.Context()))
			out, err = s.Write(t.Context(), tc.beats)
			require.NoError(t, err)
			require.Equal(t, only(len(tc.beats), heartbeat.Stored), out, "once the deletion is off, the device is heard again")
		})
	}
	t.Run("and the callers learn their part", func(t *testing.T) {
		tx, err := f.super.Begin(t.Context())
		require.NoError(t, err)
		defer tx.Rollback(context.Background())
		_, err = tx.Exec(t.Context(), `DELETE FROM tomkit.tenants WHERE id = $1`, doomed)
		require.NoError(t, err)
		s := f.running(t, pgsink.Config{})
		answers := make(chan error, 2)
		go func() { answers <- s.Accept(context.Background(), beat(doomed, known[0], noon.Add(time.Hour))) }()
		require.NoError(t, s.Accept(t.Context(), beat(tenant, spare[1], noon)))
		require.ErrorIs(t, <-answers, heartbeat.ErrUnavailable)
		require.NoError(t, tx.Commit(t.Context()))
		require.ErrorIs(t, s.Accept(t.Context(), beat(doomed, known[0], noon.Add(2*time.Hour))), heartbeat.ErrUnknownDevice)
	})
}

func TestTenantsDeletedInTheMiddle(t *testing.T) {
	f := newFixture(t)
	tenant := f.Tenant(t, "ward")
	ids := f.devices(t, tenant, 100)
	s := f.running(t, pgsink.Config{})
	stop := make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- f.churn(s, stop) }()
	for round := range 20 {
		answers := make(chan error, len(ids))
		at := noon.Add(time.Duration(round) * time.Second)
		for _, id := range ids {
			go func() { answers <- s.Accept(context.Background(), beat(tenant, id, at)) }()
		}
		for range ids {
			require.NoError(t, <-answers)
		}
		for _, id := range ids {
			require.Equal(t, at, f.lastSeen(t, id))
		}
	}
	close(stop)
	require.NoError(t, <-done)
}

// churn makes tenants with a device, lets it beat, and deletes the tenant at the same time.
func (f *fixture) churn(s *pgsink.Sink, stop chan struct{}) error {
	ctx := context.Background()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		id, device := uuid.New(), uuid.New()
		_, err := f.super.Exec(ctx, `WITH t AS (INSERT INTO tomkit.tenants (id, msp_id, slug, name)
			SELECT $1, id, 'churn-' || $2::text, 'x' FROM tomkit.msps WHERE slug = 'test-msp' RETURNING id)
			INSERT INTO tomkit.devices SELECT id, $3 FROM t`, id, fmt.Sprint(n), device)
		if err != nil {
			return err
		}
		answer := make(chan error, 1)
		go func() { answer <- s.Accept(ctx, beat(id, device, noon)) }()
		if _, err := f.super.Exec(ctx, `DELETE FROM tomkit.tenants WHERE id = $1`, id); err != nil {
			return err
		}
		err = <-answer
		if err != nil && !errors.Is(err, heartbeat.ErrUnknownDevice) && !errors.Is(err, heartbeat.ErrUnavailable) {
			return err
		}
	}
}
