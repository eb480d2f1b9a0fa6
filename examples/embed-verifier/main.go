// Command embed-verifier EXPORT.zip KEYS.json is an audit tool in under 40 lines: exit 0 intact, 1 broken, 2 unusable.
package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func main() { os.Exit(run(context.Background(), append(os.Args, "", "")[1:], os.Stdout)) }

func run(ctx context.Context, files []string, out io.Writer) int {
	report, err := check(ctx, files[0], files[1])
	if err != nil {
		fmt.Fprintln(out, err)
		return 2
	}
	for _, finding := range report.Findings { // the first one names the first entry that was tampered with
		fmt.Fprintln(out, finding.Err)
	}
	fmt.Fprintf(out, "%s: %d entries, %d signed by themselves, %d declared gaps\n", report.Verdict, report.Entries, report.Critical, len(report.Gaps))
	return map[bool]int{true: 0, false: 1}[report.Intact()]
}

func check(ctx context.Context, archive, pinned string) (*verify.Report, error) {
	text, noFile := os.ReadFile(pinned) // obtained by another way than the export, which proves only that it is consistent
	keys, noKeys := verify.ParseKeys(text)
	export, noExport := zip.OpenReader(archive)
	if err := errors.Join(noFile, noKeys, noExport); err != nil {
		return nil, err
	}
	return verify.Verify(ctx, export, verify.Config{Keys: keys})
}
