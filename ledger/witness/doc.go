// Package witness gives a log memory outside its database: anchors that remember its checkpoints, and a small witness of
// its own. Whoever owns a database and its keys can cut off the end of a log or write it anew, and no check of the log
// alone shows it; an anchor that somebody else keeps does.
//
//	w, err := witness.NewClient(witness.ClientConfig{
//		Name: "witness-berlin", URL: "https://witness.example/log", Keys: keys, Transport: witness.Direct(nil),
//	})
//	evidence, err := w.Submit(ctx, submission) // cosignature lines for the checkpoint
//
// Every anchor is a ledger.Anchor:
//
//	Client        asks a witness, this package's or any other of the C2SP protocol, for cosignatures
//	Quorum        several anchors of which so many must take a checkpoint
//	File          appends checkpoints to a file on storage of somebody else
//	Syslog        sends them to a log collector
//	tsa.Anchor    has them time-stamped (RFC 3161), in the room below this one
//
// [Server] is the witness itself, an http.Handler over a durable [Store]; "tomkit-verify witness serve" runs it.
//
// # What an anchor learns
//
// Origin, size and root, and when they change. An origin says who operates a log and holds a random id, not whose log it
// is; entries and personal data never leave the database. A client sends only the log's own signature lines, so that one
// witness does not learn of another.
//
// # What a witness promises
//
// For each origin, one line of history: it cosigns a checkpoint if it continues, by an RFC 6962 consistency proof, the one
// it cosigned before. The memory moves forward, on disk, before the cosignature leaves; two checkpoints of one size and
// different roots are never both cosigned, whatever is asked at the same time and whenever the process dies. A new origin
// starts at size 0. So a log that is recovered, whose origin has a new epoch, is a new log to the witness, and its operator
// has to add it.
//
// A log that changes its keys announces it in itself, where a witness does not look. So its operator hands the new keys.json
// over as well; until then the witness answers 403, and the log goes on without its cosignature.
//
// A witness that lost its memory must not go on with its keys; [OpenFileStore] refuses a directory that holds none.
//
// # Security
//
// Outbound calls go through the given http.RoundTripper and nothing else: no proxy from the environment, no redirect, no
// cookie, no compressed body, at most 64 KiB of answer, a time limit. A cosignature counts if it verifies under a
// configured key; all configured keys of a witness must have signed. Error texts never repeat what the other end sent.
//
// Answers that a witness must give for reasons the protocol leaves open: 405 and 415 for other methods and encoded bodies,
// 413 for bodies over [MaxRequest], 429 over the rate of an origin, 503 over the number of requests.
//
// # Compatibility
//
// The protocol is C2SP tlog-witness v1; files keep the version in their first line.
//
// Sources: C2SP tlog-witness, tlog-cosignature, tlog-checkpoint, signed-note; RFC 6962; RFC 5424, 5425, 6587 (syslog).
package witness
