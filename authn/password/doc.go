// Package password hashes and verifies passwords with Argon2id, in bounded memory, and moves legacy hashes over.
//
// The calls most people need, with the document's parameters as the default:
//
//	h, err := password.New(password.Config{})
//	stored, err := h.Hash(ctx, newPassword)            // $argon2id$v=19$m=65536,t=1,p=4$<salt>$<hash>
//	res, err := h.Verify(ctx, stored, givenPassword)   // ErrMismatch, ErrOverloaded, …
//	if err == nil && res.NeedsRehash { … }             // Hash again, UPDATE … WHERE hash = the old one
//	err = h.VerifyDummy(ctx, givenPassword)            // no such user: the same work, always ErrMismatch
//
// # Profiles
//
// [TOM6] is the document's (64 MiB, 1 pass, 4 lanes), [RFC9106] the RFC's second recommended option (64 MiB, 3 passes,
// 4 lanes), [OWASP] that project's minimum (19 MiB, 2 passes, 1 lane). Salts have 16 bytes, tags 32. Argon2id mixes the
// data-independent addressing of Argon2i (against side channels) with Argon2d's (against GPUs).
//
// # Memory
//
// A hash needs its profile's memory while it runs and leaves it to the garbage collector, so n hashes at once peak near
// 2n times that. A weighted semaphore, counted in KiB, admits only what the budget allows; behind it waits a bounded
// first-in-first-out queue. Who finds it full, or waits too long, gets an [OverloadError] to be answered with 503 and
// Retry-After. Rate limits per account and address belong before the hasher. GOMEMLIMIT makes the collector clear away spent
// hashes sooner where memory is tight.
//
// # Pepper
//
// With a pepper the Argon2id input is HMAC-SHA256(pepper, password), and the pepper's id stands in the PHC string's
// keyid parameter, for which the PHC format reserves exactly this place:
//
//	$argon2id$v=19$m=65536,t=1,p=4,keyid=<base64 of the id>$<salt>$<hash>
//
// A hash without keyid is verified without pepper and reported as NeedsRehash, so a pepper can be introduced, and
// rotated through Config.OldPeppers, while users sign in. Losing a pepper loses the hashes made with it. (Argon2's own
// secret input K is not exposed by golang.org/x/crypto; foreign verifiers that use keyid to select K refuse our hash.)
//
// # Security
//
// Stored strings are parsed strictly and within bounds, so a hostile row can neither crash the process nor order
// gigabytes. Comparison is constant-time. A string that cannot be used still costs a full hash before the error, so that
// such accounts do not stand out by time. bcrypt and other legacy hashes cost what they cost: until they are rehashed,
// their time differs from the active profile's. Passwords are byte strings of 1 to 1,024 bytes here; normalisation
// and policy (length, breached lists) come before. Go strings cannot be wiped: the password stays in memory until it is
// collected.
//
// Sources: RFC 9106, PHC string format, OWASP Password Storage Cheat Sheet, OWASP ASVS 5.0 appendix C, TOM 1.2.2.
package password
