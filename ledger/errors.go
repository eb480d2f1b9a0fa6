package ledger

import "errors"

// What callers branch on. Implementations wrap these; texts carry no personal or tenant data.
var (
	// ErrInvalid means that the event cannot be recorded as it is: a malformed name, a wrong details type, a bad narrative.
	ErrInvalid = errors.New("ledger: invalid event")
	// ErrTooLarge means that a part of the event is over its limit. Nothing was written.
	ErrTooLarge = errors.New("ledger: too large")
	// ErrOverloaded means that too many entries are waiting already. Nothing was written; try again later.
	ErrOverloaded = errors.New("ledger: overloaded")
	// ErrClosed means that the log was closed. Nothing was written.
	ErrClosed = errors.New("ledger: closed")
	// ErrOutcomeUnknown means that the connection was lost during the commit and the database could not be asked since.
	// The entry may or may not be there.
	ErrOutcomeUnknown = errors.New("ledger: outcome unknown")
	// ErrLogClosed means that the tenant's log has ended for good. Nothing was written.
	ErrLogClosed = errors.New("ledger: log has ended")
	// ErrKept means that a log is not closed, or that its rows have to be kept.
	ErrKept = errors.New("ledger: the log has to be kept")
	// ErrNoLog means that the tenant has no log yet. The first entry opens it.
	ErrNoLog = errors.New("ledger: no log")
	// ErrClock means that the clock is ahead of the database's by more than the tolerance.
	ErrClock = errors.New("ledger: clock ahead of the database")
	// ErrPersonalText means that an event holds personal text where it cannot be erased: an identifier, a detail or an argument
	// of the narrative that is not marked as personal.
	ErrPersonalText = errors.New("ledger: personal text where it cannot be erased")
	// ErrNoJournal means that nothing can be erased, since there is no memory of erasures outside the database.
	ErrNoJournal = errors.New("ledger: no erasure journal")
	// ErrUnanchored means that an anchor could not be asked, and that nothing is written without it.
	ErrUnanchored = errors.New("ledger: an anchor could not be asked")
	// ErrStale means that the log's head kept moving while an entry was written, and the attempts are used up. Nothing was
	// written.
	ErrStale = errors.New("ledger: head keeps moving")
)
