// Package pgledger is the audit log of TOM 3.3 in PostgreSQL 15 or later: one hash chain and one RFC 6962 tree per tenant,
// signed checkpoints, entries that commit together with the change they describe.
//
// The calls most programs need:
//
//	log, err := pgledger.Open(ctx, db, pgledger.Config{Domain: "log.example.org", Sealer: sealer})
//	go log.Run(ctx)                                     // checkpoints
//
//	receipt, err := log.Append(ctx, event)              // committed on its own
//
//	err = db.Tenant(id).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
//		// … the change …
//		return log.RecordTx(ctx, tx, event)             // both or nothing
//	})
//
//	report, err := log.VerifyChain(ctx, id, pgledger.VerifyOptions{})
//	done, err := log.Erase(ctx, id, pgledger.EraseRequest{Subject: person})
//
// # Writing
//
// [Log.Append] queues with the tenant's batcher; what arrives while a transaction is on its way shares the next one, and a
// large group is built and sent while the one before is being written. [Log.RecordTx] adds its statement to the caller's
// COMMIT. Either way an append is one round trip, in one of two ways:
//
//   - Hashes, signatures and leaves are made here against the head this process knows, and the database's function checks
//     that they continue the real head. If another writer was faster, the call is refused as stale, and the writer tries
//     again under the lock.
//   - Up to four entries of class normal are written by a function that finds the head itself and makes both hashes; this
//     process makes them again from the answer. Nobody waits for another writer's round trip, and nothing is stale.
//
// Several processes may write one log: there is no fork and no gap, and time never runs backwards.
//
// The tenant's lock is held until the commit record is written, not until it is on disk, so flushes are shared by all
// writers of a tenant. Nothing is acknowledged before it is as durable as synchronous_commit asks; see rls.Commit. Another
// session may read an entry that little earlier; a checkpoint over it is only committed after it.
//
// If a connection breaks during COMMIT, Append and AppendBatch look for their entries by id, under the lock, and write them
// if they are not there. RecordTx returns rls.ErrCommitUnknown, as any transaction would.
//
// # What the database enforces
//
//   - No login may INSERT, UPDATE, DELETE or TRUNCATE. Triggers that are ENABLE ALWAYS refuse it besides; the definer functions
//     pass them for what they are for: heads move forward, keys lose their private half, an erased value goes. The owner
//     tomkit_ledger cannot log in, and no foreign key leads here, so no cascade does either.
//   - Entries come in through two SECURITY DEFINER functions, one for the head the caller knows and one that finds it. They
//     check the tenant's context (the login is the session's, so neither SET ROLE nor a pooler changes the answer), take
//     pg_advisory_xact_lock, compare or read the head, refuse times that run backwards or lie more than a minute ahead, and
//     move the head. Positions and links from hash to hash are enforced. Of several entries the leaf hashes are made from
//     the canonical forms, which the columns are cut out of; of a single one both hashes are made there.
//   - The functions want an HMAC over everything they are given under a key that the log keeps sealed for this process. SQL
//     injected into the request login has the tenant's context and still cannot write an entry, a checkpoint or a tile.
//   - That the chain hash of several entries follows from their texts, and that the columns of a single one are those of
//     its leaf, is what this process vouches for with that code, and what every verification checks again.
//   - [Open] tries the forbidden statements and reads the catalogs, and refuses to start when one of them got through.
//
// # What it cannot enforce
//
// A superuser, the host, and whoever owns the schema through the migrator's login can change everything. That is detected:
// by [Log.VerifyChain], by an offline verification of an [Log.Export], and, where the end was cut off or everything was
// rewritten with stolen keys, only by memory outside the database: receipts and kept checkpoints. Until a tenant has a
// log, SQL injected into its own scope could open one with keys nobody holds; the first event of a tenant's life should be
// recorded when it is made. A dump holds the door key in the clear: who can read dumps and inject SQL passes the HMAC.
//
// # Keys
//
// Every log has its own: a composite ML-DSA-65 + Ed25519 key for checkpoints, an Ed25519 key for the line that stock tools
// read, a composite key for critical entries, and the door key. They are made with the first entry, ledger_opened, which
// names them, and are stored sealed (Config.Sealer) with purpose and tenant as associated data.
//
// [Log.RotateKeys] replaces all of them at once, in an entry that the old entry key signs. The old private halves are destroyed
// in the same transaction, and a generation number makes every other process read the new ones before its next entry or
// checkpoint. Keys in wrong hands are named, under dual control; verifiers then have to be told the new ones. [Log.Reseal]
// changes the box the keys lie in, when the vault's key changes. Overwritten rows stay on disk until PostgreSQL's vacuum, and
// in backups, sealed.
//
// # Personal data
//
// record.Personal values are bound as salted commitments (32 random bytes per value); value and salt are in
// tomkit.ledger_openings and nowhere else, so an erasure removes rows there and no signed byte changes. [Log.Erase] appends the
// entry that binds what went; the database removes a value only where such an entry names it. Config.Journal remembers it
// outside the database, and [Open] erases again what a restored backup brought back. An event that repeats one of its personal
// values in an identifier, a detail or a sentence without marking it is refused (ledger.ErrPersonalText), and so is a mail address
// as entity id; what no value of the event names is not noticed.
//
// # Memory outside
//
// Config.Anchors are shown checkpoints by [Log.Run], and what they give is kept and exported. The first time a process writes
// a log it compares the head with what every anchor remembers: a log that is behind, or that does not continue what was signed,
// is not written by anything here, and its erased values are not served. [Log.Recover] declares the gap, under dual control, in a new epoch; other
// entries in the place of the lost ones are never excused. A log that was opened after the backup is unknown to the restored
// database, and its origin with it, so nothing here can ask an anchor for it. An anchor that cannot be asked refuses nothing
// unless Config.RequireAnchors says so; [Log.Health] tells of it.
//
// # The end
//
// [Log.CloseLog] appends the last entry, makes the final checkpoint, shows it to the anchors and writes the archive. The rows are
// kept for a period; then [Log.Purge] removes them on the migrator's login, after the operator's log has told so with the
// hash of the final checkpoint, all of which the database checks.
//
// # Tables
//
// tomkit.audit_logs has the document's columns id, tenant_id, user_id, action, entity_type, entity_id, details, nis2_narrative,
// previous_hash, current_hash, dilithium_signature, created_at, and seq, class, scheme, signature_key, leaf_hash. details is
// json and keeps the canonical bytes; the chain hashes are hexadecimal text as the formula concatenates them, so
//
//	printf '%s%s%s%s%s' "$previous_hash" "$action" "$entity_id" "$nis2_narrative" 2026-03-09T14:23:01.5Z | sha256sum
//
// redoes a link. Besides there are ledger_heads, ledger_logs, ledger_keys, ledger_openings, ledger_redactions, ledger_tiles,
// ledger_checkpoints, ledger_evidence and ledger_closings.
//
// Sources: TOM 3.3; RFC 6962; C2SP tlog-checkpoint and tlog-tiles; FIPS 204; the formats are those of ledger/verify.
package pgledger
