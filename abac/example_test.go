package abac_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/pioneerdesk/tomkit/abac"
)

func Example() {
	u, err := abac.NewUniverse(abac.TOM6Permissions()...)
	if err != nil {
		panic(err)
	}
	roles, err := abac.NewRoles(u, 1, abac.TOM6Roles()...)
	if err != nil {
		panic(err)
	}
	role, _ := roles.Role(abac.Technician)
	set, err := u.Compile(
		abac.Source{Role: role.Name, Policies: role.Policies},
		abac.Source{Role: abac.Individual, Policies: []string{"devices:read", "!commands:execute"}},
	)
	if err != nil {
		panic(err)
	}

	for _, permission := range []string{"itsm:write", "devices:read", "commands:execute", "iam:write"} {
		e := set.Explain(permission)
		fmt.Printf("%s: %s by %q of %q\n", permission, e.Decision.Reason, e.Rule.Policy, e.Rule.Role)
	}
	// Output:
	// itsm:write: allowed by "itsm:write" of "technician"
	// devices:read: allowed by "devices:read" of "individual"
	// commands:execute: explicit_deny by "!commands:execute" of "individual"
	// iam:write: no_match by "" of ""
}

// A policy set is written as JSON, signed, and kept loaded while the program runs.
func ExampleLive() {
	set, err := abac.ParsePolicySet([]byte(`{
		"format": "tomkit-policy-set/1", "version": 7, "min_version": 6,
		"permissions": ["commands:execute", "devices:read"],
		"roles": [{"name": "technician", "policies": ["*:*"]}],
		"constraints": [{"policy": "commands:*", "when": [{"mfa": {"level": "multi_factor", "max_age_seconds": 300}}]}]
	}`))
	if err != nil {
		panic(err)
	}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // openssl genpkey -algorithm ed25519
	envelope, err := set.Sign(abac.Ed25519Signer{ID: "board", Key: key})
	if err != nil {
		panic(err)
	}

	u, err := abac.NewUniverse("commands:execute", "devices:read")
	if err != nil {
		panic(err)
	}
	keys, err := abac.NewEd25519(map[string]ed25519.PublicKey{"board": key.Public().(ed25519.PublicKey)})
	if err != nil {
		panic(err)
	}
	live, err := abac.NewLive(context.Background(), abac.LiveConfig{
		Universe: u, Verifier: keys,
		Source: func(context.Context) ([]byte, error) { return envelope, nil }, // abac.PolicyFile("/etc/clinic/policy.json")
	})
	if err != nil {
		panic(err)
	}
	// go live.Run(ctx); readiness asks live.Ready

	role, _ := live.Policies().Roles.Role("technician")
	granted, err := u.Compile(abac.Source{Role: role.Name, Policies: role.Policies})
	if err != nil {
		panic(err)
	}
	need, err := u.Require("commands:execute")
	if err != nil {
		panic(err)
	}
	sub := &abac.Subject{Role: role.Name, Set: granted, Version: 7}
	fmt.Println(need.Decide(sub, live.Policies().Apply(abac.Request{Now: time.Now()})).Reason)
	sub.Version = 5
	fmt.Println(need.Decide(sub, live.Policies().Apply(abac.Request{Now: time.Now()})).Reason)
	// Output:
	// mfa_required
	// stale_policy
}

// Rights answer questions about all permissions and all requests, with a counterexample.
func ExampleRights_Implies() {
	u, err := abac.NewUniverse("devices:read")
	if err != nil {
		panic(err)
	}
	rights := func(policies ...string) abac.Rights {
		s, err := u.Compile(abac.Source{Policies: policies})
		if err != nil {
			panic(err)
		}
		return abac.Rights{Set: s}
	}
	verdict := rights("devices:*").Implies(rights("*:*", "!devices.ward3:write"))
	fmt.Println(verdict.Answer, verdict.Counterexample.Permission)
	fmt.Println(rights("devices.ward3:read").Implies(rights("devices:*")).Answer)
	// Output:
	// no devices.ward3:write
	// yes
}
