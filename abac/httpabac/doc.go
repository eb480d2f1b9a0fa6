// Package httpabac puts the policies of package abac in front of net/http handlers (TOM 1.3.2: middleware enforcement).
//
// [Mux] is an http.ServeMux that cannot hold an unprotected route: every route names the permission it demands, or the
// reason it is public, and a mistake stops the program when it registers its routes. [Guard.RequirePolicy] is the same
// check as plain middleware for other routers.
//
//	guard, err := httpabac.New(httpabac.Config{Universe: universe, Record: ledger})
//	mux := httpabac.NewMux(guard)
//	mux.Handle("GET /v1/devices", list, httpabac.Policy("devices:read"))
//	mux.Handle("DELETE /v1/devices/{id}", remove, httpabac.Policy("devices:delete", httpabac.MFA(abac.MultiFactor, 5*time.Minute)))
//	mux.Handle("GET /livez", live, httpabac.Public("probe: tells nothing but that the process runs"))
//	http.Handle("/", authenticate(mux))
//
// Authentication comes before: a middleware of the server's verifies the token and puts a subject into the context with
// [WithSubject]. Without one a guarded route answers 401.
//
// # What it holds to
//
//   - A refused request never reaches its handler; its body is not read.
//   - Refusals are problem+json (RFC 9457) with a stable code. They name no policy, no role and no permission.
//   - An allow on a privileged route is recorded before the handler runs. Where it cannot be recorded the handler does not
//     run and the answer is 503.
//   - A tenant in the path is compared in its canonical form only, and a role that may everything is not exempt.
//
// abactest.ProveRoutes walks the list of routes and proves who gets through each.
//
// Sources: TOM 1.3.2, RFC 9110 §11.6.1 (WWW-Authenticate), RFC 9457 (problem details).
package httpabac
