package auditor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/internal/auditor/page"
	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// writeReport writes the HTML page.
func (c *verifyCommand) writeReport(ctx context.Context, s *streams, e *export, r *result) error {
	files, err := c.hashes(ctx, e)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	err = page.Write(&b, page.Input{
		Lang: c.Lang, Report: r.Report, Survey: &r.survey, Export: e.files, Source: c.Export, Command: commandLine(s.args),
		Tool: "tomkit-verify " + cli.Version(), At: time.Now(), Given: c.given(r.Report), Files: files, Stamps: r.pageStamps(c.Lang),
	})
	if err = errors.Join(err, e.fault()); err != nil { // the page reads the export once more
		return err
	}
	return replaceFile(c.Report, b.Bytes())
}

// spare refuses a report in the place of what is judged, or of what it is judged by.
func (c *verifyCommand) spare() error {
	report, err := os.Stat(c.Report)
	if err != nil {
		return nil // nothing is there
	}
	if report.IsDir() {
		return cli.UsageError("--report: %s is a directory", c.Report)
	}
	for _, name := range slices.Concat([]string{c.Export, c.Keys, c.Since, c.TSARoots, c.CA, c.BearerFile}, c.Receipt) {
		if info, err := os.Stat(name); err == nil && os.SameFile(report, info) {
			return cli.UsageError("--report: %s is what is read", c.Report)
		}
	}
	return nil
}

// replaceFile writes a file that only its owner reads, whole or not at all.
func replaceFile(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".report-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// commandLine is the command that was given, for a shell.
func commandLine(args []string) string {
	line := "tomkit-verify"
	for _, arg := range args {
		if arg == "" || strings.Trim(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=+@,%") != "" {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		line += " " + arg
	}
	return line
}

// hashes hashes what the report is about: an archive as a whole, otherwise the files beside the tiles, which the checkpoint binds.
func (c *verifyCommand) hashes(ctx context.Context, e *export) ([]page.File, error) {
	var files []page.File
	add := func(name string, open func() (io.ReadCloser, error)) error {
		f, err := open()
		if err != nil {
			return nil // it is not there, or that is a finding
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, reader{ctx, f}); err != nil {
			return err
		}
		files = append(files, page.File{Name: name, Hash: hex.EncodeToString(h.Sum(nil))})
		return nil
	}
	if info, err := os.Stat(c.Export); err == nil && info.Mode().IsRegular() {
		if err := add(c.Export, func() (io.ReadCloser, error) { return os.Open(c.Export) }); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"checkpoint", "log.json", "keys.json"} {
		if err := add(name, func() (io.ReadCloser, error) { return e.files.Open(name) }); err != nil {
			return nil, err
		}
	}
	for _, name := range append([]string{c.Keys, c.Since}, c.Receipt...) {
		if name != "" {
			if err := add(name, func() (io.ReadCloser, error) { return os.Open(name) }); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

// Read reads unless the context ended.
func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// given says what was brought from outside and what became of it.
func (c *verifyCommand) given(r *verify.Report) []page.Given {
	var list []page.Given
	add := func(what, name string, good bool, yes, no string) {
		if !good {
			yes = no
		}
		list = append(list, page.Given{What: what, Name: name, Result: yes, Good: good})
	}
	if c.Keys != "" {
		add("keys", c.Keys, !blamed(r, "checkpoint"), "the checkpoint is signed by them", "the checkpoint is not signed by them")
	}
	for i, name := range c.Receipt {
		add("receipt", name, !blamed(r, fmt.Sprintf("receipt %d", i+1)) && !hasKind(r, verify.KindReceipt), "contained in the log", "not confirmed")
	}
	if c.Since != "" {
		good := !blamed(r, "the earlier checkpoint") && !blamed(r, "the checkpoint verified before")
		add("earlier checkpoint", c.Since, good, "continued by the log", "not confirmed")
	}
	for _, w := range c.Witness {
		name, _, _ := strings.Cut(w, "+")
		seen := false
		for _, use := range r.Witnesses {
			seen = seen || use.Name == name
		}
		add("witness", name, seen, "cosigned", "no cosignature")
	}
	if c.Origin != "" {
		add("origin", c.Origin, c.Origin == r.Origin, "as expected", "another one")
	}
	if c.Tenant != "" {
		add("tenant", c.Tenant, !hasKind(r, verify.KindTenant), "as expected", "another one")
	}
	return list
}

func hasKind(r *verify.Report, k verify.Kind) bool {
	for _, f := range r.Findings {
		if f.Kind == k {
			return true
		}
	}
	return false
}

// blamed reports whether a finding names something as the one that contradicts the log.
func blamed(r *verify.Report, name string) bool {
	for _, f := range r.Findings {
		switch e := f.Err.(type) {
		case *verify.RootError:
			if e.File == name {
				return true
			}
		case *verify.TruncatedError:
			if e.By == name {
				return true
			}
		case *verify.CheckpointError:
			if e.File == name {
				return true
			}
		}
	}
	return false
}
