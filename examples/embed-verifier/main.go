// Command embed-verifier EXPORT.zip KEYS.json is an audit tool in under 40 lines: exit 0 intact, 1 broken, 2 unusable.
package main

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout)) }

func run(ctx context.Context, args []string, out io.Writer) int {
	report, err := check(ctx, append(args, "", ""))
	if err != nil {
		fmt.Fprintln(out, err)
		return 2
	}
	for _, finding := range report.Findings { // the first one names the first entry that was tampered with
		fmt.Fprintln(out, finding.Err)
	}
	fmt.Fprintf(out, "%s: %d entries, %d with a signature of their own, %d declared gaps\n", report.Verdict, report.Entries, report.Critical, len(report.Gaps))
	return map[bool]int{true: 0, false: 1}[report.Intact()]
}

func check(ctx context.Context, files []string) (*verify.Report, error) {
	text, err := os.ReadFile(files[1]) // obtained by another way than the export: what it says about itself proves little
	if err != nil {
		return nil, err
	}
	keys, err := verify.ParseKeys(text)
	if err != nil {
		return nil, err
	}
	export, err := zip.OpenReader(files[0])
	if err != nil {
		return nil, err
	}
	defer export.Close()
	return verify.Verify(ctx, export, verify.Config{Keys: keys})
}
