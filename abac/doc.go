// Package abac decides who may do what: an attribute-based policy engine for tokens that carry their policies (TOM 1.3).
//
// A policy is "resource:action" or "!resource:action"; "*" stands for any resource or any action, and a rule on a dotted
// resource's head covers what lies below it. Nothing is allowed unless a policy allows it (default deny), and a deny is
// never overridden (deny override). There is no switch for either.
//
// # Use
//
// A product lists the permissions it asks for in a [Universe], keeps its roles as data in [Roles], compiles the policies of
// each token through a [Cache] and lets [Requirement.Decide] answer. Most products do this through the middleware of
// package httpabac and never call it themselves. The core alone:
//
//	u, err := abac.NewUniverse("devices:read", "devices:write")
//	set, err := u.Compile(abac.Source{Role: "technician", Policies: []string{"devices:*", "!devices:write"}})
//	set.DecideString("devices:write") // {Allowed: false, Reason: explicit_deny}
//
// # Conditions and policy sets
//
// A permission may be bound to conditions: by the route ([Universe.Require]) or, for everybody or some roles, by a
// [Constraint]. Conditions are a closed set of types (tenant and the tenants below it, MFA, time of the week, network, device,
// confidentiality label, a second person), so that what they say can be compared.
//
// Roles and constraints together are a [PolicySet]: a versioned JSON document that [PolicySet.Sign] signs and a [Live] keeps
// loading. What is not signed by enough keys, not newer or not well formed changes nothing and raises an alarm. Its minimum
// version makes older tokens be issued again.
//
// # Questions about policies
//
// [Rights] answer whether one role implies another, whether two are equivalent or disjoint, and whether one always or never
// allows, exactly and with a counterexample; [PolicySet.Lint] and [DiffPolicySets] are made of such questions, and so is
// [Roles.CanGrant]. [Set.Explain] and [Requirement.Explain] say which rule decided and what would have permitted it;
// [Subject.DecideAll] decides for a whole menu.
//
// # What it holds to
//
//   - The zero [Decision], [Set], [ID], [Condition] and [Requirement] deny.
//   - A policy that cannot be parsed voids its whole set: it may have been a deny, and a deny that is left out opens what it
//     was to close. The set then denies everything with [InvalidPolicy].
//   - Order and repetition of policies change nothing; adding a deny never allows, adding an allow never takes away. These
//     laws are checked for every set of policies over a small scope against an oracle that shares no code with the engine,
//     and millions of random decisions are compared with cedar-go's.
//   - No role is exempt from [SameTenant]. Who administers the platform works in a tenant under a token for that tenant.
//   - [Roles.CanGrant] compares rights over every permission there can be, not only the registered ones. A reserved role is
//     granted, and taken, by two of its holders.
//   - A constraint only takes away. A condition whose fact is not known does not hold.
//   - Errors and reasons never repeat a policy's text.
//
// Deciding takes about a nanosecond by [ID] and some fifteen by text, and does not allocate. Everything exported is
// immutable after it is made, or locks itself ([Cache]), and is safe for concurrent use.
//
// The package verifies no token, knows no router and, but for Live's interval, reads no clock: the server puts a [Subject]
// together from a verified token, and hands over the time. Time windows need the time zone database; a program that runs where
// there is none imports time/tzdata.
//
// The JSON forms of conditions, policy sets and envelopes are stable within their version.
//
// Sources: TOM 1.3.1 (roles), TOM 1.3.2 (default deny, deny override), RFC 8785 (canonical JSON), DSSE 1.0.2 (envelope).
package abac
