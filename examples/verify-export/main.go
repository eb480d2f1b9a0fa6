// Command verify-export embeds the offline verifier, as an audit tool would: no database, no network, no trust in whoever made the
// export.
//
//	verify-export DIRECTORY
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: verify-export DIRECTORY")
	}
	intact, err := run(context.Background(), os.Args[1], os.Stdout)
	if err != nil {
		log.Fatal(err)
	}
	if !intact {
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, out io.Writer) (intact bool, err error) {
	root, err := os.OpenRoot(dir) // follows no link out of the directory
	if err != nil {
		return false, err
	}
	defer root.Close()
	report, err := verify.Verify(ctx, root.FS(), verify.Config{})
	if err != nil {
		return false, err
	}
	for _, finding := range report.Findings {
		fmt.Fprintln(out, finding.Err)
	}
	fmt.Fprintf(out, "%s: %d entries, %d with a signature of their own\n", report.Verdict, report.Entries, report.Critical)
	return report.Intact(), nil
}
