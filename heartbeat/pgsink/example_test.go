package pgsink_test

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/pgsink"
	"github.com/pioneerdesk/tomkit/rls"
)

func Example() {
	serve := func(ctx context.Context, db *rls.DB, tenant, device uuid.UUID, sample heartbeat.Sample) error {
		sink, err := pgsink.New(db, pgsink.Config{})
		if err != nil {
			return err
		}
		go sink.Run(ctx)

		now := time.Now()
		err = sink.Accept(ctx, heartbeat.Beat{Tenant: tenant, Device: device, ReceivedAt: now, Sample: sample})
		if err != nil {
			return err
		}
		list, err := pgsink.Current(ctx, db.Tenant(tenant), pgsink.Page{})
		for _, status := range list {
			fmt.Println(status.Device, status.Online(0, now))
		}
		return err
	}
	_ = serve
}
