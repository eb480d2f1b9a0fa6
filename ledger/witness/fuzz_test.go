package witness

import (
	"bytes"
	"testing"
)

const fuzzNote = "log.example/ledger/01000000000000000000000000000000/0\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n" +
	"— log.example/ledger/01000000000000000000000000000000/0 AAAAAAAAAAA=\n"

// What the parser takes is exactly what a client writes.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("old 5\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n" + fuzzNote))
	f.Add([]byte("old 0\n\n" + fuzzNote))
	f.Add([]byte("old 0\n\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, cp, lines, err := parseRequest(body)
		if err != nil {
			return
		}
		if !bytes.Equal(r.marshal(), body) {
			t.Fatalf("written again: %q", r.marshal())
		}
		if !bytes.Equal(append(append(bytes.Clone(cp.text), '\n'), lines...), r.note) {
			t.Fatal("the parts are not the note")
		}
	})
}

// A record that is taken is written the same again, and no input is taken for longer than it is.
func FuzzRecord(f *testing.F) {
	good := formatRecord([]byte(fuzzNote))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(append(bytes.Clone(good), good...))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, n, err := parseRecord(b)
		if err != nil {
			return
		}
		if n > len(b) || n == 0 {
			t.Fatalf("record of %d bytes in %d", n, len(b))
		}
		i := bytes.IndexByte(b, '\n')
		if !bytes.Equal(formatRecord(b[i+1:n]), b[:n]) {
			t.Fatal("not written the same again")
		}
	})
}

// Signature lines that are taken join to what was given, and own keeps only the log's.
func FuzzSignatureLines(f *testing.F) {
	f.Add([]byte("— a AAAAAAAAAAA=\n— b AAAAAAAAAAA=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := cutLines(b)
		if err != nil {
			return
		}
		var joined []byte
		for _, l := range lines {
			joined = append(joined, l.raw...)
		}
		if !bytes.Equal(joined, b) {
			t.Fatalf("lost something: %q", joined)
		}
		note, _, err := own([]byte(fuzzNote + string(b)))
		if err == nil {
			if _, _, err := cutNote(note); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A size that a witness names is read one way.
func FuzzParseSize(f *testing.F) {
	f.Add("0")
	f.Add("36028797018963967")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseSize(s)
		if err == nil && (n > maxTreeSize || len(s) > 1 && s[0] == '0') {
			t.Fatal(s)
		}
	})
}
