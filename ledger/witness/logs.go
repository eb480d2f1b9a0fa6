package witness

import (
	"errors"

	"golang.org/x/mod/sumdb/note"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Log is a log a [Server] cosigns for: its origin and the keys its checkpoints are signed with.
type Log struct {
	origin string
	check  func(signed []byte) error
}

// Origin returns the log's origin.
func (l Log) Origin() string { return l.origin }

// LogOfKeys returns the log of a key history, tomkit's keys.json: a checkpoint needs the composite line and the Ed25519
// line of keys that are valid at its size, as package verify asks.
func LogOfKeys(keys *verify.KeyHistory) (Log, error) {
	if _, err := keys.Marshal(); err != nil {
		return Log{}, badConfig("key history is not usable")
	}
	return Log{keys.Origin, func(signed []byte) error {
		_, err := verify.OpenCheckpoint(signed, keys)
		return err
	}}, nil
}

// LogOfVerifierKeys returns the log that signs with any one of the given verifier keys, as C2SP signed-note writes them:
// Ed25519 or tomkit's composite. An empty origin means the keys' name.
func LogOfVerifierKeys(origin string, vkeys ...string) (Log, error) {
	var verifiers []note.Verifier
	for _, text := range vkeys {
		v, err := sign.ParseVerifierKey(text)
		if err != nil {
			return Log{}, badConfig("not a verifier key of a log: Ed25519 or composite")
		}
		if origin = or(origin, v.Name()); !validOrigin(origin) {
			return Log{}, badConfig("not an origin")
		}
		verifiers = append(verifiers, v)
	}
	if len(verifiers) == 0 {
		return Log{}, badConfig("log without a key")
	}
	list := note.VerifierList(verifiers...)
	return Log{origin, func(signed []byte) error {
		_, err := note.Open(signed, list)
		return err
	}}, nil
}

// Fixed returns the lookup of a [Server] that serves these logs. Two of one origin are an error.
//
// A recovered log has a new origin, its next epoch, and begins at size 0 like any other: a witness cosigns for it when its
// operator has added it, so that no log ends a dispute with its witness alone.
func Fixed(logs ...Log) (func(origin string) (Log, bool), error) {
	m := make(map[string]Log, len(logs))
	for _, l := range logs {
		if _, twice := m[l.origin]; twice || l.check == nil {
			return nil, badConfig("an origin appears twice, or a log is empty")
		}
		m[l.origin] = l
	}
	return func(origin string) (Log, bool) { l, ok := m[origin]; return l, ok }, nil
}

// unsigned reports whether a check failed for want of a signature rather than of form.
func unsigned(err error) bool { return err != nil && !errors.Is(err, verify.ErrMalformed) }
