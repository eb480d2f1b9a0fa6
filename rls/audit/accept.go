package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pioneerdesk/tomkit/rls"
)

// Exception is a finding that somebody answers for.
type Exception struct {
	// Rule is the rule's id, Object the finding's object; a trailing * stands for any rest of the object.
	Rule   string `json:"rule"`
	Object string `json:"object"`
	// Reason says why it is acceptable. It stands in every report.
	Reason string `json:"reason"`
}

// ErrException is matched by errors about exceptions that cannot be used.
var ErrException = errors.New("audit: exception")

// ReadExceptions reads a JSON array of exceptions. Unknown fields, unknown rules and missing reasons are errors.
func ReadExceptions(r io.Reader) ([]Exception, error) {
	var list []Exception
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("%w: not a list of rule, object and reason: %w", ErrException, err)
	}
	if d.More() {
		return nil, fmt.Errorf("%w: text after the list", ErrException)
	}
	return list, validate(list)
}

func validate(list []Exception) error {
	for i, e := range list {
		switch {
		case Explain(e.Rule) == nil:
			return fmt.Errorf("%w %d: no rule %q", ErrException, i+1, e.Rule)
		case e.Object == "" || strings.TrimSpace(e.Reason) == "":
			return fmt.Errorf("%w %d (%s): object and reason are needed", ErrException, i+1, e.Rule)
		}
	}
	return nil
}

func (e Exception) matches(f Finding) bool {
	if e.Rule != f.Rule {
		return false
	}
	if prefix, any := strings.CutSuffix(e.Object, "*"); any {
		return strings.HasPrefix(f.Object, prefix)
	}
	return e.Object == f.Object
}

// accept marks the findings that exceptions meet, and reports the exceptions that meet none.
func accept(r *Report, o Options) {
	used := make([]bool, len(o.Accept))
	for i := range r.Findings {
		f := &r.Findings[i]
		for j, e := range o.Accept {
			if e.matches(*f) {
				f.Accepted, used[j] = e.Reason, true
			}
		}
		for _, e := range intended(o) {
			if f.Accepted == "" && e.matches(*f) {
				f.Accepted = e.Reason
			}
		}
	}
	for j, e := range o.Accept {
		if !used[j] {
			r.Findings = append(r.Findings, Explain(ruleUnused).finding(hit{object: "exception " + e.Rule + " " + e.Object, detail: e.Reason}))
		}
	}
}

// intended lists what is so by design: the two logins that must pass row-level security, and tomkit's own logins.
func intended(o Options) []Exception {
	list := []Exception{
		{ruleBypassLogin, "role " + ident(o.migrator()), "migrations move rows of all tenants and validate foreign keys; it serves no request"},
		{ruleBypassLogin, "role " + ident(o.backup()), "a dump under row-level security would be empty; it reads only and serves no request"},
	}
	for _, name := range []string{rls.RoleApp, rls.RoleMSP} {
		list = append(list, Exception{ruleConnLimit, "role " + name, "the pool bounds its connections (rls.Config.MaxConns)"})
	}
	if len(o.RequestRoles) > 0 {
		return list
	}
	return append(list, Exception{ruleActivity, "view pg_catalog.pg_stat_activity",
		"statements of tomkit carry tenants' data as parameters only, which the view does not show"})
}
