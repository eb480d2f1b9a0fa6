// Package integration holds the suites that need a container engine, oracle those that
// compare tomkit with other implementations, and tlog those that show its logs to the
// tools of the transparency-log community. They are a module of their own, so
// that nobody who imports tomkit downloads testcontainers.
//
// The tests start PostgreSQL in a container, make it the server of internal/pgtest and
// run the rooms together on it, from migrations to a ledger that somebody tampered with,
// directly and through PgBouncer in a container beside it on one network.
//
//	TOMKIT_TEST_POSTGRES_IMAGE   images of PostgreSQL 15 or newer, separated by commas: the
//	                             suites run once for each (default postgres:17-alpine)
//	TOMKIT_TEST_REDIS_IMAGE      image of Redis 7 or Valkey (default redis:7-alpine)
//	TOMKIT_TEST_PGBOUNCER_IMAGE  image of PgBouncer that reads /etc/pgbouncer/pgbouncer.ini
//	                             (default edoburu/pgbouncer:v1.25.1-p0)
//	TOMKIT_TEST_ROOMS            packages of the main module whose own tests run on the
//	                             container too, such as "./rls/... ./ledger/pgledger"
//	TOMKIT_TEST_REQUIRE=1        fail where there is no container engine; without it
//	                             nothing runs there
//	TESTCONTAINERS_RYUK_DISABLED=true  where the reaper's image cannot be pulled
//
// Where no registry can be reached, .ci/images makes images from Debian packages.
//
// Containers and their network carry the label dev.tomkit.integration and are removed by it when the
// tests end; those of a killed run are removed by the next one an hour later.
package integration
