package rls

import (
	"context"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// statements are the prepared statements of one connection behind [Scope.Query] and [Scope.QueryRow]. pgx has such a cache
// too, but lends it to its pipelines only, whose bookkeeping costs the client some microseconds a call; this way a scoped
// query allocates less than pgx's own unscoped one.
type statements struct {
	capacity int // of the connection string; 0 if statements are not to be prepared, as behind some poolers
	made     int
	known    map[string]*pgconn.StatementDescription // by SQL
	build    pgx.ExtendedQueryBuilder
}

const statementsKey = "rls: statements" // in the connection's custom data

// statementsOf returns the statements of conn.
func statementsOf(conn *pgx.Conn) *statements {
	data := conn.PgConn().CustomData()
	s, ok := data[statementsKey].(*statements)
	if !ok {
		s = &statements{known: map[string]*pgconn.StatementDescription{}}
		if cfg := conn.Config(); cfg.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
			s.capacity = cfg.StatementCacheCapacity
		}
		data[statementsKey] = s
	}
	return s
}

// prepare returns the statement, preparing it in a round trip of its own if it is new. Another one than keep makes room.
func (s *statements) prepare(ctx context.Context, conn *pgconn.PgConn, sql, keep string) (*pgconn.StatementDescription, error) {
	if known, ok := s.known[sql]; ok {
		return known, nil
	}
	for other := range s.known { // any one: whoever makes endless texts gains nothing from a cleverer choice
		if len(s.known) < s.capacity {
			break
		}
		if other == keep {
			continue
		}
		if err := s.drop(ctx, conn, other); err != nil {
			return nil, err
		}
	}
	s.made++
	made, err := conn.Prepare(ctx, "rls_"+strconv.Itoa(s.made), sql, nil)
	if err != nil {
		return nil, err
	}
	s.known[sql] = made
	return made, nil
}

// drop closes a statement, here and on the server.
func (s *statements) drop(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	known, ok := s.known[sql]
	if !ok {
		return nil
	}
	delete(s.known, sql)
	return conn.Deallocate(ctx, known.Name)
}

// forget drops statements that failed. If it cannot reach the server, pgx closes the connection and they are gone too.
func (s *statements) forget(conn *pgconn.PgConn, texts ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	for _, sql := range texts {
		_ = s.drop(ctx, conn, sql)
	}
}

// stale reports whether err may mean that a prepared statement no longer fits its tables, or is gone. Most errors are
// answers to the arguments, and a statement prepared again would only give them again.
func stale(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) != 5 {
		return false
	}
	switch pg.Code[:2] {
	case "0A", "26", "42", "08", "XX": // result type changed, no such statement, no such column, wrong number of arguments
		return true
	}
	return pg.Code == "22P02" || pg.Code == "22P03" // an argument was encoded for another type
}

// execute sends the context and a prepared query as one pipeline. It returns nil for what is better left to pgx: a statement
// that is rewritten first, and one without columns, which may be a COPY, that nobody would answer here.
func (s *statements) execute(ctx context.Context, conn *pgx.Conn, set, value, sql string, args []any) (*pgconn.MultiResultReader, error) {
	if s.capacity < 2 || rewritten(args) { // the context's statement and the caller's
		return nil, nil
	}
	setting, err := s.prepare(ctx, conn.PgConn(), set, set)
	if err != nil {
		return nil, err
	}
	query, err := s.prepare(ctx, conn.PgConn(), sql, set)
	if err != nil || len(query.Fields) == 0 {
		return nil, err
	}
	if err := s.build.Build(conn.TypeMap(), query, args); err != nil {
		return nil, err
	}
	var b pgconn.Batch
	b.ExecStatement(setting, [][]byte{[]byte(value)}, nil, nil)
	b.ExecStatement(query, s.build.ParamValues, s.build.ParamFormats, s.build.ResultFormats)
	return conn.PgConn().ExecBatch(ctx, &b), nil
}

func rewritten(args []any) bool {
	if len(args) == 0 {
		return false
	}
	_, ok := args[0].(pgx.QueryRewriter)
	return ok
}
