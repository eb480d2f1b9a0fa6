package ledgertest_test

import (
	"context"
	"fmt"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func ExampleMatrix() {
	missed := 0
	for _, f := range ledgertest.Matrix(20) {
		if f.Operation != "truncate" {
			continue
		}
		export, config := f.Build()
		report, err := verify.Verify(context.Background(), export, config)
		if err != nil || f.Judge(report) != nil {
			missed++
		}
	}
	fmt.Println("cut tails missed:", missed)
	// Output: cut tails missed: 0
}
