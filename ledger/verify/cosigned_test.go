package verify_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// witness makes a witness's key; odd seeds are post-quantum.
func witness(name string, seed int64) *sign.WitnessKey {
	if seed%2 == 1 {
		return must(sign.NewMLDSA44WitnessKey(name, seeded(seed)))
	}
	return must(sign.NewWitnessKey(name, seeded(seed)))
}

var cosignTime = time.Date(2026, 4, 2, 8, 0, 0, 0, time.UTC)

// cosign appends a witness's line to a signed note.
func cosign(signed []byte, w *sign.WitnessKey, at time.Time) []byte {
	text := signed[:bytes.Index(signed, []byte("\n\n"))+1]
	return append(bytes.Clone(signed), must(w.Cosign(text, at))...)
}

func public(keys ...*sign.WitnessKey) (out []*sign.WitnessPublicKey) {
	for _, k := range keys {
		out = append(out, k.Public())
	}
	return out
}

func TestCosignaturesMakeAQuorum(t *testing.T) {
	k := small()
	a, b, c := witness("a.example", 10), witness("b.example", 11), witness("c.example", 12)
	p := k.parts()
	p.checkpoints[0] = cosign(p.checkpoints[0], b, cosignTime.Add(-time.Hour))
	p.head = cosign(cosign(p.head, a, cosignTime), b, cosignTime.Add(time.Minute))
	files := p.files()
	for quorum, intact := range []bool{true, true, true, false} {
		r := check(t, files, verify.Config{Witnesses: public(a, b, c), Quorum: quorum})
		if r.Intact() != intact {
			t.Errorf("quorum of %d: %v", quorum, r.Findings)
		}
		if !intact && r.Findings[0].Kind != verify.KindWitness {
			t.Errorf("findings %v", r.Findings)
		}
		if len(r.Witnesses) != 2 || r.Witnesses[0].Name != "a.example" || r.Witnesses[0].Checkpoints != 1 || r.Witnesses[1].Checkpoints != 2 ||
			r.Witnesses[1].Size != 40 || !r.Witnesses[1].At.Equal(cosignTime.Add(time.Minute)) {
			t.Errorf("witnesses %+v", r.Witnesses)
		}
	}
	if r := check(t, files, verify.Config{}); !r.Intact() || r.Witnesses != nil {
		t.Errorf("unasked: %v, %v", r.Findings, r.Witnesses)
	}
}

func TestCosignaturesThatAreNone(t *testing.T) {
	k := small()
	honest := k.parts()
	for _, seed := range []int64{20, 21} {
		w, impostor := witness("w.example", seed), witness("w.example", seed+100)
		other := witness("x.example", seed)
		line := func(signed []byte) []byte { // the witness's line under that note
			c := cosign(signed, w, cosignTime)
			return c[bytes.LastIndex(c, []byte("\n— "))+1:]
		}
		blob := string(line(honest.head))
		for name, c := range map[string]struct {
			head    []byte
			invalid bool // a finding of its own, not only a missing witness
		}{
			"none at all":           {honest.head, false},
			"by the wrong key":      {cosign(honest.head, impostor, cosignTime), false},
			"by another name":       {cosign(honest.head, other, cosignTime), false},
			"under a borrowed name": {append(bytes.Clone(honest.head), strings.Replace(string(cosign(honest.head, other, cosignTime)[len(honest.head):]), "x.example", "w.example", 1)...), false},
			"for another text":      {append(bytes.Clone(honest.head), line(k.sign(append(slices.Clone(honest.leaves[:39]), [32]byte{})))...), true},
			"of another size":       {append(bytes.Clone(honest.head), line(k.sign(honest.leaves[:39]))...), true},
			"with another time":     {append(bytes.Clone(honest.head), flipAt(blob, len("— w.example ")+12)...), true},
			"with a flipped bit":    {append(bytes.Clone(honest.head), flipAt(blob, len(blob)-12)...), true},
			"cut short":             {append(bytes.Clone(honest.head), "— w.example "+blob[len("— w.example "):][:16]+"\n"...), true},
		} {
			t.Run(name, func(t *testing.T) {
				p := k.parts()
				p.head = c.head
				for quorum := range 2 {
					r := check(t, p.files(), verify.Config{Witnesses: public(w), Quorum: quorum})
					want := quorum
					if c.invalid {
						want++
					}
					have := 0
					for _, f := range r.Findings {
						if f.Kind == verify.KindWitness {
							have++
						}
					}
					if have != want || len(r.Findings) != want || len(r.Witnesses) != 0 {
						t.Errorf("quorum of %d: findings %v, witnesses %v", quorum, r.Findings, r.Witnesses)
					}
				}
			})
		}
	}
}

func flipAt(line string, at int) []byte {
	b := []byte(line)
	if b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return b
}

func TestInvalidCosignaturesOfOlderCheckpointsAreFound(t *testing.T) {
	k := small()
	w := witness("w.example", 30)
	honest := k.parts()
	wrong := append(bytes.Clone(honest.checkpoints[0]), cosign(honest.head, w, cosignTime)[len(honest.head):]...)
	p := k.parts()
	p.checkpoints[0] = wrong
	receipt := k.receipt(honest.leaves, 3)
	receipt.Checkpoint = append(bytes.Clone(receipt.Checkpoint), wrong[len(honest.checkpoints[0]):]...)
	receipt.Checkpoint[len(receipt.Checkpoint)-12] ^= 1
	for name, r := range map[string]*verify.Report{
		"older":   check(t, p.files(), verify.Config{Witnesses: public(w)}),
		"earlier": check(t, k.parts().files(), verify.Config{Witnesses: public(w), Since: wrong}),
		"receipt": check(t, k.parts().files(), verify.Config{Witnesses: public(w), Receipts: []*verify.Receipt{receipt}}),
	} {
		if r.Intact() || len(r.Findings) != 1 || r.Findings[0].Kind != verify.KindWitness {
			t.Errorf("%s: findings %v", name, r.Findings)
		}
	}
}

func TestAWitnessCountsOnce(t *testing.T) {
	k := small()
	old, new := witness("w.example", 40), witness("w.example", 41)
	p := k.parts()
	p.head = cosign(cosign(cosign(p.head, old, cosignTime), old, cosignTime.Add(time.Hour)), new, cosignTime)
	files := p.files()
	other := witness("v.example", 42)
	r := check(t, files, verify.Config{Witnesses: public(old, new, other), Quorum: 2})
	if r.Intact() || len(r.Findings) != 1 || r.Findings[0].Kind != verify.KindWitness {
		t.Errorf("two keys and three lines of one witness are two: %v", r.Findings)
	}
	// One key under two names would be counted twice.
	twin := witness("u.example", 40)
	for name, cfg := range map[string]verify.Config{
		"one key under two names":       {Witnesses: public(old, twin), Quorum: 2},
		"more than there are":           {Witnesses: public(old, new), Quorum: 2},
		"a quorum of nobody":            {Quorum: 1},
		"a negative quorum":             {Witnesses: public(old), Quorum: -1},
		"a witness that is nil":         {Witnesses: []*sign.WitnessPublicKey{nil}},
		"one ML-DSA key, several names": {Witnesses: public(new, witness("u.example", 41))},
	} {
		if _, err := verify.Verify(context.Background(), files, cfg); !errors.Is(err, verify.ErrUnusable) {
			t.Errorf("%s: err %v", name, err)
		}
	}
}
