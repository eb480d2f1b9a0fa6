// Package legacy imports a chain that was kept in the document's own format, before tomkit: TOM 3.3's twelve fields, its
// formula over plain text, round-3 Dilithium3 signatures. What comes out is an export that package verify judges like any
// other, read-only, with entries of scheme plain.
//
//	report, err := legacy.Import(ctx, open, verify.NewZip(out, now), legacy.Config{
//		Key: dilithium, Domain: "log.example.org", Checkpoint: composite, Stock: ed25519, Now: time.Now, Rand: rand.Reader,
//	})
//
// # The chain
//
// A chain is JSON Lines: one object per entry, oldest first, with exactly these members in any order:
//
//	id, tenant_id         UUID
//	user_id               UUID, or null for a system action
//	action                text
//	entity_type, entity_id, nis2_narrative   text; null is the empty text
//	details               JSON, or null for none
//	previous_hash, current_hash   64 lower-case hexadecimal digits; the first previous_hash is 64 zeros
//	dilithium_signature   base64 (RFC 4648 §4), or null or empty where the entry was not signed
//	created_at            RFC 3339 in UTC, at most microseconds
//
// and current_hash = SHA-256(previous_hash ‖ action ‖ entity_id ‖ nis2_narrative ‖ created_at as RFC3339Nano). An unknown,
// missing or repeated member, bytes that are no UTF-8, half a surrogate pair, U+0000 in a text and a line over [MaxLine] bytes are
// refused. So is the first entry that does not continue the chain, with a [LineError] around verify's typed error: the
// position is exact, nothing after it is imported, and no checkpoint is signed.
//
// The document does not say what bytes a signature covers: by default it is current_hash as its 64 digits; [RawHash] takes
// the 32 bytes. A signature that does not verify ends the import.
//
// # Details
//
// The chain's formula does not cover details, and verify's canonical JSON has neither fractions nor null nor integers beyond
// ±(2^53−1). Details that fit are put in canonical form; others are kept, byte for byte, as the text of one member:
//
//	{"imported_json":"{\"load\":0.5}"}
//
// The report counts both and names the positions of the latter.
//
// # Files beside the export
//
// The export has two files that verify does not read. legacy-signatures.jsonl holds the original signatures, a line
// {"seq":…,"sig":<base64>} for each signed entry in ascending order, so that [Recheck] verifies them against the original key
// at any later time. legacy-report.json is the [Report]. Neither is covered by the checkpoint: a signature speaks for itself,
// and the number of lines is in the report that the importer keeps elsewhere.
//
// # Security
//
// A chain is hostile input: it is read as a stream, twice, in memory that does not grow with it, and must be the same both
// times. The checkpoint is the importer's word that this is what it read; it cannot say more about the time before than
// the chain and its signatures do. The formula binds neither details, user nor entity type, and the report says so
// (Report.Unbound).
//
// Sources: TOM 3.3; CRYSTALS-Dilithium round 3; RFC 8259; RFC 8785.
package legacy
