//go:build !linux

package vault

// mapping does not exist here.
type mapping struct {
	bytes      []byte
	protection Protection
}

func mapBytes(int) *mapping { return nil }

func (*mapping) release() {}

func hardenProcess() Hardening { return Hardening{} }
