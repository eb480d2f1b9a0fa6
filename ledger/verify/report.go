package verify

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// ErrUnusable reports input that is no export at all, or configuration that cannot be used. It says nothing about any
// log.
var ErrUnusable = errors.New("verify: unusable input")

// Verdict is the outcome of a verification.
type Verdict string

// Verdicts.
const (
	Intact Verdict = "intact"
	Broken Verdict = "broken"
)

// Report is what Verify found.
type Report struct {
	Verdict Verdict    `json:"verdict"`
	Origin  string     `json:"origin"`
	Tenant  string     `json:"tenant,omitempty"` // UUID, from the first entry
	Size    uint64     `json:"size"`             // entries according to the checkpoint
	Root    string     `json:"root"`             // hexadecimal root according to the checkpoint
	From    uint64     `json:"from,omitempty"`   // position of the first entry read; not 0 with Config.From only
	Entries uint64     `json:"entries"`          // entries read
	First   *time.Time `json:"first,omitempty"`  // time of the first entry
	Last    *time.Time `json:"last,omitempty"`   // time of the last entry

	Critical    uint64 `json:"critical"`    // critical entries with a valid signature
	Checkpoints int    `json:"checkpoints"` // older checkpoints whose signature and root are right
	Receipts    int    `json:"receipts"`    // receipts found in the log

	// Gaps are the losses that the log declares after a restore. They are no findings, but whoever shows a report shows
	// them prominently: what happened there, nobody can tell from the log.
	Gaps []Gap `json:"gaps,omitempty"`
	// LostReceipts counts receipts for entries that lie in a declared gap: they prove that an entry was lost.
	LostReceipts int `json:"lost_receipts,omitempty"`
	// Closed is the time of the entry that ended the log. Nil means that it is open.
	Closed *time.Time `json:"closed,omitempty"`
	// Witnesses are Config.Witnesses whose cosignatures the export's checkpoints carry.
	Witnesses []WitnessUse `json:"witnesses,omitempty"`

	Openings         uint64 `json:"openings"`          // personal values that open their commitment
	Redacted         uint64 `json:"redacted"`          // personal values lawfully erased
	Withheld         uint64 `json:"withheld"`          // personal values the export does not carry
	OpeningsIncluded bool   `json:"openings_included"` // whether the export claims to carry all openings

	// KeysPinned says that the keys were given by the caller. Without that, a forger who rewrites a log and signs it
	// with a key of their own is found only by receipts and older checkpoints.
	KeysPinned bool     `json:"keys_pinned"`
	Keys       []KeyUse `json:"keys"`

	// Findings are all faults, the one to look at first in front: ordered by the last position concerned, then by the
	// first, so that an exact position comes before a range that contains it; faults without a position come last.
	Findings []Finding `json:"findings"`
	// Omitted counts findings beyond the limit.
	Omitted uint64 `json:"omitted,omitempty"`
}

// KeyUse is a key of the history and how often it verified something.
type KeyUse struct {
	ID        string  `json:"id"`
	Purpose   Purpose `json:"purpose"`
	Algorithm string  `json:"algorithm"`
	From      uint64  `json:"from"`
	Until     uint64  `json:"until,omitempty"`
	Used      uint64  `json:"used"` // entry signatures verified
	// Pinned says that the caller gave the key, not the export.
	Pinned bool `json:"pinned,omitempty"`
	// Announced is the position of the entry that announced the key, under an older key. Nil means that none did: it is one
	// of the first keys, or its announcement was not read.
	Announced *uint64 `json:"announced,omitempty"`
	// Compromised says that the key got into wrong hands at an unknown time.
	Compromised bool `json:"compromised,omitempty"`
}

// WitnessUse is a witness whose cosignatures an export's checkpoints carry.
type WitnessUse struct {
	Name        string    `json:"name"`
	Key         string    `json:"key"`         // 8 hexadecimal digits, the key hash of its note lines
	Checkpoints int       `json:"checkpoints"` // with its valid cosignature
	Size        uint64    `json:"size"`        // of the largest of them
	At          time.Time `json:"at"`          // when the witness signed that one
}

// Gap is a loss that the log declares: entries that were written, witnessed and not restored.
type Gap struct {
	Epoch     uint64    `json:"epoch"` // the epoch that began after it
	From      uint64    `json:"from"`  // first position lost
	Until     uint64    `json:"until"` // first position not lost: the size that was remembered outside
	Entry     uint64    `json:"entry"` // the entry that declares it
	At        time.Time `json:"at"`    // that entry's time
	Approvers []string  `json:"approvers"`
}

// Finding is one fault.
type Finding struct {
	Kind Kind
	// Located says that First and Last are positions of entries, first and last concerned; equal means exact.
	Located     bool
	First, Last uint64
	// Err is the typed error, such as *BrokenLinkError.
	Err error
}

// Exact reports whether the finding names one position.
func (f *Finding) Exact() bool { return f.Located && f.First == f.Last }

// MarshalJSON writes kind, seq or first and last, and text.
func (f Finding) MarshalJSON() ([]byte, error) {
	out := struct {
		Kind  Kind    `json:"kind"`
		Seq   *uint64 `json:"seq,omitempty"`
		First *uint64 `json:"first,omitempty"`
		Last  *uint64 `json:"last,omitempty"`
		Text  string  `json:"text"`
	}{Kind: f.Kind, Text: f.Err.Error()}
	switch {
	case f.Exact():
		out.Seq = &f.First
	case f.Located:
		out.First, out.Last = &f.First, &f.Last
	}
	return json.Marshal(out)
}

// Intact reports whether there is no finding.
func (r *Report) Intact() bool { return r.Verdict == Intact }

// Err returns the first finding's typed error, or nil for an intact log.
func (r *Report) Err() error {
	if len(r.Findings) == 0 {
		return nil
	}
	return r.Findings[0].Err
}

func newFinding(err located) Finding {
	kind, first, last := err.where()
	if first == nowhere {
		return Finding{Kind: kind, First: nowhere, Last: nowhere, Err: err}
	}
	return Finding{Kind: kind, Located: true, First: first, Last: last, Err: err}
}

// finish orders the findings, gives the verdict and keeps at most limit findings.
func (r *Report) finish(limit int) {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Last, b.Last), cmp.Compare(b.First, a.First))
	})
	r.Verdict = Intact
	if len(r.Findings) > 0 {
		r.Verdict = Broken
	}
	if len(r.Findings) > limit {
		r.Omitted += uint64(len(r.Findings) - limit)
		r.Findings = r.Findings[:limit]
	}
}

func uuidText(id [16]byte) string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
