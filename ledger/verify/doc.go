// Package verify checks a tenant's audit log offline: with no database, no network and no trust in whoever runs it. It
// is also the specification of the log's formats, complete enough to write a second implementation from this comment.
//
// Most callers need one call:
//
//	report, err := verify.Verify(ctx, export, verify.Config{Keys: pinned, Receipts: receipts})
//
// where export is a directory (os.OpenRoot(dir) and its FS) or a zip archive (*zip.Reader), pinned the log's key
// history obtained by another way than the export, and receipts what the log handed out when entries were written.
// Config.Witnesses and Quorum demand that others have seen the log, Config.From reads only what is new since a verification.
// report.Intact() is the verdict, report.Err() the first fault as a typed error such as [*BrokenLinkError].
//
// The package uses the standard library, ledger/sign and golang.org/x/mod only, and builds for js/wasm.
//
// # Conventions
//
// ‖ joins bytes. Integers in binary forms are big endian; u16 is an integer of two bytes, and so on. Hashes are SHA-256.
// hex is lower case without prefix, base64 is RFC 4648 §4 with padding and without stray bits. Text is UTF-8, taken as
// it is, never normalised. A parser accepts exactly what the writer of the same form produces.
//
// # Entry
//
// The canonical form of an entry, version 1, at most 60,000 bytes:
//
//	u8   0x01
//	u64  seq, the 0-based position in the log, without gaps
//	16   id
//	16   tenant, the same throughout a log
//	u8   0x00 for a system action; or 0x01 followed by
//	16     user
//	u8   class: 0 normal, 1 critical
//	u8   scheme: 1 bound, 2 plain
//	i64  created_at in microseconds since 1970-01-01T00:00:00Z, within the years 1970–9999
//	32   previous_hash
//	32   current_hash
//	u16 ‖ bytes  action
//	u16 ‖ bytes  entity_type
//	u16 ‖ bytes  entity_id
//	u16 ‖ bytes  narrative
//	u32 ‖ bytes  details
//
// and nothing after it. In scheme bound, action and entity_type are 1–64 bytes of [a-z0-9_]. In scheme plain, used for
// chains imported in the document's own format, action is 1–64 and entity_type 0–64 bytes of text. entity_id is at most
// 256 bytes of text, narrative at most 4,096. No text contains U+0000.
//
// # Details
//
// details is a JSON object in the canonical form of RFC 8785, restricted so that no two implementations can differ: the
// values are objects, arrays, strings, true, false and integers from −(2^53−1) to 2^53−1; there is neither null nor a
// fraction nor an exponent. No white space. The keys of an object ascend strictly by UTF-16 code units. In strings, " and
// \ are written \" and \\, U+0008, U+0009, U+000A, U+000C and U+000D as \b \t \n \f \r, other characters below U+0020 as
// \u00xx with lower-case digits, everything else as it is. U+0000 is not allowed. At most 16 levels, the outermost object
// counted, and 49,152 bytes.
//
// In scheme bound, the member narrative holds what the entry's sentence was made of: package narrative renders it again. Here it is
// a member like any other.
//
// # Chain
//
//	current_hash = SHA-256( hex(previous_hash) ‖ action ‖ entity_id ‖ narrative ‖ time )
//
// where time is created_at in UTC as RFC 3339 with as many of the six digits of a fraction as are needed, none if it is
// zero: 2026-03-01T08:00:00.12Z. The previous_hash of entry 0 is zero, that of any other entry the current_hash of the
// entry before. created_at never decreases. This is the formula of TOM 3.3, which printf and sha256sum can redo. It
// neither separates its parts nor covers all fields; the tree does.
//
// # Tree
//
// RFC 6962 §2.1 over the canonical forms: leaf = SHA-256(0x00 ‖ entry), node = SHA-256(0x01 ‖ left ‖ right), the root of
// an empty log is SHA-256 of nothing. Inclusion and consistency proofs as in §2.1.1 and §2.1.2.
//
// # Personal values
//
// A value that concerns a natural person is at most 1,024 bytes of text and stands in a log only as its commitment
//
//	SHA-256( "tomkit/personal/v1" ‖ 0x00 ‖ salt ‖ value )
//
// with a random 32-byte salt of its own: in details as the object {"c":"<hex>"}, in the narrative as {c:<hex>}. Wherever
// these patterns occur in an entry of scheme bound they are commitments. Erasing a value means to forget value and salt
// and to append an entry with action personal_data_erased, whose details have the members erased_count (a number) and
// erased_digest (hex), the latter SHA-256 over u64 seq ‖ commitment of all values it erases, ascending. No other byte
// changes, and every proof stays valid.
//
// # Signatures
//
// The composite ML-DSA-65 + Ed25519 signature of a message M under a context ctx (draft-ietf-lamps-pq-composite-sigs-19,
// id-MLDSA65-Ed25519-SHA512) is mldsa (3,309 bytes) ‖ ed25519 (64 bytes), both over
//
//	M' = "CompositeAlgorithmSignatures2025" ‖ "COMPSIG-MLDSA65-Ed25519-SHA512" ‖ u8 length ‖ ctx ‖ SHA-512(M)
//
// ML-DSA-65 (FIPS 204, pure) with the 30 bytes "COMPSIG-MLDSA65-Ed25519-SHA512" as its own context, Ed25519 (RFC 8032)
// plainly. A composite public key is ML-DSA (1,952 bytes) ‖ Ed25519 (32 bytes). Both halves must verify. An Ed25519 public
// key of small order is refused, here and everywhere.
//
// A key id is hex of the first 8 bytes of SHA-256(algorithm ‖ 0x00 ‖ public key), with the algorithm's name as in keys.json.
//
// # Notes
//
// A signed note (C2SP signed-note) is a text whose lines each end with a newline, an empty line, and signature lines:
//
//	"— " ‖ name ‖ " " ‖ base64( u32 key hash ‖ signature ) ‖ newline
//
// with key hash = SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]. The types used here:
//
//	0x01                           Ed25519 over the text
//	0xff ‖ "1.3.6.1.5.5.7.6.48"    composite over the text, context tomkit/ledger/checkpoint/v1
//	0x04                           Ed25519 cosignature of a witness
//	0x06                           ML-DSA-44 cosignature of a witness
//
// # Checkpoint
//
// A signed note (C2SP tlog-checkpoint) whose text is three lines: origin, size in decimal, base64 of the root; no extension
// lines. The origin is
//
//	<operator's domain>/ledger/<log id: hex of 16 random bytes>/<epoch in decimal>
//
// with a domain of lower-case letters, digits, dots, hyphens and an optional port, at most 255 bytes in all, and says
// nothing about the tenant. Domain and log id name the log. The note carries a composite line and an Ed25519 line under the
// origin as name. A checkpoint of size s counts if its origin names the log, in an epoch not after that of keys.json, and it
// has a valid line of a key with purpose checkpoint and, if the key history has one, of a key with purpose
// checkpoint-ed25519, both valid at s, and no line of a key of these purposes valid at s that is invalid. Lines by unknown
// keys are ignored.
//
// # Cosignatures
//
// A witness signs a checkpoint under its own name (C2SP tlog-cosignature). Its signature line encodes u32 key hash ‖ u64
// seconds since 1970 ‖ signature. Under type 0x04 the signature is Ed25519 (64 bytes) over
//
//	"cosignature/v1\ntime " ‖ seconds in decimal ‖ "\n" ‖ the note's text
//
// and under type 0x06 ML-DSA-44 (FIPS 204, pure, empty context, 2,420 bytes) over
//
//	"subtree/v1\n" ‖ 0x00 ‖ u8 length ‖ witness's name ‖ u64 seconds ‖ u8 length ‖ origin ‖ u64 0 ‖ u64 size ‖ root
//
// Seconds are from 1 to 2^63−1. Whoever verifies brings the witnesses' keys, as texts name ‖ "+" ‖ key hash as 8 hexadecimal
// digits ‖ "+" ‖ base64(type ‖ public key), and a quorum: the number of different names that must have cosigned the export's
// checkpoint. A line of such a key that is invalid is a fault in any checkpoint; of several lines of a key the first counts.
//
// # Critical entries
//
// An entry of class critical has a composite signature of its canonical form under the context tomkit/ledger/entry/v1, by
// a key with purpose entry that counts and is valid at its seq. No other entry has one.
//
// # Receipt
//
// A C2SP tlog-proof: the lines "c2sp.org/tlog-proof@v1", "extra " ‖ base64 of the leaf hash, "index " ‖ seq in decimal,
// one line of base64 per hash of the inclusion proof, an empty line, the signed checkpoint.
//
// # Key history
//
// keys.json is
//
//	{"format":"tomkit-keys/v1","origin":…,"keys":[
//	  {"id":<key id>,"purpose":…,"algorithm":…,"public":<base64>,"from":…,"until":…,"compromised":true}, …]}
//
// with the origin of the checkpoint, and of each key: purpose checkpoint or entry and algorithm id-MLDSA65-Ed25519-SHA512, or purpose
// checkpoint-ed25519 and algorithm Ed25519. A key is valid at positions p with from ≤ p < until, where a missing until is no
// end; p is the seq of an entry or the size of a checkpoint. compromised is missing or true. A key appears once; at most
// 1,024 do.
//
// Keys change by an entry at seq s, critical, of scheme bound, with action ledger_keys_rotated, entity_type ledger and
// entity_id the hex log id, whose details have the members
//
//	reason       1–64 bytes of [a-z0-9_]; compromise if a key got into wrong hands
//	keys         one to three objects with exactly the members id, purpose, algorithm, public, from as in keys.json, each of
//	             another purpose and with from = s+1
//	compromised  key ids, with reason compromise only and then at least one: keys that are no longer valid at s+1
//
// and perhaps others. It is signed, as a critical entry, by an entry key that counts and is valid at s. Each announced key is
// in keys.json just so, and at s+1 it is the only key of its purpose that is valid; there is a key of its purpose whose until
// is s+1, unless there was none before. A checkpoint of size s+1 or more is so signed by the new keys.
//
// A key with from 0 counts; there is at most one of each purpose. A key with from f > 0 counts from the moment the entry at
// seq f−1 has announced it as above; if the log has f entries or more and that entry does not, it is a fault at f−1, as is an
// until u ≤ size without a key of the purpose with from u, at u−1. A rotation with reason compromise carries no trust, since
// whoever has the old key can write it: its keys count only if they were pinned, and are a fault at s otherwise.
//
// Whoever verifies may pin a key history from elsewhere, which may be older than the export. Then pinned keys count, whatever
// keys.json says; keys of keys.json with from > 0 that are not pinned count once they are announced, those with from 0 never;
// and a pinned key without an end takes that of keys.json, while an end that was pinned needs no successor. A pinned key that
// is not announced is a fault all the same, unless its announcement lies in a declared gap.
//
// # Recovery
//
// A log that is restored from a backup lacks what came after it. If something outside remembers more (a checkpoint of size W,
// while N < W entries were restored), the log goes on at seq N in a new epoch, with an entry that is critical, of scheme
// bound, with action ledger_recovered, entity_type ledger, entity_id the hex log id, whose details have the members
//
//	epoch           the new epoch, greater than that of any recovery before and at most the checkpoint's
//	lost_from       N, the entry's own seq
//	lost_until      W > N
//	witnessed_root  hex of the root at size W; optional
//	approvers       two different UUIDs, as 8-4-4-4-12 lower-case hexadecimal digits: the users who decided it
//
// and perhaps others. Origin of checkpoint, keys.json and log.json are those of the newest epoch. If there are recoveries, the
// last one's epoch is the checkpoint's; if there are none, the epoch is 0 or 1.
//
// A checkpoint of an epoch e, where the log has recoveries to epochs after e, belongs to what was before the first of them,
// with N and W: if its size is N or less, its root is that of the entries as always. If it is between N and W, or W, it tells
// of entries that were lost, which is no fault, except that at size W in the epoch just before the root must be
// witnessed_root, if that is there. If it is greater than W, the gap hides something: a fault at W. A receipt of such a
// checkpoint for an index of N or more proves a lost entry, which is no fault either.
//
// # Closing
//
// A log ends with an entry that is critical, of scheme bound, with action ledger_closed, entity_type ledger, entity_id the hex
// log id and a member size in its details, the final number of entries: its seq + 1. An entry after it is a fault.
//
// # Export
//
// A directory or zip archive with these files:
//
//	log.json            {"format":"tomkit-export/v1","origin":…,"log":<hex log id>,"exporter":…,"exported_at":<RFC 3339>,"openings":<bool>}
//	checkpoint          the signed checkpoint the export ends at, cosignatures included
//	checkpoints/<size>  older signed checkpoints, the size as 20 decimal digits; optional
//	timestamps/<size>/<anchor>.tsr   RFC 3161 TimeStampToken (DER) over SHA-256 of the text of the checkpoint of that size, 20
//	                    digits as well; the anchor's name is 1–64 bytes of [a-z0-9._-]; optional, and not judged here
//	keys.json           the key history
//	tile/<level>/<n>[.p/<w>]   C2SP tlog-tiles: up to 256 hashes; level 0 leaves, above it roots of full tiles
//	tile/entries/<n>[.p/<w>]   up to 256 entries, each u16 length ‖ canonical form
//	signatures.jsonl    {"key":<key id>,"seq":…,"sig":<base64>} per critical entry
//	openings.jsonl      {"c":<hex>,"salt":<base64>,"seq":…,"value":…} per personal value not erased
//	redactions.jsonl    {"c":<hex>,"entry":<seq of the redaction entry>,"seq":…} per erased personal value
//
// <n> is decimal in groups of three digits, all but the last with an x before them: 1234067 is x001/x234/067. A partial
// tile or bundle of w < 256 has .p/<w> after it, for exactly the checkpoint's size. The .jsonl files may be absent if
// empty; each line is a canonical JSON object as above with exactly these members, ended by a newline; lines ascend
// strictly by seq, then by c. log.json and keys.json are ordinary JSON without unknown members, each member at most once and
// under exactly its name. "openings":true claims that every personal value that was not erased is there; otherwise values are
// withheld.
//
// # What is checked, and which position is named
//
// For every entry, in order, the first of these that fails is reported at its position: form, seq, tenant, time, link to
// the entry before, own hash, leaf hash against the level 0 tile. After a fault the check goes on from the faulty entry,
// so a fault is not repeated at its successors. Independently: signature of a critical entry, openings and redactions, what
// the log says about its keys, its recovery and its end, receipts at their index, roots of all checkpoints at their sizes,
// cosignatures, tiles of all levels, nothing missing before and nothing left after the checkpoint's size. Faults are ordered
// by the last position concerned, then with the narrower first; faults without a position come last. So the first finding
// names the first entry that was tampered with, exactly, as long as the tiles were left alone. If the tiles were rewritten
// too, a change to a field the chain covers is named at the entry or the one after it ("broken link": one of the two was
// changed), and anything else by the range between the last right and the first wrong root among tiles and checkpoints. If
// everything was rewritten and signed with a stolen key, only memory from outside helps: receipts, an earlier checkpoint,
// witnesses.
//
// With a trusted checkpoint of size S > 256 of an earlier verification (Config.From), reading begins at entry
// b = ⌊(S−1)/256⌋ · 256 instead of 0. The hashes of the tree left of b are taken from the tiles, and must give the trusted
// root. Older checkpoints and receipts from before b are held against the same hashes; those of an epoch before the trusted
// checkpoint's are not judged, since a gap that they may lie in is not read. Everything from b on is checked as
// ever; keys with 0 < from ≤ b count if they are pinned, or if none are. If the log does not continue the checkpoint, it is read
// from 0, so that the fault is placed.
//
// # Security
//
// An export is hostile input: every file has a size limit, only files of the layout are opened, nothing panics, memory
// does not grow with the log. Error texts hold positions, hashes and file names, never the content of an entry. Keys from
// the export itself prove only that it is consistent; Report.KeysPinned tells the difference. A declared gap is no fault, but
// what happened in it nobody can tell from the log: show Report.Gaps wherever the verdict is shown.
//
// # Compatibility
//
// Version 1 of every form stays readable for good; a new form gets a new version number and old readers refuse it.
//
// Sources: TOM 3.3; RFC 6962; RFC 8785; FIPS 204; C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles,
// tlog-proof; draft-ietf-lamps-pq-composite-sigs-19.
package verify
