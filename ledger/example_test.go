package ledger_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
)

// full stands for a log whose queue is full.
type full struct{}

func (full) Append(context.Context, record.Event) (ledger.Receipt, error) {
	return ledger.Receipt{}, ledger.ErrOverloaded
}

// An audited action happens only if its entry is written.
func Example() {
	unlock := func(ctx context.Context, log ledger.Appender, device string) error {
		_, err := log.Append(ctx, record.Event{Tenant: uuid.New(), Action: "device_unlocked", EntityType: "device", EntityID: device})
		if errors.Is(err, ledger.ErrOverloaded) {
			return errors.New("busy, try again")
		}
		return err
	}
	fmt.Println(unlock(context.Background(), full{}, "ward-3-pc"))
	// Output: busy, try again
}
