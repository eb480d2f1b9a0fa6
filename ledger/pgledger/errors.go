package pgledger

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pioneerdesk/tomkit/ledger"
)

// SQLSTATEs of the ledger's functions (migrations/00003_functions.sql).
const (
	stateStale         = "TKL01" // the head is another one, or the keys are
	stateNotAuthentic  = "TKL02" // the caller does not hold the door key
	stateDiscontinuous = "TKL03" // rows do not continue the log
	stateFuture        = "TKL04" // time ahead of the database's
	stateRefused       = "TKL05" // UPDATE, DELETE, TRUNCATE or a direct INSERT
	stateExists        = "TKL06" // the tenant has a log
	stateOld           = "TKL07" // the checkpoint is not newer than the last
	stateLogClosed     = "TKL08" // the log has ended
	stateKept          = "TKL09" // the rows have to be kept
)

// errKeys means that the stored keys are not the ones this process can open.
var errKeys = errors.New("stored keys do not fit")

func errOr(err error) error {
	if err == nil {
		return errKeys
	}
	return err
}

// sqlState returns the SQLSTATE of an error the server sent, or "".
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// translate gives server errors the sentinels of package ledger.
func translate(err error) error {
	switch sqlState(err) {
	case stateFuture:
		return errors.Join(ledger.ErrClock, err)
	case stateLogClosed:
		return errors.Join(ledger.ErrLogClosed, err)
	case stateKept:
		return errors.Join(ledger.ErrKept, err)
	case stateStale, stateExists:
		return errors.Join(ledger.ErrStale, err)
	}
	return err
}
