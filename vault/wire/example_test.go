package wire_test

import (
	"errors"
	"fmt"

	"github.com/pioneerdesk/tomkit/vault/wire"
)

// Whoever retries asks the error, not the status.
func ExampleError() {
	var err error = &wire.Error{Op: "kv: login", Class: wire.ErrThrottled, Status: 429}
	var e *wire.Error
	if errors.As(err, &e) && e.Retryable() {
		fmt.Println(e)
	}
	// Output: kv: login: too many requests (status 429)
}
