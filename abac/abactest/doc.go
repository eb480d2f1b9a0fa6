// Package abactest proves from outside which requests a server lets through: it belongs into tests, not into programs.
//
// [ProveRoutes] walks a list of routes, that of an httpabac.Mux or what httpabac.RoutesOf finds in another router, and calls
// each with no token, with every role, with every single permission, with every role less the permission, and against every
// condition of the route: another tenant, a weaker or older login, an outdated policy version, no or too low a clearance.
// Then it tries other methods, headers and spellings of the path as nobody. What must happen it computes from the texts of
// the policies, by code that shares nothing with the engine.
//
//	abactest.ProveRoutes(t, server, mux.Routes(), abactest.Config{Universe: universe, Roles: roles, Authorize: signIn})
//
// It imports no testing package: *testing.T and *testing.B are a [T].
package abactest
