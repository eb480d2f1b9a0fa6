package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/cedar-policy/cedar-go"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/pioneerdesk/tomkit/abac"
)

// The comparison: 4 roles with 60 allows and 4 denies each, 256 queries, the caller holding one role. Every engine has to give the
// same 256 answers before anything is measured.
const (
	decideRoles   = 4
	decideAllows  = 60
	decideDenies  = 4
	decideQueries = 256
)

type question struct {
	permission string
	resource   string
	action     string
	want       bool
}

func decideRules(role int) (allows, denies []string) {
	for i := range decideAllows {
		allows = append(allows, fmt.Sprintf("resource-%02d:action-%d", (i+role*7)%64, i%8))
	}
	return allows, allows[:decideDenies]
}

// questions asks for what the first role allows, denies and does not mention, in turns.
func questions() []question {
	allows, denies := decideRules(0)
	allowed := map[string]bool{}
	for _, p := range allows {
		allowed[p] = true
	}
	for _, p := range denies {
		allowed[p] = false
	}
	var qs []question
	for i := range decideQueries {
		p := allows[(i*5)%len(allows)]
		if i%3 == 2 {
			p = fmt.Sprintf("resource-%02d:action-%d", i%64, (i*3+1)%8)
		}
		resource, action, _ := strings.Cut(p, ":")
		qs = append(qs, question{p, resource, action, allowed[p]})
	}
	return qs
}

func benchABAC(ctx context.Context, r *reporter) error {
	qs := questions()
	byID, byString, err := tomkitDecide(qs)
	if err != nil {
		return err
	}
	cedarPeer, err := cedarDecide(qs)
	if err != nil {
		return err
	}
	opaPeer, err := opaDecide(ctx, qs)
	if err != nil {
		return err
	}
	cachedPeer, err := casbinDecide(qs, true)
	if err != nil {
		return err
	}
	plainPeer, err := casbinDecide(qs, false)
	if err != nil {
		return err
	}
	comparisons := []comparison{
		{"abac-by-string", byString, cedarPeer, atLeast(80)},
		{"abac-by-string", byString, opaPeer, atLeast(600)},
		{"abac-by-string", byString, cachedPeer, atLeast(12)},
		{"abac-by-string", byString, plainPeer, atLeast(600)},
		{"abac-by-id", byID, cedarPeer, atLeast(80)},
		{"abac-by-id", byID, opaPeer, atLeast(600)},
		{"abac-by-id", byID, cachedPeer, atLeast(12)},
	}
	more, err := abacCosts(qs, cedarPeer, cachedPeer)
	if err != nil {
		return err
	}
	for _, c := range append(comparisons, more...) {
		if err := r.cost(c.name, c.ours, c.peer, c.want); err != nil {
			return err
		}
	}
	if err := abacLimits(r); err != nil {
		return err
	}
	return benchGuard(ctx, r)
}

type comparison struct {
	name       string
	ours, peer candidate
	want       target
}

// asking turns one decision into a candidate that has answered all questions rightly once.
func asking(name string, qs []question, decide func(i int) (bool, error)) (candidate, error) {
	for i, q := range qs {
		got, err := decide(i)
		if err != nil {
			return candidate{}, fmt.Errorf("%s: %w", name, err)
		}
		if got != q.want {
			return candidate{}, fmt.Errorf("%s: wrong answer to question %d", name, i)
		}
	}
	return candidate{name, func(n int) error {
		for i := range n {
			if got, err := decide(i & (decideQueries - 1)); err != nil || got != qs[i&(decideQueries-1)].want {
				return errors.Join(fmt.Errorf("wrong answer to question %d", i&(decideQueries-1)), err)
			}
		}
		return nil
	}}, nil
}

func abacUniverse() (*abac.Universe, error) {
	var names []string
	for r := range 64 {
		for a := range 8 {
			names = append(names, fmt.Sprintf("resource-%02d:action-%d", r, a))
		}
	}
	return abac.NewUniverse(names...)
}

// abacPolicies are the first role's, as a token carries them.
func abacPolicies() []string {
	allows, denies := decideRules(0)
	policies := append([]string{}, allows...)
	for _, p := range denies {
		policies = append(policies, "!"+p)
	}
	return policies
}

func tomkitDecide(qs []question) (byID, byString candidate, err error) {
	u, err := abacUniverse()
	if err != nil {
		return byID, byString, err
	}
	set, err := u.Compile(abac.Source{Role: "role-0", Policies: abacPolicies()})
	if err != nil {
		return byID, byString, err
	}
	ids := make([]abac.ID, len(qs))
	for i, q := range qs {
		ids[i], _ = u.ID(q.permission)
	}
	byID, err = asking("tomkit", qs, func(i int) (bool, error) { return set.Decide(ids[i]).Allowed, nil })
	if err != nil {
		return byID, byString, err
	}
	byString, err = asking("tomkit", qs, func(i int) (bool, error) { return set.DecideString(qs[i].permission).Allowed, nil })
	return byID, byString, err
}

func cedarDecide(qs []question) (candidate, error) {
	return cedarDecideIn(qs, cedar.NewRecord(nil), "")
}

// cedarDecideIn decides in a context; where conditions are given, they stand in a forbid that covers everything, once.
func cedarDecideIn(qs []question, context cedar.Record, conditions string) (candidate, error) {
	policies := cedar.NewPolicySet()
	add := func(effect string, role, n int, permission string) error {
		resource, action, _ := strings.Cut(permission, ":")
		text := fmt.Sprintf(`%s (principal in Role::"role-%d", action == Action::%q, resource == Resource::%q);`, effect, role, action, resource)
		var p cedar.Policy
		if err := p.UnmarshalCedar([]byte(text)); err != nil {
			return err
		}
		policies.Add(cedar.PolicyID(fmt.Sprintf("%s-%d-%d", effect, role, n)), &p)
		return nil
	}
	for role := range decideRoles {
		allows, denies := decideRules(role)
		for n, p := range allows {
			if err := add("permit", role, n, p); err != nil {
				return candidate{}, err
			}
		}
		for n, p := range denies {
			if err := add("forbid", role, n, p); err != nil {
				return candidate{}, err
			}
		}
	}
	if conditions != "" {
		var p cedar.Policy
		if err := p.UnmarshalCedar([]byte("forbid (principal, action, resource) " + conditions + ";")); err != nil {
			return candidate{}, err
		}
		policies.Add("conditions", &p)
	}
	user, role := cedar.NewEntityUID("User", "u"), cedar.NewEntityUID("Role", "role-0")
	entities := cedar.EntityMap{
		user: cedar.Entity{UID: user, Parents: cedar.NewEntityUIDSet(role)},
		role: cedar.Entity{UID: role},
	}
	requests := make([]cedar.Request, len(qs))
	for i, q := range qs {
		requests[i] = cedar.Request{
			Principal: user, Action: cedar.NewEntityUID("Action", cedar.String(q.action)), Resource: cedar.NewEntityUID("Resource", cedar.String(q.resource)), Context: context,
		}
	}
	return asking("cedar-go", qs, func(i int) (bool, error) {
		decision, _ := cedar.Authorize(policies, entities, requests[i])
		return bool(decision), nil
	})
}

const opaModule = `package authz
default allow := false
allow if { data.roles[input.role].allow[input.permission]; not data.roles[input.role].deny[input.permission] }`

func opaDecide(ctx context.Context, qs []question) (candidate, error) {
	roles := map[string]any{}
	for role := range decideRoles {
		allows, denies := decideRules(role)
		set := func(ps []string) map[string]any {
			m := map[string]any{}
			for _, p := range ps {
				m[p] = true
			}
			return m
		}
		roles[fmt.Sprintf("role-%d", role)] = map[string]any{"allow": set(allows), "deny": set(denies)}
	}
	query, err := rego.New(rego.Query("data.authz.allow"), rego.Module("authz.rego", opaModule), rego.Store(opaStore(map[string]any{"roles": roles}))).PrepareForEval(ctx)
	if err != nil {
		return candidate{}, err
	}
	inputs := make([]map[string]any, len(qs))
	for i, q := range qs {
		inputs[i] = map[string]any{"role": "role-0", "permission": q.permission}
	}
	return asking("OPA", qs, func(i int) (bool, error) {
		rs, err := query.Eval(ctx, rego.EvalInput(inputs[i]))
		return rs.Allowed(), err
	})
}

const casbinModel = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act`

func casbinDecide(qs []question, cached bool) (candidate, error) {
	m, err := model.NewModelFromString(casbinModel)
	if err != nil {
		return candidate{}, err
	}
	e, err := casbin.NewCachedEnforcer(m)
	if err != nil {
		return candidate{}, err
	}
	for role := range decideRoles {
		allows, denies := decideRules(role)
		name := fmt.Sprintf("role-%d", role)
		for _, rules := range []struct {
			effect string
			list   []string
		}{{"allow", allows}, {"deny", denies}} {
			for _, p := range rules.list {
				resource, action, _ := strings.Cut(p, ":")
				if _, err := e.AddPolicy(name, resource, action, rules.effect); err != nil {
					return candidate{}, err
				}
			}
		}
	}
	if _, err := e.AddGroupingPolicy("u", "role-0"); err != nil {
		return candidate{}, err
	}
	name := "casbin-cached"
	if !cached {
		name = "casbin"
		e.EnableCache(false)
	}
	return asking(name, qs, func(i int) (bool, error) { return e.Enforce("u", qs[i].resource, qs[i].action) })
}
