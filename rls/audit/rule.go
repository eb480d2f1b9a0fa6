package audit

import (
	"fmt"
	"slices"
	"strings"
)

// Language of texts.
type Language string

// Languages that rules and reports are written in.
const (
	// English is the default.
	English Language = "en"
	// German is the other one.
	German Language = "de"
)

// Text is a text in both languages.
type Text struct{ EN, DE string }

// In returns the text in a language, English for an unknown one.
func (t Text) In(l Language) string {
	if l == German {
		return t.DE
	}
	return t.EN
}

// Rule is one thing that must not be so.
type Rule struct {
	// ID is stable: it is never given to another rule. Name is for people.
	ID, Name string
	// Severity is that of its findings.
	Severity Severity
	// Title says what is found, Why what it does, Fix what to do.
	Title, Why, Fix Text
	// SQL is the cure with {1}, {2} for names; empty where no statement cures it.
	SQL string
	// References are sections of TOM 6.0, numbers of verified behaviours (R01 to R30), CVEs, and chapters of the PostgreSQL manual.
	References []string

	check func(*model) []hit
}

// hit is what a check found: args fill the rule's SQL.
type hit struct {
	object, detail string
	args           []string
}

func (r *Rule) finding(h hit) Finding {
	f := Finding{Rule: r.ID, Name: r.Name, Severity: r.Severity, Object: h.object, Detail: h.detail}
	if r.SQL != "" {
		pairs := make([]string, 0, 2*len(h.args))
		for i, a := range h.args {
			pairs = append(pairs, fmt.Sprintf("{%d}", i+1), a)
		}
		f.SQL = strings.NewReplacer(pairs...).Replace(r.SQL)
	}
	return f
}

// Ids that other parts name.
const (
	ruleBypassLogin = "RLS023"
	ruleConnLimit   = "RLS025"
	ruleActivity    = "RLS701"
	ruleUnused      = "RLS902"
)

var rules = slices.SortedFunc(slices.Values(slices.Concat(
	roleRules, loginRules, tableRules, policyRules, grantRules, keyRules, codeRules, outsideRules, serverRules, auditRules,
)), func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })

// Rules returns every rule in the order of ids.
func Rules() []Rule { return slices.Clone(rules) }

// Explain returns the rule with that id, in any case, or nil.
func Explain(id string) *Rule {
	i := slices.IndexFunc(rules, func(r Rule) bool { return strings.EqualFold(r.ID, id) })
	if i < 0 {
		return nil
	}
	r := rules[i]
	return &r
}

func refs(all ...string) []string { return all }
