// Package migrate brings a database up to date with the migrations of many rooms.
//
// Each room embeds its SQL in goose's format and offers it as an rls.Source. The call most people need runs at start,
// from as many processes as there are:
//
//	report, err := migrate.Up(ctx, migratorURL, rls.Migrations(), tenant.Migrations(), shop.Migrations())
//
// Sources run in the order given, each as its owner role and with its own version table, all under one advisory lock, so
// that each migration is applied once, also if a process is killed in the middle. Migrations only go forward. What was
// applied is remembered in the same transaction with its SHA-256: a file edited, removed or added too late is an error
// and not a surprise.
//
// [Plan] shows what Up would do. [SQL] writes it as a script for psql and [Scripts] as one file per migration, for people
// who run migrations with a tool of their own; a later Up finds everything applied.
//
// The owners are under FORCE ROW LEVEL SECURITY like everybody else. So that a migration that moves data moves all of
// it, and a new foreign key is checked against all rows, the connection sets tomkit.migration, which a policy of
// tomkit.protect honours for members of the owner and nobody else.
//
// # Limits
//
// A migration marked NO TRANSACTION commits statement by statement; if it fails, or its process dies, in the middle, what it
// did before stays and the next run starts it again, so each of its statements must bear that. The lock is the session's:
// migrations need a connection past any pooler that works per transaction.
package migrate
