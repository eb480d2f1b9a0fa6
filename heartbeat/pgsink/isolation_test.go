package pgsink_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/pgsink"
	"github.com/pioneerdesk/tomkit/rls"
)

func TestIsolation(t *testing.T) {
	f := newFixture(t)
	ward, lab := f.Tenant(t, "ward"), f.Tenant(t, "lab")
	mine, theirs := f.devices(t, ward, 3), f.devices(t, lab, 2)
	s := f.sink(t, pgsink.Config{})
	var batch []heartbeat.Beat
	for _, id := range mine {
		batch = append(batch, beat(ward, id, noon))
	}
	for _, id := range theirs {
		batch = append(batch, beat(lab, id, noon))
	}
	batch = append(batch, beat(uuid.New(), uuid.New(), noon)) // a dead letter of nobody
	_, err := s.Write(t.Context(), batch)
	require.NoError(t, err)

	t.Run("a tenant sees its own devices and no others", func(t *testing.T) {
		for tenant, want := range map[uuid.UUID]int{ward: 3, lab: 2, uuid.New(): 0} {
			list, err := pgsink.Current(t.Context(), f.scopes.Tenant(tenant), pgsink.Page{})
			require.NoError(t, err)
			require.Len(t, list, want)
			for _, st := range list {
				require.Equal(t, tenant, st.Tenant)
			}
		}
	})
	t.Run("a foreign device is unknown", func(t *testing.T) {
		_, err := pgsink.Device(t.Context(), f.scopes.Tenant(ward), theirs[0])
		require.ErrorIs(t, err, heartbeat.ErrUnknownDevice)
		history, err := pgsink.History(t.Context(), f.scopes.Tenant(ward), theirs[0], noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0), 0)
		require.NoError(t, err)
		require.Empty(t, history)
	})
	t.Run("without a tenant there is nothing", func(t *testing.T) {
		list, err := pgsink.Current(t.Context(), f.scopes.Anonymous(), pgsink.Page{})
		require.NoError(t, err)
		require.Empty(t, list)
		for _, table := range tables {
			for _, role := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem} {
				var n int
				err := f.Pool(t, role).QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n)
				require.NoError(t, err)
				require.Zero(t, n, "%s as %s", table, role)
			}
		}
	})
	t.Run("an MSP sees the devices of its tenants", func(t *testing.T) {
		other := f.TenantUnder(t, "other-msp", "else")
		_, err := s.Write(t.Context(), []heartbeat.Beat{beat(other, f.devices(t, other, 1)[0], noon)})
		require.NoError(t, err)
		list, err := pgsink.Current(t.Context(), f.scopes.MSP(f.MSP(t, "test-msp")), pgsink.Page{})
		require.NoError(t, err)
		require.Len(t, list, 5)
	})
	t.Run("pages follow each other without gap or repetition", func(t *testing.T) {
		var got []uuid.UUID
		for p := (pgsink.Page{Limit: 2}); ; {
			list, err := pgsink.Current(t.Context(), f.scopes.Tenant(ward), p)
			require.NoError(t, err)
			for _, st := range list {
				got = append(got, st.Device)
				p.AfterTenant, p.AfterDevice = st.Tenant, st.Device
			}
			if len(list) < p.Limit {
				break
			}
		}
		require.ElementsMatch(t, mine, got)
	})
	t.Run("a page that is too large or negative is refused", func(t *testing.T) {
		for _, limit := range []int{-1, pgsink.MaxPage + 1} {
			_, err := pgsink.Current(t.Context(), f.scopes.Tenant(ward), pgsink.Page{Limit: limit})
			require.ErrorIs(t, err, pgsink.ErrPage)
			_, err = pgsink.History(t.Context(), f.scopes.Tenant(ward), mine[0], noon, noon, limit)
			require.ErrorIs(t, err, pgsink.ErrPage)
		}
	})
}

var tables = []string{"tomkit.heartbeats", "tomkit.heartbeat_history", "tomkit.heartbeat_dead_letters"}

func TestOnlyTheSystemLoginWrites(t *testing.T) {
	f := newFixture(t)
	ward := f.Tenant(t, "ward")
	device := f.devices(t, ward, 1)[0]
	s := f.sink(t, pgsink.Config{})
	_, err := s.Write(t.Context(), []heartbeat.Beat{beat(ward, device, noon), beat(uuid.New(), device, noon)})
	require.NoError(t, err)

	attacks := []string{
		`INSERT INTO tomkit.heartbeats SELECT * FROM tomkit.heartbeats`,
		`INSERT INTO tomkit.heartbeat_history SELECT * FROM tomkit.heartbeat_history`,
		`INSERT INTO tomkit.heartbeat_dead_letters SELECT * FROM tomkit.heartbeat_dead_letters`,
	}
	for _, table := range tables {
		attacks = append(attacks,
			"UPDATE "+table+" SET tenant_id = tenant_id",
			"DELETE FROM "+table,
			"TRUNCATE "+table,
			"SELECT * FROM "+table+" FOR UPDATE",
		)
	}
	for _, sql := range attacks {
		for name, scope := range map[string]rls.Scope{
			"tenant": f.scopes.Tenant(ward), "msp": f.scopes.MSP(f.MSP(t, "test-msp")), "anonymous": f.scopes.Anonymous(),
		} {
			t.Run(name+" is refused "+sql, func(t *testing.T) {
				_, err := scope.Exec(t.Context(), sql)
				require.ErrorContains(t, err, "42501")
			})
		}
	}
	t.Run("even with the bypass switched on by an injected statement", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), f.URL(rls.RoleApp))
		require.NoError(t, err)
		defer conn.Close(t.Context())
		var n int
		err = conn.QueryRow(t.Context(), `WITH b AS MATERIALIZED (SELECT set_config('app.bypass_rls', 'on', false)) SELECT count(*) FROM b, tomkit.heartbeats`).Scan(&n)
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = conn.Exec(t.Context(), `DELETE FROM tomkit.heartbeats`)
		require.ErrorContains(t, err, "42501")
	})
}
