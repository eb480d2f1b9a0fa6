// Package migrate brings a database up to date with the migrations of many rooms.
//
// Each room embeds its SQL in goose's format and offers it as an rls.Source. The call most people need runs at start,
// from as many processes as there are:
//
//	report, err := migrate.Up(ctx, migratorURL, rls.Migrations(), tenant.Migrations(), shop.Migrations())
//
// Sources run in the order given, each as its owner role and with its own version table, all under one advisory lock, so
// that each migration is applied once. Migrations only go forward. What was applied is remembered with its SHA-256: a
// file edited or removed afterwards is an error and not a surprise.
//
// The owners are under FORCE ROW LEVEL SECURITY like everybody else. So that a migration that moves data moves all of
// it, and a new foreign key is checked against all rows, the connection sets tomkit.migration, which a policy of
// tomkit.protect honours for members of the owner and nobody else.
package migrate
