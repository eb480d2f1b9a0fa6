//go:build !unix

package stackit

import "errors"

// readPrivate refuses where file modes and owners do not say who may read.
func readPrivate(string) ([]byte, error) {
	return nil, errors.New("stackit: key file: not supported on this operating system; use ParseKey")
}
