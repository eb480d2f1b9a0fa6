package narrative

import (
	"errors"
	"fmt"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Status says what became of rendering an entry's narrative again.
type Status uint8

// The statuses.
const (
	// None means that the entry carries no form: one of a chain imported in the document's own format, or one that another
	// program wrote. Its sentence is bound, but nothing says how it came about.
	None Status = iota
	// Rendered means that the form gives the narrative, byte for byte.
	Rendered
	// Unknown means that this program's catalogue has no such template: the entry is newer than the program, or forged.
	Unknown
	// Differs means that the form gives another sentence, or is none.
	Differs
)

// String returns the status's name.
func (s Status) String() string {
	switch s {
	case None:
		return "none"
	case Rendered:
		return "rendered"
	case Unknown:
		return "unknown"
	case Differs:
		return "differs"
	}
	return "invalid"
}

// Check renders the narrative of e again from e's details and compares. The error says what is wrong: it is nil for
// Rendered and None, wraps [ErrUnknownTemplate] for Unknown, and [ErrForm] or [ErrDiffers] for Differs; its text holds nothing
// of the entry. e is an entry in canonical form, as a verifier hands it out.
func Check(e *verify.Entry) (Status, error) {
	if e.Scheme == verify.SchemePlain {
		return None, nil
	}
	var few [512]byte
	b, err := appendForm(few[:0], e.Details)
	switch {
	case errors.Is(err, ErrNoForm):
		return None, nil
	case errors.Is(err, ErrUnknownTemplate):
		return Unknown, err
	case err != nil:
		return Differs, err
	case string(b) != e.Narrative:
		return Differs, fmt.Errorf("narrative: check: %w", ErrDiffers)
	}
	return Rendered, nil
}

// Summary counts what [Check] says about the entries of a log, for reports. The zero value is empty.
type Summary struct {
	Rendered  uint64 `json:"rendered"`
	Unknown   uint64 `json:"unknown"`
	Differing uint64 `json:"differing"`
	None      uint64 `json:"none"`
	// Faults are the first unknown and differing narratives, at most [MaxFaults].
	Faults []Fault `json:"faults,omitempty"`
}

// MaxFaults is the number of faults a Summary names.
const MaxFaults = 100

// Fault is a narrative that was not rendered again.
type Fault struct {
	Seq    uint64 `json:"seq"`
	Status Status `json:"status"`
	Reason string `json:"reason"`
}

// MarshalText returns the status's name.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Add checks an entry and counts it.
func (s *Summary) Add(e *verify.Entry) {
	status, err := Check(e)
	switch status {
	case Rendered:
		s.Rendered++
	case Unknown:
		s.Unknown++
	case Differs:
		s.Differing++
	case None:
		s.None++
	}
	if err != nil && len(s.Faults) < MaxFaults {
		s.Faults = append(s.Faults, Fault{Seq: e.Seq, Status: status, Reason: err.Error()})
	}
}
