package audit

import (
	"fmt"
	"slices"
	"strings"
)

// Severity of a finding.
type Severity int

// Severities in ascending order. Zero is none.
const (
	// Info is worth knowing.
	Info Severity = iota + 1
	// Warn weakens a second line of defence, or makes isolation slow.
	Warn
	// Error gives more than intended, or tells something about other tenants.
	Error
	// Fatal reads or writes other tenants' rows, directly or in one further step. A server should not start on it.
	Fatal
)

var severityNames = []string{"none", "info", "warn", "error", "fatal"}

// String returns info, warn, error or fatal.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return "unknown"
	}
	return severityNames[s]
}

// MarshalText returns the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name, in any case.
func (s *Severity) UnmarshalText(text []byte) error {
	i := slices.Index(severityNames, strings.ToLower(string(text)))
	if i < 0 {
		return fmt.Errorf("audit: severity: %q is none of %s", text, strings.Join(severityNames, ", "))
	}
	*s = Severity(i)
	return nil
}

// Finding is one thing a rule found.
type Finding struct {
	// Rule is the rule's id, such as RLS201; Name its short name.
	Rule string `json:"rule"`
	Name string `json:"name"`
	// Severity is the rule's.
	Severity Severity `json:"severity"`
	// Object is what it was found on, such as "policy leak on shop.orders"; names are quoted as SQL needs it.
	Object string `json:"object"`
	// Detail names roles, columns, privileges or the expression; language-neutral, never rows.
	Detail string `json:"detail,omitempty"`
	// SQL is the statement that cures it, if one does.
	SQL string `json:"sql,omitempty"`
	// Accepted is the reason somebody gave for it; empty if nobody did.
	Accepted string `json:"accepted,omitempty"`
}

// Server describes what was audited.
type Server struct {
	// Version is major.minor; Database the database's name; Session and Current the login that asked.
	Version  string `json:"version"`
	Database string `json:"database"`
	Session  string `json:"session_user"`
	Current  string `json:"current_user"`
}

// Report is the outcome of one audit.
type Report struct {
	Server Server `json:"server"`
	// RequestRoles are the audited roles, Tables the number of tables that hold tenants' rows, Rules the number of rules applied.
	RequestRoles []string `json:"request_roles"`
	Tables       int      `json:"tables"`
	Rules        int      `json:"rules"`
	// Findings come in descending severity, then by rule and object; accepted ones are among them.
	Findings []Finding `json:"findings"`
}

// AtLeast returns the findings of that severity or a higher one that nobody accepted.
func (r Report) AtLeast(s Severity) []Finding {
	var found []Finding
	for _, f := range r.Findings {
		if f.Severity >= s && f.Accepted == "" {
			found = append(found, f)
		}
	}
	return found
}

// Accepted returns the findings that somebody answers for.
func (r Report) Accepted() []Finding {
	var found []Finding
	for _, f := range r.Findings {
		if f.Accepted != "" {
			found = append(found, f)
		}
	}
	return found
}

// Max returns the highest severity that nobody accepted, zero without findings.
func (r Report) Max() Severity {
	highest := Severity(0)
	for _, f := range r.AtLeast(Info) {
		highest = max(highest, f.Severity)
	}
	return highest
}
