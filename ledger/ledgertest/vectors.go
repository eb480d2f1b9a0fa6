package ledgertest

import (
	"embed"
	"encoding/json"
	"fmt"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

//go:embed testdata
var testdata embed.FS

// EntryVector is bytes that are, or are not, the canonical form of an entry.
type EntryVector struct {
	Name  string `json:"name"`
	Hex   string `json:"hex"`
	Valid bool   `json:"valid"`
	// The rest belongs to valid entries.
	Seq         uint64   `json:"seq,omitempty"`
	Action      string   `json:"action,omitempty"`
	Time        string   `json:"time,omitempty"`        // as the chain formula prints it
	Leaf        string   `json:"leaf,omitempty"`        // leaf hash
	Link        string   `json:"link,omitempty"`        // what the chain formula makes of the entry
	Commitments []string `json:"commitments,omitempty"` // in the order they are met
}

// DetailsVector is JSON that is, or is not, in the canonical form of details. It is base64, since not all of it is text.
type DetailsVector struct {
	Name   string `json:"name"`
	Base64 []byte `json:"base64"`
	Valid  bool   `json:"valid"`
}

// TreeVector is a tree with an inclusion proof and a consistency proof, which hold or not.
type TreeVector struct {
	Name   string   `json:"name"`
	Leaves []string `json:"leaves"` // leaf hashes
	Root   string   `json:"root"`
	Valid  bool     `json:"valid"` // both proofs hold

	Index     uint64   `json:"index"`
	Inclusion []string `json:"inclusion"` // proof for the leaf at Index

	OldSize     uint64   `json:"old_size"`
	OldRoot     string   `json:"old_root"`
	Consistency []string `json:"consistency"` // proof from OldSize to the whole tree
}

// PersonalVector is a personal value with its salt and commitment.
type PersonalVector struct {
	Name       string `json:"name"`
	Salt       string `json:"salt"`
	Value      string `json:"value"`
	Commitment string `json:"commitment"`
	Valid      bool   `json:"valid"`
}

// ErasureVector is a set of erased values with the digest that binds them.
type ErasureVector struct {
	Name        string   `json:"name"`
	Seqs        []uint64 `json:"seqs"`
	Commitments []string `json:"commitments"`
	Digest      string   `json:"digest"`
}

// NoteVector is a signed checkpoint or a receipt, with the key history it is judged by. Composite says that only the
// ML-DSA half of a signature gives it away.
type NoteVector struct {
	Name      string          `json:"name"`
	Kind      string          `json:"kind"` // checkpoint or receipt
	Text      string          `json:"text"`
	Keys      json.RawMessage `json:"keys"`
	Valid     bool            `json:"valid"`
	Composite bool            `json:"composite,omitempty"`
}

// CosignatureVector is the signature line of a witness, with the text of the checkpoint it is said to be about. MLDSA says
// that only the ML-DSA signature gives it away.
type CosignatureVector struct {
	Name  string `json:"name"`
	Key   string `json:"key"` // verifier key
	Text  string `json:"text"`
	Line  string `json:"line"`
	Valid bool   `json:"valid"`
	Time  int64  `json:"time,omitempty"` // seconds since 1970, of a valid one
	MLDSA bool   `json:"mldsa,omitempty"`
}

// Check returns nil if the line is a cosignature of the text by the key.
func (v *CosignatureVector) Check() error {
	key, err := sign.ParseWitnessPublicKey(v.Key)
	if err != nil {
		return err
	}
	_, err = key.VerifyLine([]byte(v.Text), []byte(v.Line))
	return err
}

// ExportVector is an export in testdata/exports with the verdict about it. First and Last are the positions that the first
// finding names.
type ExportVector struct {
	Name string `json:"name"`
	File string `json:"file"`
	// What is known from elsewhere: pinned keys.json, texts of receipts, an earlier checkpoint, one to go on from, verifier
	// keys of witnesses and how many must have cosigned.
	Keys      json.RawMessage `json:"keys,omitempty"`
	Receipts  []string        `json:"receipts,omitempty"`
	Since     string          `json:"since,omitempty"`
	From      string          `json:"from,omitempty"`
	Witnesses []string        `json:"witnesses,omitempty"`
	Quorum    int             `json:"quorum,omitempty"`

	Intact    bool    `json:"intact"`
	Kind      string  `json:"kind,omitempty"`
	First     *uint64 `json:"first,omitempty"`
	Last      *uint64 `json:"last,omitempty"`
	Composite bool    `json:"composite,omitempty"` // as in NoteVector

	Gaps         int  `json:"gaps,omitempty"`          // declared
	LostReceipts int  `json:"lost_receipts,omitempty"` // receipts that prove a lost entry
	Closed       bool `json:"closed,omitempty"`        // the log ends with its closing
}

// Config returns how the export is to be judged.
func (v *ExportVector) Config() (verify.Config, error) {
	c := verify.Config{Quorum: v.Quorum}
	if v.Keys != nil {
		keys, err := verify.ParseKeys(v.Keys)
		if err != nil {
			return c, err
		}
		c.Keys = keys
	}
	for _, text := range v.Receipts {
		r, err := verify.ParseReceipt([]byte(text))
		if err != nil {
			return c, err
		}
		c.Receipts = append(c.Receipts, r)
	}
	for _, text := range v.Witnesses {
		w, err := sign.ParseWitnessPublicKey(text)
		if err != nil {
			return c, err
		}
		c.Witnesses = append(c.Witnesses, w)
	}
	if v.Since != "" {
		c.Since = []byte(v.Since)
	}
	if v.From != "" {
		c.From = []byte(v.From)
	}
	return c, nil
}

// Set is all vectors.
type Set struct {
	Entries  []EntryVector
	Details  []DetailsVector
	Trees    []TreeVector
	Personal []PersonalVector
	Erasures []ErasureVector
	Notes    []NoteVector
	Exports  []ExportVector
	// Life are exports of logs whose keys change, that were recovered or that ended, and exports judged with knowledge from
	// elsewhere.
	Life         []ExportVector
	Cosignatures []CosignatureVector
}

// files maps the files of testdata to the parts of a Set.
func (s *Set) files() map[string]any {
	return map[string]any{
		"entries.json": &s.Entries, "details.json": &s.Details, "trees.json": &s.Trees, "personal.json": &s.Personal,
		"erasures.json": &s.Erasures, "notes.json": &s.Notes, "exports.json": &s.Exports,
		"life.json": &s.Life, "cosignatures.json": &s.Cosignatures,
	}
}

// Vectors returns the published vectors.
func Vectors() (*Set, error) {
	s := &Set{}
	for name, to := range s.files() {
		text, err := testdata.ReadFile("testdata/" + name)
		if err == nil {
			err = json.Unmarshal(text, to)
		}
		if err != nil {
			return nil, fmt.Errorf("ledgertest: vectors: %s: %w", name, err)
		}
	}
	return s, nil
}

// Export returns the zip archive of an export vector.
func Export(v ExportVector) ([]byte, error) { return testdata.ReadFile("testdata/exports/" + v.File) }
