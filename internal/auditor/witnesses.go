package auditor

import (
	"errors"
	"slices"

	"golang.org/x/mod/sumdb/note"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/ledger/sign"
)

// Witnesses are the witnesses whose cosignatures count.
type Witnesses struct {
	Witness []string `help:"Public key of a witness, name+hash+key, whose cosignatures are checked. Repeatable." placeholder:"VKEY" sep:"none"`
	Quorum  int      `help:"Number of different witnesses whose cosignatures the checkpoint must carry. Default: all that are given." default:"-1" placeholder:"N"`
}

// parse reads the keys and the quorum, which is all of the witnesses unless it was given.
func (w *Witnesses) parse() (keys []*sign.WitnessPublicKey, quorum int, err error) {
	names := map[string]bool{}
	for _, text := range slices.Compact(slices.Sorted(slices.Values(w.Witness))) {
		key, err := sign.ParseWitnessPublicKey(text)
		if err != nil {
			return nil, 0, cli.UsageError("--witness: %v", err)
		}
		keys = append(keys, key)
		names[key.Name()] = true
	}
	quorum = w.Quorum
	if quorum == -1 {
		quorum = len(names)
	}
	if quorum < 0 || quorum > len(names) {
		return nil, 0, cli.UsageError("--quorum must be between 0 and the number of witnesses given")
	}
	return keys, quorum, nil
}

var errCosignature = errors.New("a cosignature by a known witness does not verify")

// cosigned counts the witnesses, by their names, that cosigned a checkpoint.
func cosigned(signed []byte, keys []*sign.WitnessPublicKey) (int, error) {
	var verifiers []note.Verifier
	for _, k := range keys {
		verifiers = append(verifiers, k.NoteVerifier())
	}
	n, err := note.Open(signed, note.VerifierList(verifiers...))
	var none *note.UnverifiedNoteError
	switch {
	case errors.As(err, &none):
		return 0, nil
	case err != nil:
		return 0, errCosignature
	}
	names := map[string]bool{}
	for _, s := range n.Sigs {
		names[s.Name] = true
	}
	return len(names), nil
}
