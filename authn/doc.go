// Package authn is the sign-in of a multi-tenant product as a state machine: password, then a second factor, then a
// session, and nothing in between that could be mistaken for one.
//
//	Password ──► *Challenge ──TOTP──────────────────────────► *Granted
//	         ├─► *Enrolment ──BeginTOTP, ConfirmTOTP────────► *Granted
//	         └─► *Granted      only where the tenant requires no second factor and the user has none
//
// [Flow.Password] answers with the state the sign-in reached. A [Challenge] or an [Enrolment] carries a step token:
// 256 random bits, five minutes, stored as a hash, bound to tenant, user, purpose and browser, good for five wrong codes
// and for one right one. Only [Granted] carries a session.
//
// # What holds
//
//   - A code works once. Consuming the step token, moving the last used TOTP step forward, creating the session and
//     recording the events are one transaction of the [Store]; of any number of concurrent uses one wins.
//   - An unknown tenant, an unknown user, a user without a password, a disabled user, a suspended tenant and a wrong
//     password get the same answer ([ErrSignIn]) after the same password work.
//   - Attempts are counted before the password is looked at, so parallel guesses cannot overtake the counter. Back-off is
//     per account and address, per address and, far more leniently, per account: nobody can lock somebody else out of
//     an address that person signed in from before.
//   - Every decision is a [record.Event] handed to the store together with the change it describes. If the event cannot
//     be recorded the change does not happen.
//   - An error of the store or of the password hasher ends the sign-in. [Flow.Revoked] answers true with every error.
//
// # What does not
//
//   - The first person who signs in to an account that must still enrol a second factor chooses it. Hand out initial
//     passwords accordingly.
//   - Legacy password hashes cost a different amount of work than the active profile until their owner signs in once.
//   - An unknown tenant costs the same password work, but less work of the database, and its attempts are counted in this
//     process only. Names of tenants are host names; they are not treated as secrets.
//   - Somebody who has the password can make the back-off of codes keep the owner waiting, up to its longest wait.
//   - TOTP can be phished in real time. Passkeys cannot.
//
// The package knows no driver and no HTTP. authn/pgauthn is the store on PostgreSQL, authn/authntest the in-memory one
// and the conformance suite both pass. Methods of [Flow] are safe for concurrent use.
//
// Sources: TOM 1.2.1 to 1.2.3; RFC 6238 §5.2 (a code is accepted once); RFC 8176 (amr values); OWASP ASVS 5.0 6.3.1,
// 6.3.8, 6.5.1, 6.5.5, 7.2.4, 7.3.1, 7.3.2, 7.4.1.
package authn
