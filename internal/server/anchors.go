package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/witness"
	"github.com/pioneerdesk/tomkit/ledger/witness/tsa"
)

// anchorSpec is one of Config.LedgerAnchors: NAME=file:PATH, NAME=syslog:NETWORK:ADDRESS, NAME=witness:URL#KEY[#KEY] or
// NAME=tsa:URL#FILE, with the authority's roots in PEM.
type anchorSpec struct {
	name, kind, where string
}

func anchorSpecs(text string) (specs []anchorSpec, err error) {
	for spec := range strings.FieldsSeq(text) {
		name, rest, named := strings.Cut(spec, "=")
		kind, where, ok := strings.Cut(rest, ":")
		if !named || !ok || name == "" || where == "" {
			return nil, fmt.Errorf("%w: a ledger anchor is not NAME=KIND:WHERE", ErrConfig)
		}
		specs = append(specs, anchorSpec{name, kind, where})
	}
	return specs, nil
}

// checkAnchors finds mistakes before anything is started.
func checkAnchors(text string, now func() time.Time) error {
	specs, err := anchorSpecs(text)
	for _, a := range specs {
		if a.kind == "file" {
			continue // opened later
		}
		if _, _, err := a.open(now); err != nil {
			return err
		}
	}
	return err
}

// open returns the anchor and what closes it.
func (a anchorSpec) open(now func() time.Time) (anchor ledger.Anchor, close func() error, err error) {
	close = func() error { return nil }
	switch a.kind {
	case "file":
		var f *witness.File
		if err = os.MkdirAll(filepath.Dir(a.where), 0o700); err == nil {
			f, err = witness.OpenFile(witness.FileConfig{Name: a.name, Path: a.where})
		}
		if err == nil {
			anchor, close = f, f.Close
		}
	case "syslog":
		network, address, _ := strings.Cut(a.where, ":")
		var l *witness.Syslog
		if l, err = witness.NewSyslog(witness.SyslogConfig{Name: a.name, Network: network, Address: address, Now: now}); err == nil {
			anchor, close = l, l.Close
		}
	case "witness":
		anchor, err = a.witness()
	case "tsa":
		anchor, err = a.authority(now)
	default:
		err = errors.New("neither a file nor a syslog nor a witness nor a time-stamping authority")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: ledger anchor: %w", ErrConfig, err)
	}
	return anchor, close, nil
}

func (a anchorSpec) witness() (ledger.Anchor, error) {
	parts := strings.Split(a.where, "#")
	cfg := witness.ClientConfig{Name: a.name, URL: parts[0], Transport: witness.Direct(nil)}
	for _, text := range parts[1:] {
		key, err := sign.ParseWitnessPublicKey(text)
		if err != nil {
			return nil, err
		}
		cfg.Keys = append(cfg.Keys, key)
	}
	return witness.NewClient(cfg)
}

func (a anchorSpec) authority(now func() time.Time) (ledger.Anchor, error) {
	url, file, _ := strings.Cut(a.where, "#")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New("no certificate in the file of the authority's roots")
	}
	return tsa.New(tsa.Config{Name: a.name, URL: url, Roots: roots, Transport: witness.Direct(nil), Now: now})
}

// openAnchors opens the anchors that Config.LedgerAnchors names.
func (s *Server) openAnchors() ([]ledger.Anchor, error) {
	specs, err := anchorSpecs(s.cfg.LedgerAnchors)
	var anchors []ledger.Anchor
	for _, spec := range specs {
		a, close, err := spec.open(s.cfg.Now)
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, func(context.Context) error { return close() })
		anchors = append(anchors, a)
	}
	return anchors, err
}

// checkLedger says whether checkpoints are made in time. An anchor that is late does not make the server unready: then a witness
// that is down would take every server down with it. The metrics tell of it.
func (s *Server) checkLedger(ctx context.Context) error {
	h, err := s.lag.get(ctx)
	switch {
	case err != nil: // the database's part says why
		return errUnknown
	case slices.Contains(h.Late, "checkpoints"):
		return errors.New("server: ledger: checkpoints are late")
	}
	return nil
}
