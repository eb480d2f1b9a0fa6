package heartbeat

import (
	"time"

	"github.com/google/uuid"
)

// Beat is one sample of one device as the server received it.
type Beat struct {
	Tenant uuid.UUID // from the device's credential, never from the body
	Device uuid.UUID // from the device's credential, never from the body
	// ReceivedAt is the server's clock when the beat arrived. It orders beats and decides who is online.
	ReceivedAt time.Time
	Sample     Sample
}

// earliest bounds receive times from below: a server clock before it is not set.
var earliest = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// Validate reports the first field outside its limits as an [*InvalidError].
func (b Beat) Validate() error {
	switch {
	case b.Tenant == uuid.Nil:
		return invalid("tenant", "missing")
	case b.Device == uuid.Nil:
		return invalid("device", "missing")
	case b.ReceivedAt.Before(earliest) || b.ReceivedAt.UTC().Year() > maxYear:
		return invalid("received_at", "outside 2020 to %d", maxYear)
	}
	return b.Sample.Validate()
}
