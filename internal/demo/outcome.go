package demo

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// outcome tells what the database said.
func outcome(err error) string {
	var pgErr *pgconn.PgError
	switch {
	case err == nil:
		return "it succeeded"
	case errors.As(err, &pgErr):
		return pgErr.Code + " " + pgErr.Message
	}
	return err.Error()
}

// refused reports whether the database refused with one of the given SQLSTATEs.
func refused(err error, states ...string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains(states, pgErr.Code)
}

// sqlState is the database's answer in five characters.
func sqlState(err error) string {
	var pgErr *pgconn.PgError
	switch {
	case err == nil:
		return "succeeded"
	case errors.As(err, &pgErr):
		return pgErr.Code
	}
	return "reached no row"
}
