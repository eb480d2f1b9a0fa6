// Package sign holds the signatures of the ledger: the composite of ML-DSA-65 (FIPS 204) and Ed25519 (RFC 8032) that
// the IETF calls id-MLDSA65-Ed25519-SHA512, and plain Ed25519 for the checkpoint line that stock tools read.
//
// Most callers need two lines:
//
//	sig, err := key.Sign(sign.ContextEntry, canonical)
//	err = key.Public().Verify(sign.ContextEntry, canonical, sig)
//
// # The composite
//
// Over a message M and a context ctx of 0–255 bytes, both halves sign the representative
//
//	M' = "CompositeAlgorithmSignatures2025" ‖ "COMPSIG-MLDSA65-Ed25519-SHA512" ‖ byte(len(ctx)) ‖ ctx ‖ SHA-512(M)
//
// ML-DSA-65 in its pure, external form with the 30-byte label as its own context, Ed25519 plainly. A signature is the
// ML-DSA half (3,309 bytes) followed by the Ed25519 half (64), a public key is 1,952 ‖ 32 bytes, a private key two
// 32-byte seeds. Both halves must verify; a forger has to break both algorithms. One file of the working group's
// vectors in testdata pins all of this.
//
// # Key ids and note lines
//
// A [KeyID] is the first 8 bytes of SHA-256(algorithm name ‖ 0x00 ‖ public key). In signed notes (C2SP signed-note) the
// Ed25519 line has type 0x01; the composite line has type 0xff followed by the OID's text 1.3.6.1.5.5.7.6.48, and its
// 32-bit key id is SHA-256(name ‖ 0x0A ‖ 0xff ‖ OID text ‖ public key)[:4]. Composite note lines sign the note's text
// under [ContextCheckpoint].
//
// # Cosignatures of witnesses
//
// A witness signs a checkpoint's text, the lines up to the empty one, as C2SP tlog-cosignature says. Its note line encodes
// u32 key hash ‖ u64 POSIX seconds ‖ signature. Under type 0x04, Ed25519 signs
//
//	"cosignature/v1\ntime " ‖ seconds in decimal ‖ "\n" ‖ text
//
// and under type 0x06, ML-DSA-44 with an empty context (2,420 bytes, hedged) signs
//
//	"subtree/v1\n" ‖ 0x00 ‖ u8 length ‖ witness's name ‖ u64 seconds ‖ u8 length ‖ origin ‖ u64 0 ‖ u64 size ‖ root
//
// A key hash is SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]. A cosignature without a time is refused.
//
// # Security
//
// One key has one purpose, and every purpose has its context; the component keys of a composite are never used alone or
// in another composite. Signing is hedged, so signature bytes are neither reproducible nor unique: they are no identity
// and no key to find duplicates by (the composite is EUF-CMA secure, not SUF-CMA). Ed25519 points of small order are
// refused as keys. Signing keys print as their id whatever the format verb, and refuse to become JSON.
//
// The text "Dilithium3" in tomkit's own data always means ML-DSA-65 of FIPS 204 in this composite; round-3 Dilithium is
// another algorithm with other bytes. [Dilithium3PublicKey] verifies it, for chains that were signed before FIPS 204 and are
// imported; nothing here signs with it.
//
// # Public keys as files
//
// PEM is a SubjectPublicKeyInfo (RFC 5280) under the algorithm's OID, for Ed25519 that of RFC 8410, which other tools read.
// JSON is {"id":…,"algorithm":…,"public":<base64>}, a line of the ledger's keys.json. Both are parsed strictly: one key has one
// text in each form.
//
// Sources: FIPS 204; RFC 8032; draft-ietf-lamps-pq-composite-sigs-19; C2SP signed-note v1.0.0 and tlog-cosignature v1.1.0-rc.1;
// TOM 3.3.
package sign
