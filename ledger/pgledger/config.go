package pgledger

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"time"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Sealer encrypts private keys before they enter the database. vault/seal implements it.
type Sealer interface {
	Seal(plaintext, aad []byte) (string, error)
	Open(sealed string, aad []byte) ([]byte, error)
}

// Config tunes a [Log]. Domain and Sealer are needed; everything else has a default for production.
type Config struct {
	// Domain is the operator's domain, the first part of every checkpoint's origin: lower-case letters, digits, dots,
	// hyphens, an optional port. A log keeps the origin it was opened with.
	Domain string
	// Sealer seals the logs' private keys, under a key from the vault. Associated data are purpose ‖ 0x00 ‖ tenant.
	Sealer Sealer

	// Journal remembers erasures outside the database, so that a restored backup forgets again what was erased after it was
	// made; Open replays it. Nil means that nothing can be erased (ledger.ErrNoJournal), unless NoJournalUnsafe is set.
	Journal ledger.Journal
	// NoJournalUnsafe lets Erase work without a Journal: whoever restores a backup then has every erased value back. For
	// development and for databases that are never backed up.
	NoJournalUnsafe bool

	// GroupEntries is the greatest number of entries in one transaction. Zero means 512; negative is an error.
	GroupEntries int
	// GroupBytes is the greatest size of one transaction's entries in bytes. Zero means 4 MiB; negative is an error.
	GroupBytes int
	// QueueEntries is how many entries of one tenant may wait before Append returns ledger.ErrOverloaded. Zero means
	// 8,192; negative is an error.
	QueueEntries int
	// Batchers is the greatest number of tenants being written at the same time by this process; beyond it Append returns
	// ledger.ErrOverloaded. Zero means 1,024; negative is an error.
	Batchers int
	// IdleAfter is how long a tenant's batcher waits for another entry. Zero means 30 s; negative is an error.
	IdleAfter time.Duration
	// OpenLogs is how many logs' heads and private keys are kept in memory when idle. Zero means 4,096; negative is an error.
	OpenLogs int
	// CommitTimeout bounds one transaction of a batcher, and then the search for its outcome if the connection is lost.
	// Zero means 30 s; negative is an error.
	CommitTimeout time.Duration

	// CheckpointEntries and CheckpointInterval say when Run makes a checkpoint of a log that grew: after so many entries or
	// so much time, whichever comes first. Zero means 1,000 entries and 1 s; negative is an error.
	CheckpointEntries  int
	CheckpointInterval time.Duration

	// Anchors remember checkpoints outside the database (ledger/witness has some). Run shows them new ones, and a log is
	// compared with what they remember before this process first writes it. Their names differ.
	Anchors []ledger.Anchor
	// AnchorInterval is the time between two submissions of one log's checkpoints to an anchor. Zero means 10 s; negative is
	// an error.
	AnchorInterval time.Duration
	// AnchorTimeout bounds one call of an anchor. Zero means 5 s; negative is an error.
	AnchorTimeout time.Duration
	// RequireAnchors refuses to write a log before every anchor could be asked (ledger.ErrUnanchored). Without it an anchor that
	// cannot be reached is a matter of Health.
	RequireAnchors bool
	// MaxCheckpointAge is how old an entry may become before a checkpoint covers it, and before each anchor has seen one: Health
	// reports what is older. Zero means 5 min; negative is an error.
	MaxCheckpointAge time.Duration

	// Now reports the current time. Nil means time.Now. It may not be ahead of the database's by more than a minute.
	Now func() time.Time
	// Rand is the source of keys and salts. Nil means crypto/rand.Reader.
	Rand io.Reader
	// Logger receives what Run cannot return: checkpoints that failed and will be tried again. Nil means nobody.
	Logger *slog.Logger
}

// withDefaults returns a validated copy of c.
func (c Config) withDefaults() (Config, error) {
	if _, _, _, err := verify.ParseOrigin(verify.FormatOrigin(c.Domain, [16]byte{}, 1)); err != nil {
		return c, fmt.Errorf("pgledger: config: Domain: %w", err)
	}
	if c.Sealer == nil {
		return c, errors.New("pgledger: config: Sealer is nil")
	}
	for _, n := range []struct {
		name  string
		value *int
		zero  int
	}{
		{"GroupEntries", &c.GroupEntries, 512}, {"GroupBytes", &c.GroupBytes, 4 << 20},
		{"QueueEntries", &c.QueueEntries, 8192}, {"Batchers", &c.Batchers, 1024},
		{"OpenLogs", &c.OpenLogs, 4096}, {"CheckpointEntries", &c.CheckpointEntries, 1000},
	} {
		if err := setDefault(n.name, n.value, n.zero); err != nil {
			return c, err
		}
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{
		{"IdleAfter", &c.IdleAfter, 30 * time.Second}, {"CommitTimeout", &c.CommitTimeout, 30 * time.Second},
		{"CheckpointInterval", &c.CheckpointInterval, time.Second},
		{"AnchorInterval", &c.AnchorInterval, 10 * time.Second}, {"AnchorTimeout", &c.AnchorTimeout, 5 * time.Second},
		{"MaxCheckpointAge", &c.MaxCheckpointAge, 5 * time.Minute},
	} {
		if err := setDefault(d.name, d.value, d.zero); err != nil {
			return c, err
		}
	}
	if err := checkAnchors(c.Anchors); err != nil {
		return c, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// checkAnchors checks the names, which stand in evidence and in exports.
func checkAnchors(anchors []ledger.Anchor) error {
	names := map[string]bool{}
	for _, a := range anchors {
		if a == nil || !anchorName.MatchString(a.Name()) || names[a.Name()] {
			return errors.New("pgledger: config: an anchor is nil, or its name is malformed or there twice")
		}
		names[a.Name()] = true
	}
	return nil
}

var anchorName = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

func setDefault[T int | time.Duration](name string, value *T, zero T) error {
	if *value < 0 {
		return fmt.Errorf("pgledger: config: %s is negative", name)
	}
	if *value == 0 {
		*value = zero
	}
	return nil
}
