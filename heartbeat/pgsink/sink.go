package pgsink

import (
	"errors"
	"time"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/rls"
)

// Reason is the purpose under which the sink's transactions are accounted.
const Reason rls.Reason = "heartbeat_flush"

// MaxAhead is how far last_seen may lie ahead of the database's clock.
const MaxAhead = time.Minute

// Config tunes a [Sink]. The zero value is ready for production.
type Config struct {
	// Commit tunes the group commit: 500 beats per transaction, two transactions at a time.
	Commit heartbeat.CommitConfig
	// HistoryInterval is the time per device within which at most one sample enters the history. Zero means 5m; less than
	// a second is an error.
	HistoryInterval time.Duration
	// LockWait is how long a batch waits for a row somebody else has locked before it is written piece by piece. Zero
	// means 250ms; less than a millisecond is an error.
	LockWait time.Duration
}

// Sink writes heartbeats to PostgreSQL. It is a [heartbeat.Sink], and through its Committer a [heartbeat.Acceptor] that
// works while Run runs. It is safe for concurrent use.
type Sink struct {
	*heartbeat.Committer
	db              *rls.DB
	historyInterval time.Duration
	lockWait        time.Duration
}

// New returns a Sink over db, whose system login writes. It fails if cfg holds a value out of range. Nothing is sent
// before the first beat.
func New(db *rls.DB, cfg Config) (*Sink, error) {
	if db == nil {
		return nil, errors.New("pgsink: new: no database")
	}
	s := &Sink{db: db, historyInterval: cfg.HistoryInterval, lockWait: cfg.LockWait}
	if s.historyInterval == 0 {
		s.historyInterval = 5 * time.Minute
	}
	if s.lockWait == 0 {
		s.lockWait = 250 * time.Millisecond
	}
	if s.historyInterval < time.Second || s.lockWait < time.Millisecond {
		return nil, errors.New("pgsink: new: HistoryInterval below 1s or LockWait below 1ms")
	}
	var err error
	s.Committer, err = heartbeat.NewCommitter(s, cfg.Commit)
	return s, err
}

var (
	_ heartbeat.Sink     = (*Sink)(nil)
	_ heartbeat.Acceptor = (*Sink)(nil)
)
