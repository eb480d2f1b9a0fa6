// Package auditor is the program tomkit-verify: it checks an export of a tenant's audit log offline. It opens no network connection,
// except that an export given as a URL is read from there and from nowhere else; it writes no file but those it is told to write.
package auditor

import (
	"context"
	"io"

	"github.com/alecthomas/kong"

	"github.com/pioneerdesk/tomkit/internal/cli"
)

const help = `EXPORT is a directory, a .zip file, or the https:// URL under which an export is served as static files; http:// only for this machine. Every entry is read once: its form, position, tenant, time, link to the entry before and hashes; then the tree over all entries against the signed checkpoint, the signatures of critical entries, and the personal values against what the log binds. The first line that matters on failure is the position of the first entry that was tampered with.

What an export says about itself only shows that it is consistent: whoever controls the log can write it anew and sign it with new keys. So bring what you hold from before:

  --keys      the log's keys.json, obtained by another way than the export
  --receipt   receipts handed out when entries were written (.tlog-proof)
  --since     a checkpoint you saved earlier; the log must continue it; with --incremental only what came after it is read
  --witness   public keys of witnesses, who cosign what they see; --quorum says how many must have
  --tsa-roots certificates of time-stamping authorities, for the time stamps in the export

A log that lost entries in a restore says so itself, in an entry that two people decided: that is no fault, but a DECLARED GAP, printed in front of everything.

Examples:

  tomkit-verify export.zip
  tomkit-verify --keys keys.json --receipt approval-17.tlog-proof export/
  tomkit-verify --keys keys.json --report report.html --lang de https://audit.example/klinikum/2026/
  tomkit-verify --json --since checkpoint-2026-02 export.zip | jq .verdict
  tomkit-verify prove 17 export.zip
  tomkit-verify receipt --keys keys.json entry-17.tlog-proof

All flags of the check: tomkit-verify verify --help. A directory that is called like a command is written ./prove.

JSON (--json): an object of format tomkit-verify/v1; members are only ever added. ` + jsonHelp + `

Exit codes: 0 the log is intact, 1 it is broken, 2 the input cannot be judged.`

type grammar struct {
	Verify  verifyCommand    `cmd:"" default:"withargs" help:"Check an export; the word may be left out."`
	Prove   proveCommand     `cmd:"" help:"Write the receipt of one entry, made from an export and checked."`
	Receipt receiptCommand   `cmd:"" help:"Check a receipt, and the entry it is of."`
	Witness witnessCommand   `cmd:"" help:"Run a witness of logs: the memory outside that truncation and rewriting show against."`
	Version kong.VersionFlag `help:"Print the version."`
}

// Run is the program: it checks what args name, prints to stdout, explains failures on stderr, and returns the exit code: 0 intact,
// 1 broken, 2 unusable input.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	program := cli.Program{
		Name: "tomkit-verify", Summary: "Check an export of a tomkit audit log, offline.", Help: help,
		Grammar: &grammar{}, Stdout: stdout, Stderr: stderr,
	}
	return program.Run(ctx, args, &streams{stdout: stdout, stderr: stderr, args: args})
}

// streams are where results and everything else go, and the words the program was called with.
type streams struct {
	stdout, stderr io.Writer
	args           []string
}
