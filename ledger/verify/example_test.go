package verify_test

import (
	"context"
	"fmt"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func Example() {
	export := newKit(40).parts().files() // in earnest: os.OpenRoot(dir), and its FS; or a *zip.Reader

	report, err := verify.Verify(context.Background(), export, verify.Config{})
	if err != nil {
		fmt.Println("not an export:", err)
		return
	}
	fmt.Println(report.Verdict, report.Entries, "entries,", report.Critical, "signed,", report.Redacted, "values erased")
	// Output: intact 40 entries, 6 signed, 2 values erased
}

func ExampleReceipt() {
	log := newKit(40)
	receipt := log.receipt(log.parts().leaves, 17) // handed to the tenant when entry 17 was written

	// Later, somebody cuts the log's tail and signs what is left.
	cut := log.parts()
	cut.entries, cut.leaves, cut.signatures, cut.openings = cut.entries[:10], cut.leaves[:10], cut.signatures[:1], nil
	cut.redactions, cut.checkpoints, cut.info.Openings, cut.head = nil, nil, false, log.sign(cut.leaves)

	report, _ := verify.Verify(context.Background(), cut.files(), verify.Config{Receipts: []*verify.Receipt{receipt}})
	fmt.Println(report.Verdict)
	fmt.Println(report.Err())
	// Output:
	// broken
	// verify: entry 10: is missing: receipt 1 says there are 40 entries
}
