package pgledger

import (
	"bytes"
	"io"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// memory collects the files of a verify.Writer.
type memory map[string][]byte

// Create implements verify.Files.
func (m memory) Create(name string) (io.WriteCloser, error) {
	return &memoryFile{m: m, name: name}, nil
}

type memoryFile struct {
	bytes.Buffer
	m    memory
	name string
}

func (f *memoryFile) Close() error {
	f.m[f.name] = f.Bytes()
	return nil
}

// side is a reader over the lines that a verify.Writer makes of pages of rows.
type side struct {
	more func(*verify.Writer) (bool, error) // writes a page, reports whether there may be another
	w    *verify.Writer
	out  sideFile
	done bool
}

// sideFile is the file of the Writer that is read: the first one created. What follows belongs to the Writer's end.
type sideFile struct {
	bytes.Buffer
	opened bool
}

// Create implements verify.Files.
func (f *sideFile) Create(string) (io.WriteCloser, error) {
	if f.opened {
		return unclosed{io.Discard}, nil
	}
	f.opened = true
	return unclosed{&f.Buffer}, nil
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

func newSide(more func(*verify.Writer) (bool, error)) *side { return &side{more: more} }

// Read implements io.Reader.
func (s *side) Read(p []byte) (int, error) {
	if s.w == nil {
		w, err := verify.NewWriter(&s.out, verify.LogInfo{Origin: verify.FormatOrigin("side", [16]byte{}, 1)})
		if err != nil {
			return 0, err
		}
		s.w = w
	}
	for s.out.Len() == 0 && !s.done {
		more, err := s.more(s.w)
		if err != nil {
			return 0, err
		}
		if !more {
			s.done = true
			if !s.out.opened {
				return 0, io.EOF // not a line
			}
			// Closing the writer empties its buffer into the file.
			if err := s.w.Close(nil, &verify.KeyHistory{Origin: verify.FormatOrigin("side", [16]byte{}, 1)}); err != nil {
				return 0, err
			}
		}
	}
	return s.out.Read(p)
}

// entrySignature is the line of a stored signature. A key id or a length that no signature has becomes a signature that
// does not verify, so that the verifier can say of which entry.
func entrySignature(seq uint64, key string, sig []byte) verify.EntrySignature {
	id, _ := sign.ParseKeyID(key)
	if len(sig) != sign.CompositeSignatureSize {
		sig = make([]byte, sign.CompositeSignatureSize)
	}
	return verify.EntrySignature{Seq: seq, Key: id, Sig: sig}
}
