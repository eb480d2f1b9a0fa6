package legacy

import "time"

// Report is what an import, or a check, found.
type Report struct {
	Tenant  string     `json:"tenant,omitempty"`
	Entries uint64     `json:"entries"`           // entries of the tenant
	Skipped uint64     `json:"skipped,omitempty"` // lines of other tenants, passed over because a tenant was named
	First   *time.Time `json:"first,omitempty"`   // time of the first entry
	Last    *time.Time `json:"last,omitempty"`    // time of the last entry
	Head    string     `json:"head,omitempty"`    // current_hash of the last entry

	Key      string `json:"key,omitempty"` // id of the Dilithium3 key
	Signed   uint64 `json:"signed"`        // entries with a signature
	Verified uint64 `json:"verified"`      // signatures that verified; equal to Signed unless none were asked for
	Unsigned uint64 `json:"unsigned"`      // entries without one

	Canonical uint64 `json:"canonical"` // details already in canonical form
	Rewritten uint64 `json:"rewritten"` // details put in canonical form: same values, other bytes
	Kept      uint64 `json:"kept"`      // details kept as text, since the canonical form cannot hold them

	// Unbound names what the chain's formula does not cover.
	Unbound []string `json:"unbound"`
	// Findings are remarks that do not end an import, the first [MaxFindings] of them.
	Findings []Finding `json:"findings"`
	Omitted  uint64    `json:"omitted,omitempty"` // findings beyond the limit

	Digest string `json:"digest"`           // SHA-256 of the file, hexadecimal
	Origin string `json:"origin,omitempty"` // of the export
}

// MaxFindings is the number of findings a report keeps.
const MaxFindings = 100

// Finding is a remark about one entry.
type Finding struct {
	Seq  uint64 `json:"seq"`
	What string `json:"what"`
}

func (r *Report) find(seq uint64, what string) {
	if len(r.Findings) == MaxFindings {
		r.Omitted++
		return
	}
	r.Findings = append(r.Findings, Finding{seq, what})
}
