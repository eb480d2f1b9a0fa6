// Package pgtest gives a test a PostgreSQL database of its own.
//
//	func TestDevices(t *testing.T) {
//		db := pgtest.New(t, rls.Migrations(), tenant.Migrations(), devices.Migrations())
//		ward, lab := db.Tenant(t, "ward"), db.Tenant(t, "lab")
//		scopes := db.Open(t)
//		…
//	}
//
// # Where the server comes from
//
//  1. TOMKIT_TEST_DATABASE_URL, the URL of a superuser of a server that is there
//     for tests. Tests make tomkit's roles on it, with passwords derived from the
//     superuser's, and refuse a server on which somebody else made them.
//  2. Otherwise a private server from installed binaries (internal/pglocal): one
//     for each test process, started by the first New, ended with the process by
//     whatever way it ends.
//  3. Otherwise the test is skipped with the reason. TOMKIT_TEST_REQUIRE=1 turns
//     the skip into a failure. A server that is there and does not work is always
//     a failure. This is the only skip in the project.
//
// # Databases
//
// For each set of migrations the server holds a template database, named after the
// hash of their contents and made once under an advisory lock: many processes may
// share one server. Each New clones the template and drops the clone when the test
// ends. Tests that call t.Parallel do not see each other.
//
// DB.PgBouncer puts a pooler in front of a test's database, and NewPrivate gives a test a
// server of its own that it may stop and whose log it may read.
//
// Nothing here is safe for data that anybody wants to keep.
package pgtest
