// Package token issues and verifies short-lived access tokens: one strict profile of JSON Web Signature with Ed25519, and
// nothing else that the JOSE standards allow.
//
//	iss, err := token.NewIssuer(key, token.IssuerConfig{Issuer: "https://tomkit.example", Audience: "tomkit"})
//	text, claims, err := iss.Issue(token.Claims{Subject: user, Tenant: tenant, Session: session, Role: "Technician", …})
//
//	ver, err := token.NewVerifier([]token.PublicKey{key.Public()}, token.VerifierConfig{Issuer: …, Audience: …})
//	claims, err := ver.Verify(text)        // every error matches ErrInvalid
//
// # The profile
//
// A token is <header>.<payload>.<signature>, each unpadded base64url.
//
//   - The header is exactly {"alg":"EdDSA","kid":"<key id>","typ":"at+jwt"}, byte for byte. It is compared, never parsed,
//     so alg none, HMAC with the public key, jku, jwk, x5u, crit, b64 and zip cannot be expressed.
//   - The payload is one JSON object without white space. Claims, each exactly once, in any order: iss, aud, sub, tid, role,
//     pol, pv, amr, auth_time, sid, jti, iat, nbf, exp. Strings are printable ASCII without quotation mark and backslash;
//     times are whole seconds, as plain digits; ids are lower-case UUIDs. Any other name, spelling or type is refused.
//   - The signature is Ed25519 over the first two segments. S at or above the group order is refused (RFC 8032 5.1.7).
//
// Verification takes one fixed order: length limit, header comparison, strict base64 of the signature, signature, and
// only then the payload is decoded and its claims are checked (TOM 1.2.3). A token with a wrong header costs no allocation.
//
// # Times
//
// A token lives at most [MaxTTL], 15 minutes, which is also the default, and which verifiers check as exp − iat. Expiry
// has no leeway; nbf and iat have [VerifierConfig.Leeway] for clocks that run apart.
//
// # Keys
//
// A key is rebuilt from a 32-byte seed out of the vault. Its id is derived from the public key (the first 96 bits of its
// RFC 7638 thumbprint), so it cannot be chosen or mixed up. To rotate: give verifiers old and new key
// ([Verifier.SetKeys]), then issue with the new one, then remove the old one after MaxTTL. In an emergency remove it at
// once: that also empties the cache.
//
// # What this package does not do
//
// It does not know about revocation: the caller must ask for it at every request, cached or not (see authn/session).
// Claims are signed, not encrypted; put nothing secret in them.
//
// Sources: RFC 7515, RFC 7519, RFC 8037, RFC 8725, RFC 9068 (typ), RFC 7638, TOM 1.2.3 and 1.3.1.
package token
