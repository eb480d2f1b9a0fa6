package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/internal/cli"
)

type policyExplainCmd struct {
	keysFlag
	File       string        `arg:"" help:"Policy set."`
	Role       string        `arg:"" help:"Role of the set."`
	Permission string        `arg:"" help:"What is asked for, such as devices:write."`
	Individual []string      `help:"Policy that the person holds beyond the role; may be repeated." placeholder:"POLICY"`
	Level      string        `help:"How the person signed in: ${enum}." enum:"single_factor,multi_factor,phishing_resistant" default:"single_factor"`
	Age        time.Duration `help:"How long ago that was." default:"0s"`
	At         time.Time     `help:"When the request is made (RFC 3339). Default: now." placeholder:"TIME"`
	From       string        `help:"Address the request comes from." placeholder:"ADDRESS"`
	Tenant     string        `help:"Whose the resource is: ${enum}." enum:"own,below,other" default:"own"`
}

// Run decides and says why. It fails where the answer is no.
func (k *policyExplainCmd) Run(c *console) error {
	p, err := k.read(k.File)
	if err != nil {
		return err
	}
	universe, err := abac.NewUniverse(p.Permissions...)
	if err != nil {
		return usage(err)
	}
	policies, err := p.Compile(universe)
	if err != nil {
		return usage(err)
	}
	role, known := policies.Roles.Role(k.Role)
	if !known {
		return cli.UsageError("no role %s; there are %s", k.Role, strings.Join(policies.Roles.Names(), ", "))
	}
	need, err := universe.Require(k.Permission)
	if err != nil {
		return cli.UsageError("the policy set does not list the permission %s", k.Permission)
	}
	set, err := universe.Compile(abac.Source{Role: role.Name, Policies: role.Policies}, abac.Source{Role: abac.Individual, Policies: k.Individual})
	if err != nil {
		return usage(err)
	}
	sub, req, err := k.situation()
	if err != nil {
		return err
	}
	sub.Role, sub.Set, sub.Version = role.Name, set, p.Version
	e := need.Explain(sub, policies.Apply(req), policies.Roles)
	if err := printExplanation(c.out, role.Name, e); err != nil {
		return err
	}
	if !e.Decision.Allowed {
		return fmt.Errorf("policy explain: %s", e.Decision.Reason)
	}
	return nil
}

// situation is what the flags say about the request.
func (k *policyExplainCmd) situation() (*abac.Subject, abac.Request, error) {
	levels := map[string]abac.Level{"single_factor": abac.SingleFactor, "multi_factor": abac.MultiFactor, "phishing_resistant": abac.PhishingResistant}
	own, other := uuid.New(), uuid.New()
	req := abac.Request{Now: k.At, Tenant: own}
	if req.Now.IsZero() {
		req.Now = time.Now()
	}
	if k.Tenant != "own" {
		req.Tenant = other
	}
	if k.Tenant == "below" {
		tree, err := abac.NewTenants(map[uuid.UUID]uuid.UUID{other: own})
		if err != nil {
			return nil, req, err
		}
		req.Hierarchy = tree
	}
	if k.From != "" {
		addr, err := netip.ParseAddr(k.From)
		if err != nil {
			return nil, req, cli.UsageError("--from: not an address")
		}
		req.Addr = addr
	}
	return &abac.Subject{ID: uuid.New(), Tenant: own, Level: levels[k.Level], AuthTime: req.Now.Add(-k.Age)}, req, nil
}

func printExplanation(out io.Writer, role string, e abac.Explanation) error {
	var b strings.Builder
	answer := "no"
	if e.Decision.Allowed {
		answer = "yes"
	}
	fmt.Fprintf(&b, "%s %s: %s (%s)\n", role, e.Permission, answer, e.Decision.Reason)
	if e.Rule != (abac.Rule{}) {
		fmt.Fprintf(&b, "  decided by %s of %s\n", e.Rule.Policy, e.Rule.Role)
	}
	for _, r := range e.Matches {
		if r != e.Rule {
			fmt.Fprintf(&b, "  also       %s of %s\n", r.Policy, r.Role)
		}
	}
	if r := e.Remedy; !e.Decision.Allowed {
		b.WriteString("it would be permitted\n")
		if r.Allow != "" {
			fmt.Fprintf(&b, "  with       %s\n", r.Allow)
		}
		for _, deny := range r.Denies {
			fmt.Fprintf(&b, "  without    %s of %s\n", deny.Policy, deny.Role)
		}
		for _, u := range r.Unmet {
			fmt.Fprintf(&b, "  meeting    %s, for %s (%s)\n", u.Condition, u.Constraint, u.Reason)
		}
		if len(r.Roles) > 0 {
			fmt.Fprintf(&b, "  or as      %s\n", strings.Join(r.Roles, ", "))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
