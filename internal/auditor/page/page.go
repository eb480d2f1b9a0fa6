// Package page writes the result of a verification as one self-contained HTML page, in English or German: it loads nothing, runs nothing,
// and its content security policy allows nothing but its own style sheet. Everything of the log is escaped; a hostile narrative is text.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/pioneerdesk/tomkit/internal/auditor/survey"
	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Input is what a page shows.
type Input struct {
	Lang   words.Lang
	Report *verify.Report
	Survey *survey.Survey
	// Export is read once more for the entries around the first findings, their openings and the names of older checkpoints.
	Export fs.FS
	// Source is where the export came from, Command how to repeat the check, Tool the program and its version.
	Source, Command, Tool string
	// At is the time of the check.
	At time.Time
	// Given is what the caller brought from outside the export.
	Given []Given
	// Files are the files that were read, as far as they were hashed.
	Files []File
	// Stamps are the time stamps of the export.
	Stamps []Stamp
}

// Given is something the caller brought.
type Given struct {
	What   string // a text that package words translates
	Name   string
	Result string // likewise
	Good   bool
}

// File is a file and its SHA-256 in hexadecimal digits.
type File struct {
	Name, Hash string
}

// Stamp is a time stamp and what became of it.
type Stamp struct {
	Size      uint64
	Authority string
	At        time.Time
	Good      bool
	Note      string
}

var (
	//go:embed page.tmpl
	source string
	//go:embed page.css
	css string
)

// policy is the content security policy: nothing is loaded, nothing is run, and only this style sheet counts.
func policy() string {
	sum := sha256.Sum256([]byte(css))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
}

var parsed = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(functions(words.English)).Parse(source))
})

func functions(l words.Lang) template.FuncMap {
	return template.FuncMap{"t": l.T, "n": l.Number, "time": l.Time, "clean": words.Clean}
}

// Write writes the page.
func Write(w io.Writer, in Input) error {
	t, err := parsed().Clone()
	if err != nil {
		return err
	}
	var b bytes.Buffer // nothing half written
	if err := t.Funcs(functions(in.Lang)).Execute(&b, newView(in)); err != nil {
		return err
	}
	_, err = b.WriteTo(w)
	return err
}
