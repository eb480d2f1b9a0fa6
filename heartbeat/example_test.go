package heartbeat_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

func ExampleParseSample() {
	sample, err := heartbeat.ParseSample([]byte(`{"v":1,"device_time":"2026-11-02T08:00:00Z","agent_version":"1.4.0",
		"uptime_seconds":86400,"os":{"family":"linux","name":"debian","version":"12","kernel":"6.1.0","arch":"amd64"},
		"cpu":{"percent":7.5,"cores":2},"memory":{"total":8000,"used":2000},"disks":[{"mount":"/","total":100,"used":52}],
		"network":{"rx_bytes":10,"tx_bytes":20,"rx_bytes_per_second":1,"tx_bytes_per_second":2}}`))
	fmt.Println(sample.CPU.Percent, sample.Disks[0].Mount, err)

	_, err = heartbeat.ParseSample([]byte(`{"v":1,"Device_Time":"2026-11-02T08:00:00Z"}`))
	fmt.Println(err, errors.Is(err, heartbeat.ErrInvalid))
	// Output:
	// 7.5 / <nil>
	// heartbeat: invalid: sample: unknown field true
}

func ExampleOnline() {
	now := time.Date(2026, 11, 2, 8, 5, 0, 0, time.UTC)
	fmt.Println(heartbeat.Online(now.Add(-5*time.Minute), now))
	fmt.Println(heartbeat.Online(now.Add(-5*time.Minute+time.Microsecond), now))
	// Output:
	// false
	// true
}
