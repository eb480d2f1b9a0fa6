// Package session carries an access token between browser and server, and turns every request's token into a session
// the handler can rely on.
//
//	guard, err := session.New(session.Config{Verifier: verifier, Revocations: session.ByID(flow.Revoked)})
//	handler := guard.Middleware(mux)          // 401 before the handler, or a Session in its context
//	s, ok := session.FromContext(r.Context())
//
//	session.SetCookie(w, token)               // after sign-in
//	session.ClearCookie(w)                    // at sign-out, beside revoking s.ID()
//
// # Cookie
//
// The browser holds the token in __Host-tomkit: HttpOnly, Secure, SameSite=Strict, Path=/, no Domain, Max-Age 900. The
// __Host- prefix makes browsers refuse one set by a sibling host or over plain HTTP. API clients send the same token as
// "Authorization: Bearer". Nothing here sets a new cookie for an old one: a session ends with its token.
//
// # What is refused
//
// A request with both a cookie and an Authorization header, with two cookies of the name or two Authorization headers is
// refused, since two servers would not agree on who is asking. Revocation is asked at each request, within a time
// limit; if it cannot be answered the request fails (ErrUnavailable), it is never let through.
//
// # Cross-site requests
//
// SameSite=Strict alone does not stop a sibling subdomain. [CrossOrigin] adds the check of Sec-Fetch-Site and Origin from
// the standard library; put it outside Middleware.
//
// The package knows no token format: [Verifier] is the caller's, and [Claims] has the fields of authn/token's claims, so
// one converts to the other.
//
// Sources: RFC 6265bis, RFC 6750, OWASP ASVS 5.0 3.3 and 3.5, TOM 1.2.3.
package session
