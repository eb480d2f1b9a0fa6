package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/pioneerdesk/tomkit/ledger/sign"
)

// checkWitnessConfig refuses witnesses that would make a quorum worth less than it says.
func (c *Config) checkWitnessConfig() error {
	names, owner := map[string]bool{}, map[string]string{}
	for _, w := range c.Witnesses {
		if w == nil {
			return fmt.Errorf("%w: a witness is nil", ErrUnusable)
		}
		key := w.Algorithm() + "\x00" + string(w.Bytes())
		if name, there := owner[key]; there && name != w.Name() {
			return fmt.Errorf("%w: witnesses %s and %s have one key", ErrUnusable, name, w.Name())
		}
		owner[key] = w.Name()
		names[w.Name()] = true
	}
	if c.Quorum < 0 || c.Quorum > len(names) {
		return fmt.Errorf("%w: a quorum of %d of %d witnesses", ErrUnusable, c.Quorum, len(names))
	}
	return nil
}

// checkWitnesses checks the cosignatures of a checkpoint by known witnesses and returns how many witnesses gave one. counts
// says that the checkpoint is the export's, so that the report shows it.
func (r *run) checkWitnesses(file string, signed []byte, size uint64, counts bool) (witnesses int) {
	if len(r.cfg.Witnesses) == 0 {
		return 0
	}
	end := bytes.Index(signed, []byte("\n\n"))
	if end < 0 {
		return 0
	}
	text, valid := signed[:end+1], map[string]bool{}
	seen := map[*sign.WitnessPublicKey]bool{}
	for line := range strings.SplitSeq(string(signed[end+2:]), "\n") {
		w, blob := r.witnessOf(line)
		if w == nil || seen[w] {
			continue
		}
		seen[w] = true
		at, err := w.VerifyCosignature(text, blob)
		if err != nil {
			r.add(&WitnessError{File: file, Witness: w.Name(), Reason: "its cosignature does not verify"})
			continue
		}
		valid[w.Name()] = true
		if counts {
			use := r.witnessUse(w)
			if use.Checkpoints++; size >= use.Size {
				use.Size, use.At = size, at
			}
		}
	}
	return len(valid)
}

// witnessOf returns the known witness that a signature line is of, and what it encodes after the key hash.
func (r *run) witnessOf(line string) (*sign.WitnessPublicKey, []byte) {
	rest, ok := strings.CutPrefix(line, "— ")
	name, code, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 {
		return nil, nil
	}
	raw, err := base64.StdEncoding.DecodeString(code)
	if err != nil || len(raw) < 4 {
		return nil, nil
	}
	for _, w := range r.cfg.Witnesses {
		if w.Name() == name && w.KeyHash() == binary.BigEndian.Uint32(raw) {
			return w, raw[4:]
		}
	}
	return nil, nil
}

func (r *run) witnessUse(w *sign.WitnessPublicKey) *WitnessUse {
	key := fmt.Sprintf("%08x", w.KeyHash())
	for i := range r.report.Witnesses {
		if u := &r.report.Witnesses[i]; u.Name == w.Name() && u.Key == key {
			return u
		}
	}
	r.report.Witnesses = append(r.report.Witnesses, WitnessUse{Name: w.Name(), Key: key})
	return &r.report.Witnesses[len(r.report.Witnesses)-1]
}

// checkQuorum checks that enough witnesses gave a cosignature of the export's checkpoint.
func (r *run) checkQuorum(witnesses int) {
	if witnesses < r.cfg.Quorum {
		r.add(&WitnessError{File: fileCheckpoint, Reason: fmt.Sprintf("cosigned by %d witnesses, must be %d", witnesses, r.cfg.Quorum)})
	}
}
