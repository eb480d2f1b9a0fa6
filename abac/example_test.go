package abac_test

import (
	"fmt"

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
