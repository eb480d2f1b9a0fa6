package auditor

import (
	"crypto/x509"
	"errors"
	"time"

	"github.com/pioneerdesk/tomkit/internal/auditor/page"
	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/ledger/witness/tsa"
)

const maxRoots = 4 << 20 // bytes of certificates

// kindTimestamp is the kind of a finding about a time stamp, which only this program looks for.
const kindTimestamp verify.Kind = "timestamp"

// What became of a time stamp.
const (
	stampValid      = "valid"
	stampUntrusted  = "untrusted" // by an authority that none of the given roots vouches for
	stampBroken     = "broken"    // over another checkpoint, or no token: a finding
	stampNotChecked = "unchecked" // no roots were given
)

// stamp is a time stamp of the export, as --json shows it.
type stamp struct {
	Size      uint64     `json:"size"`
	Anchor    string     `json:"anchor"`
	Status    string     `json:"status"`
	Time      *time.Time `json:"time,omitempty"`
	Authority string     `json:"authority,omitempty"`
}

// roots reads the certificates of time-stamping authorities; nil means that none were given.
func (g *Given) roots() (*x509.CertPool, error) {
	if g.TSARoots == "" {
		return nil, nil
	}
	text, err := readFile("--tsa-roots", g.TSARoots, maxRoots)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, cli.UsageError("--tsa-roots: no certificate in %s", g.TSARoots)
	}
	return roots, nil
}

// checkStamps checks the export's time stamps. One that is over another checkpoint than the one beside it shows that the log was
// rewritten after it was stamped.
func checkStamps(e *export, r *result, roots *x509.CertPool) error {
	list, err := verify.Timestamps(e.files)
	if err != nil {
		return err
	}
	for _, t := range list {
		s := stamp{Size: t.Size, Anchor: t.Anchor, Status: stampNotChecked}
		if roots != nil {
			s.check(e, t, roots, r)
		}
		r.stamps = append(r.stamps, s)
	}
	return nil
}

func (s *stamp) check(e *export, t verify.TimestampFile, roots *x509.CertPool, r *result) {
	token, text, err := t.Read(e.files)
	var got *tsa.Stamp
	if err == nil {
		got, err = tsa.Check(token, text, roots)
	}
	switch {
	case errors.Is(err, tsa.ErrUntrusted):
		s.Status = stampUntrusted
	case err != nil:
		s.Status = stampBroken
		r.add(verify.Finding{Kind: kindTimestamp, Err: &verify.FileError{File: t.Path(), Err: err}})
	default:
		s.Status, s.Time = stampValid, &got.Time
		if got.Signer != nil {
			s.Authority = got.Signer.Subject.CommonName
		}
	}
}

// add adds a finding of this program's own to the report.
func (r *result) add(f verify.Finding) {
	r.Verdict = verify.Broken
	r.Findings = append(r.Findings, f)
}

// stampTexts say what became of a time stamp.
var stampTexts = map[string]string{
	stampValid: "valid", stampUntrusted: "by an authority that is not trusted", stampBroken: "broken, see the findings", stampNotChecked: "not checked: no --tsa-roots",
}

// pageStamps is the time stamps for the report.
func (r *result) pageStamps(l words.Lang) []page.Stamp {
	var list []page.Stamp
	for _, s := range r.stamps {
		p := page.Stamp{Size: s.Size, Authority: or(s.Authority, s.Anchor), Good: s.Status == stampValid, Note: l.T(stampTexts[s.Status])}
		if s.Time != nil {
			p.At = *s.Time
		}
		list = append(list, p)
	}
	return list
}

// newestStamp returns the valid time stamp of the largest checkpoint.
func (r *result) newestStamp() (newest *stamp, valid, others int) {
	for i := range r.stamps {
		if r.stamps[i].Status == stampValid {
			newest = &r.stamps[i]
			valid++
		} else {
			others++
		}
	}
	return newest, valid, others
}
