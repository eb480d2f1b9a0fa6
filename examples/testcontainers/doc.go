// Package testcontainers is a product's own container suite: its tables under tomkit's protection in a PostgreSQL of the version that
// production runs, and rls/rlstest looking for leaks. It is a module of its own, as a product is.
//
//	TOMKIT_TEST_POSTGRES_IMAGE         image of PostgreSQL 15 or newer (default postgres:17-alpine)
//	TESTCONTAINERS_RYUK_DISABLED=true  where the reaper's image cannot be pulled; a killed run then leaves its container
package testcontainers
