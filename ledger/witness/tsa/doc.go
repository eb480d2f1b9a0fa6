// Package tsa has checkpoints time-stamped by a time-stamping authority (RFC 3161, RFC 5816) and checks the tokens: proof
// by a third party that a checkpoint existed at a time, which whoever holds all keys of a log cannot make afterwards.
//
//	a, err := tsa.New(tsa.Config{Name: "tsa", URL: "https://tsa.example", Roots: roots, Transport: witness.Direct(nil)})
//	evidence, err := a.Submit(ctx, submission)              // evidence.Token
//	stamp, err := tsa.Check(evidence.Token, text, roots)    // stamp.Time
//
// The request holds the SHA-256 of the checkpoint's text, its three lines without signatures, a nonce, and the wish for the
// authority's certificates; nothing of the log can be read from it, so plain HTTP, which many authorities offer alone, gives
// nothing away and lets nobody forge.
//
// # What is checked
//
// A token is read as DER, strictly: nothing left over, nothing of indefinite length, one signer. It counts if its imprint
// is the SHA-256 of the text; the signed attributes name the content's type and digest, each once, and the signer's
// certificate by a SHA-2 hash (signingCertificateV2); the signature is RSA of at least 2,048 bits, ECDSA or Ed25519 with
// SHA-2; the certificate has timeStamping as its only extended key usage, critical; and it leads to one of the given roots,
// everything valid at the time of the token. [Anchor] also compares nonce, policy and the clock. SHA-1 is accepted nowhere.
//
// Whether a certificate was revoked is not asked: the token has to be checked years later and offline. Whoever learns that
// an authority's key was stolen takes its root away.
//
// # Dependencies
//
// The standard library and golang.org/x/crypto/cryptobyte, a DER reader that refuses what is not DER.
//
// Sources: RFC 3161; RFC 5652 (CMS); RFC 5035 and 5816 (signingCertificateV2); ETSI EN 319 422.
package tsa
