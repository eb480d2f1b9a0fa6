package pgsink_test

import (
	"context"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/pgsink"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// devices is a schema that owns devices and binds the heartbeats to them.
func devices() rls.Source {
	return rls.Source{Name: "test_devices", FS: fstest.MapFS{"00001_devices.sql": {Data: []byte(`-- +goose Up
CREATE TABLE tomkit.devices (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id        uuid NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
SELECT tomkit.protect('tomkit.devices');
ALTER TABLE tomkit.heartbeats ADD FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE;
`)}}}
}

type fixture struct {
	*pgtest.DB
	scopes *rls.DB
	super  *pgxpool.Pool
}

func newFixture(t testing.TB) *fixture {
	db := pgtest.New(t, rls.Migrations(), tenant.Migrations(), pgsink.Migrations(), devices())
	return &fixture{DB: db, scopes: db.Open(t), super: db.Superuser(t)}
}

func (f *fixture) sink(t testing.TB, cfg pgsink.Config) *pgsink.Sink {
	s, err := pgsink.New(f.scopes, cfg)
	require.NoError(t, err)
	return s
}

// running returns a sink that accepts until the test ends.
func (f *fixture) running(t testing.TB, cfg pgsink.Config) *pgsink.Sink {
	s := f.sink(t, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s
}

// devices makes n devices of a tenant.
func (f *fixture) devices(t testing.TB, tenant uuid.UUID, n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.New()
	}
	_, err := f.super.Exec(context.Background(), `INSERT INTO tomkit.devices SELECT $1, unnest($2::uuid[])`, tenant, ids)
	require.NoError(t, err)
	return ids
}

func beat(tenant, device uuid.UUID, at time.Time) heartbeat.Beat {
	return heartbeat.Beat{Tenant: tenant, Device: device, ReceivedAt: at, Sample: heartbeat.Sample{
		Version:       heartbeat.WireVersion,
		DeviceTime:    at.Add(-time.Hour),
		AgentVersion:  "1.4.0",
		UptimeSeconds: 86_400,
		OS:            heartbeat.OS{Family: "linux", Name: "debian", Version: "12", Kernel: "6.1.0-13-amd64", Arch: "amd64"},
		CPU:           heartbeat.CPU{Percent: 7.5, Cores: 2},
		Memory:        heartbeat.Memory{Total: 8 << 30, Used: 3 << 30},
		Disks:         []heartbeat.Disk{{Mount: "/", Total: 100 << 30, Used: 52 << 30}},
		Network:       heartbeat.Network{RxBytes: 1 << 33, TxBytes: 1 << 31, RxBytesPerSecond: 1825, TxBytesPerSecond: 587},
	}}
}

// lastSeen reads past every policy.
func (f *fixture) lastSeen(t testing.TB, device uuid.UUID) (at time.Time) {
	err := f.super.QueryRow(context.Background(), `SELECT last_seen FROM tomkit.heartbeats WHERE device_id = $1`, device).Scan(&at)
	require.NoError(t, err)
	return at.UTC()
}

func (f *fixture) count(t testing.TB, sql string, args ...any) (n int) {
	require.NoError(t, f.super.QueryRow(context.Background(), sql, args...).Scan(&n))
	return n
}

func only(n int, o heartbeat.Outcome) []heartbeat.Outcome {
	out := make([]heartbeat.Outcome, n)
	for i := range out {
		out[i] = o
	}
	return out
}
