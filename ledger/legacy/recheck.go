package legacy

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Recheck verifies the original signatures of an import against the original key, and returns how many there are. Compare
// the number with the import's report: a line left out of the file leaves no other trace. Whether the export itself is
// intact is for verify.Verify to say, with the importer's keys.
func Recheck(ctx context.Context, export fs.FS, size uint64, key *sign.Dilithium3PublicKey, signed Signed) (uint64, error) {
	f, err := export.Open(SignaturesFile)
	if err != nil {
		return 0, fmt.Errorf("legacy: recheck: %w", err)
	}
	defer f.Close()
	r := &signatures{lines: bufio.NewReaderSize(f, maxSignatureLine)}
	if err := r.next(); err != nil {
		return 0, err
	}
	var n, seq uint64
	for canonical, err := range verify.Entries(export, 0, size) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return n, fmt.Errorf("legacy: recheck: %w", err)
		}
		if r.any && r.seq == seq {
			e, err := verify.ParseEntry(canonical)
			if err != nil || key.Verify(signed.message(e.CurrentHash), r.sig) != nil {
				return n, &LineError{Line: r.number, Seq: seq, Err: ErrSignature}
			}
			n++
			if err := r.next(); err != nil {
				return n, err
			}
		}
		seq++
	}
	if r.any {
		return n, &LineError{Line: r.number, Seq: r.seq, Err: malformed("a signature of an entry that is not there")}
	}
	return n, nil
}

const maxSignatureLine = 64 + (sign.Dilithium3SignatureSize+2)/3*4

// signatures reads legacy-signatures.jsonl.
type signatures struct {
	lines  *bufio.Reader
	number uint64
	any    bool // seq and sig are those of a line
	seq    uint64
	sig    []byte
}

func (r *signatures) next() error {
	before, had := r.seq, r.any
	text, err := r.lines.ReadSlice('\n')
	if err == io.EOF && len(text) == 0 {
		r.any = false
		return nil
	}
	r.number++
	var l struct {
		Seq *uint64 `json:"seq"`
		Sig []byte  `json:"sig"`
	}
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) && err != io.EOF {
		return fmt.Errorf("legacy: recheck: %w", err)
	}
	if err != nil || json.Unmarshal(text, &l) != nil || l.Seq == nil || len(l.Sig) != sign.Dilithium3SignatureSize ||
		had && *l.Seq <= before || string(text) != `{"seq":`+strconv.FormatUint(*l.Seq, 10)+`,"sig":"`+base64.StdEncoding.EncodeToString(l.Sig)+"\"}\n" {
		return &LineError{Line: r.number, Seq: before, Err: malformed("not a line of " + SignaturesFile)}
	}
	r.any, r.seq, r.sig = true, *l.Seq, l.Sig
	return nil
}
