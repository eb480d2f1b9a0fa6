package sample

import (
	"bytes"
	"os"
	"slices"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Checkpoint returns the signed checkpoint over the first n entries.
func (l *Log) Checkpoint(n uint64) []byte {
	var tree verify.Tree
	for _, leaf := range l.leaves[:n] {
		tree.Append(leaf)
	}
	p := l.period(n)
	signed := must(verify.SignCheckpoint(verify.Checkpoint{Origin: l.origin(n), Size: n, Root: tree.Root()}, p.checkpoint, p.stock))
	if l.witness == nil {
		return signed
	}
	text := signed[:bytes.Index(signed, []byte("\n\n"))+1]
	return append(signed, must(l.witness.Cosign(text, l.times[max(n, 1)-1].Add(2*time.Second)))...)
}

// Stamp is a time stamp to export.
type Stamp struct {
	verify.TimestampFile
	Token []byte
}

// Write writes an export, with an edit made to the entries but not to what vouches for them.
func (l *Log) Write(files verify.Files, edit func(entries [][]byte)) error {
	n := uint64(len(l.Entries))
	w := must(verify.NewWriter(files, verify.LogInfo{Origin: l.origin(n), Exporter: "sample", ExportedAt: l.times[n-1].Add(time.Hour), Openings: true}))
	entries := make([][]byte, n)
	for i := range entries {
		entries[i] = slices.Clone(l.Entries[i])
	}
	if edit != nil {
		edit(entries)
	}
	var errs []error
	add := func(err error) { errs = append(errs, err) }
	for i, e := range entries {
		add(w.Append(e, l.leaves[i]))
	}
	for _, s := range l.signatures {
		add(w.Signature(s))
	}
	slices.SortFunc(l.openings, func(a, b verify.Opening) int {
		if a.Seq != b.Seq {
			return int(int64(a.Seq) - int64(b.Seq))
		}
		return bytes.Compare(a.Commitment[:], b.Commitment[:])
	})
	for _, o := range l.openings {
		add(w.Opening(o))
	}
	for _, r := range l.redactions {
		add(w.Redaction(r))
	}
	for i := uint64(1); i < 10; i++ {
		add(w.Checkpoint(l.Checkpoint(n * i / 10)))
	}
	for _, s := range l.Stamps {
		add(w.Timestamp(s.TimestampFile, s.Token))
	}
	add(w.Close(l.Checkpoint(n), l.Keys))
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Zip writes an export as a zip archive.
func (l *Log) Zip(edit func(entries [][]byte)) []byte {
	var b bytes.Buffer
	z := verify.NewZip(&b, time.Time{})
	if err := l.Write(z, edit); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// ZipFile writes an export as a zip file.
func (l *Log) ZipFile(path string, edit func(entries [][]byte)) error {
	return os.WriteFile(path, l.Zip(edit), 0o600)
}
