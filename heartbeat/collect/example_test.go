package collect_test

import (
	"context"
	"fmt"
	"time"

	"github.com/pioneerdesk/tomkit/heartbeat/collect"
)

func Example() {
	ctx := context.Background()
	c, err := collect.New(ctx, collect.Config{AgentVersion: "1.4.0", Window: 50 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	sample, err := c.Sample(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sample.AgentVersion, sample.Memory.Total > 0, sample.CPU.Percent <= 100)
	// Output: 1.4.0 true true
}
