// Package vaulttest is a fake of both planes of a STACKIT Secrets Manager instance: the token endpoint and the management
// API on one side, a Vault with userpass, AppRole, tokens and a KV engine version 2 on the other. It is for the tests of
// whoever reads secrets at start, and for demonstrations without an account.
//
//	fake := vaulttest.New(t, vaulttest.Config{Secrets: map[string]map[string]string{"db": {"password": "…"}}})
//	key, err := stackit.ParseKey(fake.KeyFile(), nil)
//	client, err := stackit.New(stackit.Config{Key: key, Project: fake.Project(), Instance: fake.Instance(),
//		API: fake.URL(), TokenEndpoint: fake.TokenEndpoint(), Wire: wire.Config{Roots: fake.Roots()}})
//	fake.Inject(vaulttest.StepCreateUser, 1, vaulttest.Fault{LoseAnswer: true})
//
// # What is real
//
// Assertions are verified in full: algorithm, key id, signature, issuer, subject, audience, lifetime and that their id was not
// used before. Users get names and passwords made here and may only read unless they were made to write. Deleting a user does
// not end its tokens, as in a Vault; tokens end by time or revocation. Versions of secrets are deleted, undeleted and
// destroyed. Answers have the statuses and documents of a Vault 1.13; [Contract] is the table that says so, and foreign
// clients and a real Vault run it too.
//
// # What is not
//
// One mount, two policies, no namespaces, no token hierarchy, no other engines. Whether STACKIT sends passwords in
// lists, lets a new user in at once or lets a token revoke itself is not documented: passwords are empty here, the other
// two are switches (Config.LoginGrace, [Server.ForbidRevoke]).
//
// # Faults
//
// [Server.Inject] breaks the first, the n-th or every call of a step from then on. The clock is Config.Now; [Clock] is one
// that stands still until it is moved. [Server.Journal] lists the calls, [Server.Users] and [Server.Tokens] what is alive.
//
// Sources: STACKIT's OpenAPI document 1.4.3 of the Secrets Manager, RFC 7523, the HTTP API of HashiCorp Vault 1.13.
// Standard library only, without package testing, so that a program can serve it.
package vaulttest
