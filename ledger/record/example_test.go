package record_test

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/record"
)

// printer stands for a ledger.
type printer struct{}

func (printer) Record(_ context.Context, ev record.Event) error {
	fmt.Println(ev.Action, ev.EntityType, ev.Narrative.Args["user"])
	return nil
}

func Example() {
	var rec record.Recorder = printer{}
	user := uuid.MustParse("0d4a3a52-5d1e-4d0f-8f4f-0e2b6a3c9d11")
	err := rec.Record(context.Background(), record.Event{
		Tenant:     uuid.MustParse("6a1f6f0e-2a60-4c67-9d55-1b7f9d0e7a01"),
		Actor:      uuid.NullUUID{UUID: user, Valid: true},
		Action:     "logout",
		EntityType: "user",
		EntityID:   user.String(),
		Narrative: record.Narrative{Template: "logout", Args: map[string]any{
			"user": record.Personal{Subject: user, Value: "admin@klinikum.de"}, // prints as [personal]
		}},
	})
	fmt.Println(err)
	// Output:
	// logout user [personal]
	// <nil>
}
