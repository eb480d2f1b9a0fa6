package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger"
)

// Limits of a record.
const (
	// MaxValues is the greatest number of values in a record.
	MaxValues = 8192
	maxLine   = 1 << 20 // bytes
)

const timeForm = "2006-01-02T15:04:05.000000Z"

type record struct {
	V      int     `json:"v"`
	Tenant string  `json:"tenant"`
	At     string  `json:"at"`
	Values []value `json:"values"`
	Sum    string  `json:"sum"`
}

type value struct {
	Seq uint64 `json:"seq"`
	C   string `json:"c"`
}

const (
	sumSize   = 8
	sumMember = `"sum":"`
)

// encode returns the line of a record, with its newline.
func encode(r ledger.ErasureRecord) ([]byte, error) {
	if len(r.Values) == 0 || len(r.Values) > MaxValues {
		return nil, fmt.Errorf("journal: append: %d values, must be 1 to %d", len(r.Values), MaxValues)
	}
	out := record{V: 1, Tenant: r.Tenant.String(), At: r.At.UTC().Format(timeForm), Values: make([]value, len(r.Values)),
		Sum: hex.EncodeToString(make([]byte, sumSize))}
	for i, v := range r.Values {
		out.Values[i] = value{v.Seq, hex.EncodeToString(v.Commitment[:])}
	}
	line, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("journal: append: %w", err)
	}
	at := len(line) - len(`"}`) - 2*sumSize
	sum := sha256.Sum256(line[:at-len(sumMember)])
	hex.Encode(line[at:], sum[:sumSize])
	return append(line, '\n'), nil
}

// decode parses a line. It accepts exactly what encode writes.
func decode(line []byte) (ledger.ErasureRecord, error) {
	var r record
	var out ledger.ErasureRecord
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || r.V != 1 {
		return out, ErrMalformed
	}
	var err error
	if out.Tenant, err = uuid.Parse(r.Tenant); err != nil {
		return out, ErrMalformed
	}
	if out.At, err = time.Parse(timeForm, r.At); err != nil {
		return out, ErrMalformed
	}
	for _, v := range r.Values {
		e := ledger.ErasedValue{Seq: v.Seq}
		if len(v.C) != 2*len(e.Commitment) {
			return out, ErrMalformed
		}
		if _, err := hex.Decode(e.Commitment[:], []byte(v.C)); err != nil {
			return out, ErrMalformed
		}
		out.Values = append(out.Values, e)
	}
	if again, err := encode(out); err != nil || !bytes.Equal(again, line) {
		return out, ErrMalformed
	}
	return out, nil
}
