package auditor

import (
	"encoding/json"
	"io"

	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

const jsonFormat = "tomkit-verify/v1"

// document is what --json prints.
type document struct {
	Format string `json:"format"`
	*verify.Report
	Narratives narrative.Summary `json:"narratives"`
	Timestamps []stamp           `json:"timestamps,omitempty"`
}

// jsonHelp describes it; a test compares it with the types.
const jsonHelp = `format; verdict: intact or broken; origin; tenant; size and root: of the checkpoint; entries: read; first and last: times; critical: entries with a valid signature of their own; checkpoints: older ones confirmed; receipts: found; gaps: epoch, from, until, entry, at, approvers; lost_receipts; closed: time; from: first entry read; witnesses: name, key, checkpoints, size, at; openings, redacted, withheld: personal values; openings_included; keys_pinned; keys: id, purpose, algorithm, from, until, used, pinned, announced, compromised; findings, the first to look at in front: kind, seq or first and last, text; omitted: findings beyond the limit; narratives: rendered, unknown, differing, none, faults: seq, status, reason; timestamps: size, anchor, status: valid, untrusted, broken or unchecked, time, authority.`

func printJSON(out io.Writer, r *result) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(document{jsonFormat, r.Report, r.survey.Narratives, r.stamps})
}
