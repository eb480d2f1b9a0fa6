// Package ledger holds what programs share about an audit log that proves itself (TOM 3.3): the interfaces to write and
// read one, receipts, and the errors to branch on. It knows no database; ledger/pgledger is the log in PostgreSQL,
// ledger/verify checks one offline, ledger/record holds the events that go in.
//
//	receipt, err := log.Append(ctx, event)   // committed
//	proof, err := receipt.Wait(ctx)          // under a signed checkpoint
//	os.WriteFile("entry.tlog-proof", proof.Marshal(), 0o600)
//
// # What a log promises
//
// Every tenant has a log of its own. An entry has a gapless position, carries the documented hash chain, is a leaf of an
// RFC 6962 tree over all its fields, and is covered by a checkpoint that a composite ML-DSA-65 + Ed25519 key signs. Entries
// of class critical carry a signature of their own as well. Nothing is ever changed; personal values can be erased
// without touching what is signed.
//
// What a log cannot promise alone: whoever owns the database and its keys can cut off the end or rewrite everything.
// That shows against memory outside, which is what a [Receipt]'s proof and kept checkpoints are.
package ledger
