// Package credential makes and reads tomkit's opaque bearer credentials: step tokens, refresh tokens, API keys,
// enrolment tokens and device credentials.
//
// Every credential names its tenant, so that the tenant scope can be opened before anything is looked up:
//
//	tk1_<kind>_<base64url(tenant id, 16 bytes)>_<base64url(32 random bytes)>
//
// The call most people need is [New] on the issuing side, storing [Credential.Hash] and handing [Credential.Reveal] to
// the client, and [Parse] with the expected kind on the receiving side:
//
//	c, err := credential.New(credential.Step, tenantID)
//	store(c.Tenant(), c.Hash())       // 32 bytes; never the text
//	respond(c.Reveal())               // the only way to the text
//
// # Security
//
// The random part has 256 bits, so an unsalted SHA-256 is enough at rest: there is nothing to guess. A credential
// redacts itself under fmt, slog and encoding; its bytes sit behind a function value, which reflection-based printers
// cannot follow. Base64 is strict: one credential has exactly one text. A tenant id inside a credential is a claim
// until the hash was found in that tenant; nothing may be decided from it but where to look.
//
// The text form is stable: credentials of this version stay readable by later ones.
package credential
