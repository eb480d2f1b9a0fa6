package witness

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Limits of an add-checkpoint request.
const (
	MaxProof   = 63                                      // hashes of a consistency proof
	MaxRequest = verify.MaxCheckpoint + MaxProof*45 + 64 // bytes
)

// request is the body of add-checkpoint: the size the witness is believed to know, the consistency proof from there to
// the checkpoint, the signed checkpoint.
type request struct {
	old   uint64
	proof [][32]byte
	note  []byte
}

func (r *request) marshal() []byte {
	b := fmt.Appendf(nil, "old %d\n", r.old)
	for _, h := range r.proof {
		b = base64.StdEncoding.AppendEncode(b, h[:])
		b = append(b, '\n')
	}
	b = append(b, '\n')
	return append(b, r.note...)
}

// parseRequest accepts exactly what marshal writes, for a note in the form of a signed checkpoint.
func parseRequest(body []byte) (*request, checkpoint, []byte, error) {
	head, note, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok || len(body) > MaxRequest {
		return nil, checkpoint{}, nil, malformed("request", "no empty line, or too large")
	}
	r := &request{note: note}
	lines := bytes.Split(head, []byte("\n"))
	size, ok := bytes.CutPrefix(lines[0], []byte("old "))
	old, err := parseSize(string(size))
	if !ok || err != nil {
		return nil, checkpoint{}, nil, malformed("request", "no old size")
	}
	r.old = old
	if len(lines)-1 > MaxProof {
		return nil, checkpoint{}, nil, malformed("request", "proof too long")
	}
	for _, line := range lines[1:] {
		h, err := parseHash(string(line))
		if err != nil {
			return nil, checkpoint{}, nil, malformed("request", "proof is not hashes")
		}
		r.proof = append(r.proof, h)
	}
	c, signatures, err := cutNote(note)
	return r, c, signatures, err
}
