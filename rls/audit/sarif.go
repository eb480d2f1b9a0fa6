package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
)

// The types below are the part of SARIF 2.1.0 (OASIS Standard, 27 March 2020) that the report uses.

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool     sarifTool     `json:"tool"`
	Language string        `json:"language"`
	Results  []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string         `json:"id"`
	Name             string         `json:"name"`
	ShortDescription sarifText      `json:"shortDescription"`
	FullDescription  sarifText      `json:"fullDescription"`
	Help             sarifText      `json:"help"`
	Default          sarifDefault   `json:"defaultConfiguration"`
	Properties       sarifRuleProps `json:"properties"`
}

type sarifDefault struct {
	Level string `json:"level"`
}

type sarifRuleProps struct {
	Tags     []string `json:"tags"`
	Severity string   `json:"security-severity"` // CVSS-like number, read by code scanning services
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID       string             `json:"ruleId"`
	RuleIndex    int                `json:"ruleIndex"`
	Level        string             `json:"level"`
	Message      sarifText          `json:"message"`
	Locations    []sarifLocation    `json:"locations"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions []sarifSuppression `json:"suppressions,omitempty"`
}

type sarifLocation struct {
	Logical []sarifLogical `json:"logicalLocations"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification"`
}

var (
	sarifLevels  = map[Severity]string{Info: "note", Warn: "warning", Error: "error", Fatal: "error"}
	sarifNumbers = map[Severity]string{Info: "1.0", Warn: "4.0", Error: "7.0", Fatal: "9.5"}
)

// SARIF writes the report as a SARIF 2.1.0 log. Accepted findings are suppressed results with the reason as justification.
func (r Report) SARIF(w io.Writer, l Language) error {
	if l != German {
		l = English
	}
	run := sarifRun{Language: string(l), Results: []sarifResult{}, Tool: sarifTool{sarifDriver{
		Name: "tomkit audit", InformationURI: "https://github.com/pioneerdesk/tomkit", Rules: []sarifRule{},
	}}}
	for _, rule := range rules {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule.sarif(l))
	}
	for _, f := range r.Findings {
		run.Results = append(run.Results, f.sarif(r.Server.Database, l))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{
		Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}

func (r *Rule) sarif(l Language) sarifRule {
	return sarifRule{
		ID: r.ID, Name: r.Name, ShortDescription: sarifText{r.Title.In(l)}, FullDescription: sarifText{r.Why.In(l)}, Help: sarifText{r.Fix.In(l)},
		Default:    sarifDefault{sarifLevels[r.Severity]},
		Properties: sarifRuleProps{Tags: append([]string{"security"}, r.References...), Severity: sarifNumbers[r.Severity]},
	}
}

func (f Finding) sarif(database string, l Language) sarifResult {
	at := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == f.Rule })
	text := rules[at].Title.In(l) + ": " + line(f.Object)
	if f.Detail != "" {
		text += " (" + line(f.Detail) + ")"
	}
	sum := sha256.Sum256([]byte(f.Rule + "\x00" + f.Object))
	s := sarifResult{
		RuleID: f.Rule, RuleIndex: at, Level: sarifLevels[f.Severity], Message: sarifText{text},
		Locations:    []sarifLocation{{[]sarifLogical{{database + "/" + line(f.Object), "object"}}}},
		Fingerprints: map[string]string{"ruleAndObject/v1": hex.EncodeToString(sum[:16])},
	}
	if f.Accepted != "" {
		s.Suppressions = []sarifSuppression{{"external", f.Accepted}}
	}
	return s
}
