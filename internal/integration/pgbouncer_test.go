package integration_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
)

const envPgBouncer = "TOMKIT_TEST_PGBOUNCER_IMAGE"

// defaultPgBouncer is used when the variable names no other image. The image must read /etc/pgbouncer/pgbouncer.ini.
const defaultPgBouncer = "edoburu/pgbouncer:v1.25.1-p0"

const bouncerPort = "6432/tcp"

// behindPgBouncer returns the database with its logins behind a pooler in a container of its own, in the mode transaction
// and with four connections for each login.
func behindPgBouncer(t *testing.T, pg *pgtest.DB) *pgtest.DB {
	t.Helper()
	ini := fmt.Sprintf(`[databases]
* = host=%s port=5432
[pgbouncer]
listen_addr = *
listen_port = 6432
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt
pool_mode = transaction
default_pool_size = 4
max_client_conn = 1000
`, postgresAlias)
	file := func(name, content string) testcontainers.ContainerFile {
		return testcontainers.ContainerFile{Reader: strings.NewReader(content), ContainerFilePath: "/etc/pgbouncer/" + name, FileMode: 0o644}
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	container, err := testcontainers.Run(ctx, cmp.Or(os.Getenv(envPgBouncer), defaultPgBouncer),
		testcontainers.WithFiles(file("pgbouncer.ini", ini), file("userlist.txt", pg.Users(t))),
		testcontainers.WithExposedPorts(bouncerPort),
		testcontainers.WithLabels(ourLabels()),
		network.WithNetwork([]string{"pgbouncer"}, containers),
		testcontainers.WithWaitStrategy(wait.ForListeningPort(bouncerPort)),
	)
	testcontainers.CleanupContainer(t, container)
	require.NoError(t, err)
	host, err := container.Host(ctx)
	require.NoError(t, err)
	port, err := container.MappedPort(ctx, bouncerPort)
	require.NoError(t, err)
	return pg.Behind(t, host, port.Port())
}

// newPooledHospital is a hospital whose tenants reach the server through a pooler.
func newPooledHospital(t *testing.T) hospital {
	t.Helper()
	h := newHospital(t)
	h.logins = behindPgBouncer(t, h.pg)
	h.db = h.logins.OpenConfig(t, rls.Config{MaxConns: hammers})
	for _, login := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem} {
		require.True(t, h.db.Pooled(login))
	}
	return h
}

// hammers is how many clients share the pooler's four connections.
const hammers = 32

func TestIsolationThroughPgBouncer(t *testing.T) { newPooledHospital(t).isolates(t) }

func TestInjectionThroughPgBouncer(t *testing.T) { newPooledHospital(t).resistsInjection(t) }

// TestManyClientsThroughPgBouncer has tenants share connections on which each leaves its context for the session.
func TestManyClientsThroughPgBouncer(t *testing.T) {
	h := newPooledHospital(t)
	var foreign, own atomic.Int64
	var all sync.WaitGroup
	for c := range hammers {
		all.Go(func() {
			id := []uuid.UUID{h.ward, h.lab}[c%2]
			for range 25 {
				var mine, others int
				err := h.db.Tenant(id).QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE tenant_id = $1), count(*) FILTER (WHERE tenant_id <> $1)
					FROM tomkit.beds`, id).Scan(&mine, &others)
				own.Add(int64(mine))
				foreign.Add(int64(others))
				if err == nil {
					_, err = h.db.Tenant(id).Exec(t.Context(), `SELECT set_config('app.tenant_id', current_setting('app.tenant_id'), false)`)
				}
				if err == nil {
					err = h.db.Anonymous().QueryRow(t.Context(), `SELECT count(*) FROM tomkit.beds`).Scan(&others)
					foreign.Add(int64(others))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	require.Zero(t, foreign.Load())
	require.EqualValues(t, hammers*25*bedsEach, own.Load())
}
