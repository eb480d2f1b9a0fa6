// Package rlstest generates tests that tenants are apart in a product's PostgreSQL database: from the catalogue, for every
// table, without knowing the product. It belongs into tests.
//
//	func TestIsolation(t *testing.T) {
//		db := startPostgres(t) // by testcontainers or otherwise, with the product's migrations applied
//		rlstest.Run(t, rlstest.Config{
//			SuperuserURL: db.Superuser,
//			AppURL:       db.App,
//			ContextKey:   key, // or SetContext, for a product with roles and settings of its own
//		})
//	}
//
// [Run] makes each check a subtest; [Check] does the same without package testing and returns a [Report]. Both fill every
// table with rows of two tenants and run three suites as the product's login.
//
// # Matrix
//
// Nine verbs (SELECT, INSERT, UPDATE, DELETE, UPDATE of the tenant, UPSERT, COPY TO, COPY FROM, TRUNCATE), each foreign key
// and each unique key, in four contexts: without one, in the own tenant's over all rows in sight ("own") and aimed at the
// other's ("foreign"), and with a forged one. A cell states the exact number of rows or the exact SQLSTATE; where the login
// lacks the privilege, that is 42501, and in the own context it is what a superuser gets who names the tenant in WHERE. It runs
// over the login's own connection, and again in a superuser's session that took the login's identity, where before the rollback
// a checksum shows that the other tenants' rows are what they were. A reference to a foreign row, or a key that a foreign row
// has, must end exactly as one that is nowhere: otherwise it tells that the row exists. Nothing the client gets to see, errors
// included, may have a foreign value. Views, definer functions the login may call, sequences, and tomkit's MSP and system
// logins have cells too.
//
// # Fuzzer
//
// Random SELECT, INSERT, UPDATE, DELETE and MERGE statements with joins, subqueries, LATERAL, set operations, groups, windows
// and common table expressions, in the own tenant's scope. The oracle is the same statement as superuser on copies of the
// tables that hold the tenant's rows alone, in the schema rlstest_shadow: results and rows must be equal, foreign rows as
// before. Statement n of a seed is the same on each run over the same rows; a fault is made smaller by leaving out clauses.
//
// # Corpus
//
// More than 500 injected texts ([Payloads]), each in a fresh scope, in each hole it fits. No foreign value may come back, no
// foreign row change, and the next user of the connection must be itself. What a payload leaves on the session besides, such
// as a setting or a cursor, is noted in the report.
//
// # Rows
//
// The generator reads types, domains, enums, CHECK conditions, partition bounds, keys and foreign keys, and searches values that
// satisfy all of them. Where it finds none it says which condition, and [Config.Rows] or [Config.Values] take over. A table
// without rows of both tenants is a fault. Triggers that refuse the rows are switched off while they are inserted.
//
// # Limits
//
// The database is changed: tenants and rows stay in it. What EXPLAIN and the planner's statistics tell about the number of foreign
// rows is not tested, nor what a MERGE tells that names no column of its target: PostgreSQL matches it with the rows of all tenants
// and refuses it before it changes a foreign one. Nor are timing, replication and the numbers a shared sequence hands out.
// Tables with triggers are only read by the fuzzer. A login sees the text of other sessions' statements of the same login in
// pg_stat_activity, so values belong into parameters. Behind a pooler the corpus ends the login's sessions in the database after
// payloads that leave something on them. PostgreSQL 15 or newer.
//
// Sources: TOM 2.1 (tenant isolation); PostgreSQL 15 manual, chapter 5.8 and section 54.2; M. Rigger, Z. Su, "Testing database engines
// via pivoted query synthesis" (2020), for oracles of random statements; W. McKeeman, "Differential testing for software" (1998).
package rlstest
