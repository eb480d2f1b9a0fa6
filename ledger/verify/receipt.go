package verify

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
)

// MaxReceipt bounds the text of a receipt in bytes.
const MaxReceipt = MaxCheckpoint + 8<<10

const (
	receiptHeader = "c2sp.org/tlog-proof@v1"
	maxProof      = 64 // hashes in an inclusion proof of a log that 64 bits can count
)

// Receipt proves offline that an entry is in a log: a C2SP tlog-proof whose extra data is the entry's leaf hash. A
// tenant who keeps receipts can show later that an entry was there, whatever the operator does to the log.
type Receipt struct {
	Index      uint64     // position of the entry
	Leaf       [32]byte   // LeafHash of the entry
	Proof      [][32]byte // RFC 6962 inclusion proof, from the leaf's sibling up
	Checkpoint []byte     // signed note
}

// Marshal returns the text form, file extension .tlog-proof.
func (r *Receipt) Marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", receiptHeader, base64.StdEncoding.EncodeToString(r.Leaf[:]), r.Index)
	for _, h := range r.Proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.Write(r.Checkpoint)
	return b.Bytes()
}

// ParseReceipt parses the text form. The result proves nothing before [Receipt.Verify].
func ParseReceipt(text []byte) (*Receipt, error) {
	if len(text) > MaxReceipt {
		return nil, tooLarge("receipt", len(text), MaxReceipt)
	}
	head, signed, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok {
		return nil, malformed("receipt", "no checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	if len(lines) < 3 || len(lines) > 3+maxProof || lines[0] != receiptHeader {
		return nil, malformed("receipt", "not a "+receiptHeader)
	}
	r := &Receipt{Checkpoint: bytes.Clone(signed)}
	extra, ok := strings.CutPrefix(lines[1], "extra ")
	if !ok || decodeBase64(r.Leaf[:], extra) != nil {
		return nil, malformed("receipt", "extra line does not hold a leaf hash")
	}
	index, ok := strings.CutPrefix(lines[2], "index ")
	n, err := parseDecimal(index)
	if !ok || err != nil {
		return nil, malformed("receipt", "no index line")
	}
	r.Index = n
	for _, l := range lines[3:] {
		var h [32]byte
		if decodeBase64(h[:], l) != nil {
			return nil, malformed("receipt", "proof line is not the base64 of 32 bytes")
		}
		r.Proof = append(r.Proof, h)
	}
	if _, err := peekCheckpoint(signed); err != nil {
		return nil, err
	}
	return r, nil
}

// Verify checks the checkpoint's signatures against keys and the inclusion proof against the checkpoint, and returns
// the checkpoint. Whether Leaf is the hash of a particular entry is for the caller to compare.
func (r *Receipt) Verify(keys *KeyHistory) (Checkpoint, error) {
	c, err := OpenCheckpoint(r.Checkpoint, keys)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := CheckInclusion(r.Proof, r.Index, c.Size, r.Leaf, c.Root); err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}
