// Package ledgertest holds what others need to check an implementation of the ledger: test vectors of its formats, a second
// verifier written in Python from the comment of package verify alone, a matrix of forgeries, a suite
// for stores, and a harness that kills their writers.
//
//	vectors, err := ledgertest.Vectors()
//	for _, e := range vectors.Entries { … }      // canonical forms, good and broken
//
// The vectors are frozen: an implementation that agrees today agrees with everything that was ever written. testdata/README.md
// says what each file holds; independent/verify.py reads them with nothing but Python's standard library and, for Ed25519,
// the package cryptography.
//
// # Tamper matrix
//
// [Matrix] makes forgeries of a log with everything a log can have: every field of every entry, and of every file beside
// them, under every operation, by forgers of growing power up to a thief with all keys. [Forgery.Judge] says whether a
// verifier's report is what it must be:
//
//	for _, f := range ledgertest.Matrix(40) {
//		export, config := f.Build()
//		report, err := verify.Verify(ctx, export, config)
//		…
//		err = f.Judge(report)
//	}
//
// A [Rule] says for each whether an exact position exists. It does as long as the tiles were left alone, since each leaf is
// there to compare with, and for a receipt. Where the tiles were made good, one of the two sides of a broken link is named, or
// the range between two roots. A whole file that may be absent, such as an older checkpoint, is no forgery when it is gone.
//
// # Conformance
//
// [Run] holds an implementation of ledger.Appender and ledger.Reader to what their comments promise.
//
// # Crashes
//
// [Crash] runs processes that write into the same logs, kills them, lets a test kill what they write to, and compares what they
// were told with what is there:
//
//	crash := ledgertest.NewCrash(t, tenants, 3, command) // processes that call Writing.Run
//	for range 100 {
//		crash.Progress(t, 20)
//		crash.KillWriter(t) // or the database
//	}
//	crash.End(t)
//	_, err := crash.Judge(ctx, log, rows)
//
// Sources: the comment of package verify; RFC 6962; RFC 8785; C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-proof.
package ledgertest
