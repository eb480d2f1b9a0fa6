// Package abactest proves from outside which requests a server lets through: it belongs into tests, not into programs.
//
// [ProveRoutes] walks a list of routes, usually that of an httpabac.Mux, and calls each with no token, with every role, with
// every single permission, with every role less the permission, and against every condition of the route. What must happen
// it computes from the texts of the policies, by code that shares nothing with the engine.
//
//	abactest.ProveRoutes(t, server, mux.Routes(), abactest.Config{Universe: universe, Roles: roles, Authorize: signIn})
//
// It imports no testing package: *testing.T and *testing.B are a [T].
package abactest
