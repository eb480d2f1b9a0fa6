package heartbeat

import "context"

// Acceptor takes beats on. Implementations are safe for concurrent use.
type Acceptor interface {
	// Accept returns nil once the beat, or a newer one of the same device, is durable. Otherwise it returns an error that
	// is ErrInvalid, ErrUnknownDevice, ErrOverloaded or ErrUnavailable, or ctx's error when ctx ends first; after the
	// last two the beat may still become durable.
	Accept(ctx context.Context, b Beat) error
}

// Sink writes batches of beats durably. Implementations are safe for concurrent use.
type Sink interface {
	// Write stores beats and returns one outcome per beat, in order, after the transaction committed. beats are valid,
	// and no device occurs twice. On an error nothing is known about any of them; writing again is harmless.
	Write(ctx context.Context, beats []Beat) ([]Outcome, error)
}

// Outcome is what a [Sink] did with one beat.
type Outcome uint8

// Outcomes. The zero value is the one that acknowledges nothing.
const (
	Unwritten     Outcome = iota // not written this time, for instance because its tenant is being deleted
	Stored                       // durable
	Superseded                   // a newer or equal beat of the device is durable
	UnknownDevice                // tenant or device does not exist; noted as a dead letter
	Refused                      // the storage refuses this beat's content; noted as a dead letter
)

// String returns the outcome's name.
func (o Outcome) String() string {
	switch o {
	case Unwritten:
		return "unwritten"
	case Stored:
		return "stored"
	case Superseded:
		return "superseded"
	case UnknownDevice:
		return "unknown device"
	case Refused:
		return "refused"
	}
	return "undefined"
}

// err is the answer to the caller whose beat had outcome o.
func (o Outcome) err() error {
	switch o {
	case Stored, Superseded:
		return nil
	case UnknownDevice:
		return ErrUnknownDevice
	case Refused:
		return invalid("sample", "refused by the storage")
	}
	return ErrUnavailable
}
