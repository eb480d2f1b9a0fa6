package legacy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/legacy"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func Example() {
	old := oldSystem(4) // four entries that an older system wrote and signed
	importer, _ := sign.NewCompositeKey(rand.Reader)
	stock, _ := sign.NewEd25519Key(rand.Reader)

	var archive bytes.Buffer
	out := verify.NewZip(&archive, time.Now())
	report, err := legacy.Import(context.Background(), opener(old.bytes()), out, legacy.Config{
		Key: old.public, Domain: "log.example.org", Checkpoint: importer, Stock: stock,
	})
	if err != nil {
		panic(err)
	}
	if err := out.Close(); err != nil {
		panic(err)
	}
	fmt.Printf("%d entries, %d of %d signatures verified\n", report.Entries, report.Verified, report.Signed)
	for _, f := range report.Findings {
		fmt.Printf("entry %d: %s\n", f.Seq, f.What)
	}

	// A changed sentence is found where it stands.
	forged := bytes.Replace(old.bytes(), []byte("d-2 freigegeben"), []byte("d-9 freigegeben"), 1)
	_, err = legacy.Check(context.Background(), bytes.NewReader(forged), legacy.Config{Key: old.public})
	var fault *legacy.LineError
	if errors.As(err, &fault) {
		fmt.Printf("the chain breaks at entry %d, line %d\n", fault.Seq, fault.Line)
	}
	// Output:
	// 4 entries, 3 of 3 signatures verified
	// entry 2: details kept as text: a number that is no integer within ±(2^53−1)
	// the chain breaks at entry 2, line 3
}
