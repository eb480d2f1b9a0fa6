package journal_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/journal"
)

func Example() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	j, err := journal.Open(filepath.Join(dir, "erasures.jsonl"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.Close()
	ctx := context.Background()
	err = j.Append(ctx, ledger.ErasureRecord{Tenant: uuid.New(), At: time.Now(), Values: []ledger.ErasedValue{{Seq: 7}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = j.Each(ctx, func(r ledger.ErasureRecord) error {
		fmt.Println("erased from entry", r.Values[0].Seq)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: erased from entry 7
}
