// Package journal keeps the erasure journal in a file: which personal values were erased from which log, by position and
// commitment, so that a database restored from an older backup forgets them again (Art. 17 GDPR). It holds no personal data.
//
//	journal, err := journal.Open("/var/lib/tomkit/erasures.jsonl")
//	log, err := pgledger.Open(ctx, db, pgledger.Config{Journal: journal, …})
//
// # File
//
// One record a line, only ever added to. A line is a JSON object with exactly these members in this order, no white space:
//
//	{"v":1,"tenant":<uuid>,"at":<RFC 3339, UTC, microseconds>,"values":[{"seq":…,"c":<64 hex>},…],"sum":<16 hex>}
//
// where sum is the first eight bytes of SHA-256 over the line up to and including the comma before it. A record is durable
// (fsync) before [File.Append] returns. A last line without its newline was never acknowledged: it is ignored and removed by
// the next Append. Any other line that is not exactly in this form makes the file unreadable, since an erasure may be lost
// with it: whoever replays must not go on.
//
// # Keeping it
//
// The file has mode 0600 and is locked (flock) for each record, so several processes of one host may share it. Keep it where a
// restore of the database does not reach it, and back it up in a way that never puts an older one in its place. Many hosts need
// a shared file system with working locks, or an implementation of ledger.Journal over an object store.
//
// # Compatibility
//
// Version 1 stays readable for good.
package journal
