// Package ledgertest holds what others need to check an implementation of the ledger's formats: test vectors, and a
// second verifier written in Python from the comment of package verify alone.
//
//	vectors, err := ledgertest.Vectors()
//	for _, e := range vectors.Entries { … }      // canonical forms, good and broken
//
// The vectors are frozen: an implementation that agrees today agrees with everything that was ever written. testdata/README.md
// says what each file holds; independent/verify.py reads them with nothing but Python's standard library and, for Ed25519,
// the package cryptography.
//
// Sources: the comment of package verify; RFC 6962; RFC 8785; C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-proof.
package ledgertest
