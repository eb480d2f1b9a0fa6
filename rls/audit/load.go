package audit

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Querier is any connection: *pgx.Conn, *pgxpool.Pool, pgx.Tx, *rls.Tx.
type Querier interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

//go:embed catalog/*.sql
var queries embed.FS

// The search path decides how PostgreSQL writes names in expressions: with an empty one whatever is not of pg_catalog comes
// qualified. It is put back at the end, since the caller may be inside a transaction.
const (
	enterSQL = `SELECT pg_catalog.set_config('tomkit.audit_search_path', pg_catalog.current_setting('search_path'), true),
	pg_catalog.set_config('search_path', '', true)`
	leaveSQL = `SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('tomkit.audit_search_path'), true)`
)

// load reads the catalogues in one pipeline; only a superuser's connection makes a second, for pg_hba.conf.
func load(ctx context.Context, q Querier) (*snapshot, error) {
	var s snapshot
	b := &pgx.Batch{}
	b.Queue(enterSQL)
	one(b, "server", &s.Server)
	all(b, "settings", &s.Settings)
	all(b, "rolesettings", &s.RoleSettings)
	all(b, "roles", &s.Roles)
	all(b, "members", &s.Members)
	all(b, "schemas", &s.Schemas)
	all(b, "relations", &s.Relations)
	all(b, "columns", &s.Columns)
	all(b, "policies", &s.Policies)
	all(b, "indexes", &s.Indexes)
	all(b, "foreignkeys", &s.ForeignKeys)
	all(b, "inherits", &s.Inherits)
	all(b, "sequences", &s.Sequences)
	all(b, "viewuses", &s.ViewUses)
	all(b, "rewriterules", &s.RewriteRules)
	all(b, "functions", &s.Functions)
	all(b, "triggers", &s.Triggers)
	values(b, "eventtriggers", &s.EventTriggers)
	all(b, "publications", &s.Publications)
	values(b, "slots", &s.Slots)
	values(b, "extensions", &s.Extensions)
	all(b, "servers", &s.ForeignServers)
	all(b, "mappings", &s.UserMappings)
	b.Queue(text("largeobjects")).QueryRow(func(row pgx.Row) error { return row.Scan(&s.LargeObjects) })
	all(b, "statistics", &s.Statistics)
	all(b, "defaults", &s.Defaults)
	all(b, "grants", &s.Grants)
	all(b, "builtins", &s.Builtins)
	b.Queue(leaveSQL)
	if err := q.SendBatch(ctx, b).Close(); err != nil {
		return nil, fmt.Errorf("audit: read catalogues: %w", err)
	}
	if s.Server.ReadsHBA {
		b := &pgx.Batch{}
		all(b, "hba", &s.HBA)
		if err := q.SendBatch(ctx, b).Close(); err != nil {
			return nil, fmt.Errorf("audit: read pg_hba.conf: %w", err)
		}
	}
	return &s, nil
}

// text returns an embedded query.
func text(name string) string {
	sql, err := queries.ReadFile("catalog/" + name + ".sql")
	if err != nil { // cannot happen: the files are embedded above
		panic(err)
	}
	return string(sql)
}

func one[T any](b *pgx.Batch, name string, to *T) {
	b.Queue(text(name)).Query(func(rows pgx.Rows) (err error) {
		*to, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[T])
		return inQuery(name, err)
	})
}

func all[T any](b *pgx.Batch, name string, to *[]T) {
	b.Queue(text(name)).Query(func(rows pgx.Rows) (err error) {
		*to, err = pgx.CollectRows(rows, pgx.RowToStructByPos[T])
		return inQuery(name, err)
	})
}

func values(b *pgx.Batch, name string, to *[]string) {
	b.Queue(text(name)).Query(func(rows pgx.Rows) (err error) {
		*to, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return inQuery(name, err)
	})
}

// inQuery says which query failed.
func inQuery(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}
