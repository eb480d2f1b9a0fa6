package httpabac

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/pioneerdesk/tomkit/abac"
)

// CodeNotRecorded is the code of the 503 given where a privileged allow could not be recorded.
const CodeNotRecorded = "not_recorded"

// ContentType is the media type of a [Problem] (RFC 9457).
const ContentType = "application/problem+json"

// Problem is the body of every refusal (RFC 9457). It says what the client can act on, and no policy.
type Problem struct {
	Type      string `json:"type"`   // Config.ProblemBase and Code
	Title     string `json:"title"`  // a fixed sentence for the code
	Status    int    `json:"status"` // as in the status line
	Code      string `json:"code"`   // an abac.Reason or CodeNotRecorded
	RequestID string `json:"request_id,omitempty"`

	challenge string
}

// answers holds status and title by code; a code that is not listed is answered like no_match.
var answers = map[string]struct {
	status int
	title  string
}{
	abac.NoToken.String():             {http.StatusUnauthorized, "Authentication is required."},
	abac.StalePolicy.String():         {http.StatusUnauthorized, "Permissions have changed; a new token is required."},
	abac.NoMatch.String():             {http.StatusForbidden, "The permission is missing."},
	abac.ExplicitDeny.String():        {http.StatusForbidden, "The permission is denied."},
	abac.InvalidPolicy.String():       {http.StatusForbidden, "The token's permissions are not valid."},
	abac.TenantMismatch.String():      {http.StatusForbidden, "The resource belongs to another tenant."},
	abac.MFARequired.String():         {http.StatusForbidden, "A stronger or more recent authentication is required."},
	abac.LabelTooLow.String():         {http.StatusForbidden, "The clearance does not cover the resource's label."},
	abac.OutsideTimeWindow.String():   {http.StatusForbidden, "The permission does not hold at this time."},
	abac.NetworkNotAllowed.String():   {http.StatusForbidden, "The permission does not hold from this network."},
	abac.DevicePosture.String():       {http.StatusForbidden, "The device does not meet the requirements."},
	abac.DualControlRequired.String(): {http.StatusForbidden, "A second person's approval is required."},
	abac.InvalidCondition.String():    {http.StatusForbidden, "The permission's conditions are not valid."},
	CodeNotRecorded:                   {http.StatusServiceUnavailable, "The action could not be recorded and was not carried out."},
}

func (g *Guard) problem(ctx context.Context, code string) *Problem {
	answer, known := answers[code]
	if !known {
		answer = answers[abac.NoMatch.String()]
	}
	p := &Problem{
		Type: g.cfg.ProblemBase + code, Title: answer.title, Status: answer.status, Code: code, RequestID: g.requestID(ctx),
	}
	if p.Status == http.StatusUnauthorized {
		p.challenge = g.cfg.Challenge
	}
	return p
}

func (p *Problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	if p.challenge != "" {
		h.Set("WWW-Authenticate", p.challenge)
	}
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a client that has gone away is nobody to report to
}
