// Package authntest is for testing what is built on authn: [Memory] is an [authn.Store] without a database, and [Run] is
// the conformance suite that every store has to pass, the one of authn/pgauthn included.
//
//	func TestStore(t *testing.T) {
//		authntest.Run(t, func(t *testing.T) authntest.Fixture { return newMine(t) })
//	}
//
// The suite drives whole sign-ins with an attacker in every place: replays, races, other tenants and browsers, exhausted
// and expired tokens, accounts that change in the middle, a recorder and a store that fail.
package authntest
