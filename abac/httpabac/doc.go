// Package httpabac puts the policies of package abac in front of net/http handlers (TOM 1.3.2: middleware enforcement).
//
// [Mux] is an http.ServeMux that cannot hold an unprotected route: every route names the permission it demands, or the
// reason it is public, and a mistake stops the program when it registers its routes. [Guard.RequirePolicy] is the same
// check as plain middleware for other routers, whose routes [RoutesOf] checks.
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
// # Conditions
//
// Beside the permission a route can demand a strong or recent login ([MFA]), the tenant its path names ([TenantParam]), a
// clearance for the label of what is asked for ([Cleared]), and any other condition of package abac ([When]), whose facts a
// function of the server's reports. Where [Config].StepUp is set, a login that is too weak is answered by 401 and a
// challenge (RFC 9470), but only if a stronger one would do.
//
// # Decision log
//
// [Config].Record receives denies, privileged allows and samples of the others. [Log] keeps them with back-pressure: a deny
// waits for room and is never dropped, a privileged allow waits until it is written or is refused, a sample is dropped
// when there is no room and counted.
//
// # What it holds to
//
//   - A refused request never reaches its handler; its body is not read.
//   - No method, host, spelling of a path or header leads to a handler past its own policy. Redirects to the clean form of
//     a path and 404 and 405 answers are net/http's and need no policy: they tell that a path exists, and no more.
//   - Refusals are problem+json (RFC 9457) with a stable code. They name no policy, no role and no permission.
//   - An allow on a privileged route is recorded before the handler runs. Where it cannot be recorded the handler does not
//     run and the answer is 503.
//   - A deny that cannot be recorded is refused all the same, with its own status.
//   - A tenant in the path is compared in its canonical form only, and a role that may everything is not exempt.
//   - A panic in what reports facts, labels or records keeps the handler from running; panics are left to the server.
//
// abactest.ProveRoutes walks the list of routes and proves who gets through each.
//
// Sources: TOM 1.3.2, RFC 9110 §11.6.1 (WWW-Authenticate), RFC 9457 (problem details), RFC 9470 (step-up challenge).
package httpabac
