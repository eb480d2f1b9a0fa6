package httpabac

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/abac"
)

// refuse is the answer to a deny. Where [Config].StepUp is set, it is a challenge if a stronger or more recent login, and
// nothing else, would let the same request through; a login that would not help is not asked for.
func (t *gate) refuse(ctx context.Context, sub *abac.Subject, req abac.Request, d abac.Decision) *Problem {
	p := t.guard.problem(ctx, d.Reason.String())
	if d.Reason != abac.MFARequired || len(t.guard.cfg.StepUp) == 0 {
		return p
	}
	if req.Now.IsZero() {
		req.Now = t.guard.cfg.Now()
	}
	stronger := *sub
	stronger.Level, stronger.AuthTime = abac.PhishingResistant, req.Now
	if t.need.Decide(&stronger, req).Allowed {
		p.Status, p.challenge = http.StatusUnauthorized, t.challenge()
	}
	return p
}

// challenge is the WWW-Authenticate value of RFC 9470 §3.
func (t *gate) challenge() string {
	b := t.guard.cfg.Challenge
	if strings.Contains(b, "=") {
		b += ","
	}
	b += ` error="insufficient_user_authentication", error_description="` + answers[abac.MFARequired.String()].title + `"`
	var classes []string // in order of preference: what suffices first
	for level := t.route.Level; level <= abac.PhishingResistant; level++ {
		if class := t.guard.cfg.StepUp[level]; class != "" {
			classes = append(classes, class)
		}
	}
	if len(classes) > 0 {
		b += `, acr_values="` + strings.Join(classes, " ") + `"`
	}
	if t.route.MaxAge > 0 {
		b += `, max_age="` + strconv.FormatInt(int64(t.route.MaxAge/time.Second), 10) + `"`
	}
	return b
}

// checkStepUp refuses what could not stand in a quoted, blank-separated list.
func checkStepUp(classes map[abac.Level]string) error {
	for level, class := range classes {
		odd := strings.ContainsFunc(class, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
		if level > abac.PhishingResistant || class == "" || odd {
			return fmt.Errorf("httpabac: new: StepUp holds an unknown level or a malformed class")
		}
	}
	return nil
}
