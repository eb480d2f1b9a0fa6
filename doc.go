// Package tomkit is the root of a kit of technical and organisational measures (TOMs, Art. 32 GDPR) for regulated multi-tenant
// platforms. The root holds no code; each control is a package of its own that can be imported alone:
//
//   - [github.com/pioneerdesk/tomkit/rls]: tenant isolation by forced row-level security, in one round trip.
//   - [github.com/pioneerdesk/tomkit/ledger]: an audit log that a tenant can verify offline, with post-quantum signatures.
//   - [github.com/pioneerdesk/tomkit/ledger/verify]: the offline verifier, for audit tools: no driver, no network.
//   - [github.com/pioneerdesk/tomkit/authn]: two-step sign-in over authn/password, authn/totp, authn/token and authn/session.
//   - [github.com/pioneerdesk/tomkit/abac]: a policy engine with default deny and deny override, and RequirePolicy.
//   - [github.com/pioneerdesk/tomkit/vault]: secrets that redact themselves, and field sealing in vault/seal.
//   - [github.com/pioneerdesk/tomkit/heartbeat]: endpoint telemetry, acknowledged after commit.
//
// cmd/tomkit-server, cmd/tomkit-agent, cmd/tomkit-verify and cmd/tomkit compose them. CONTROLS.md names, for every measure, the
// room that holds it and the test that fails when it breaks.
package tomkit
