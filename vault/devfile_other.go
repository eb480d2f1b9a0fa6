//go:build !unix

package vault

import "errors"

// readPrivate refuses where file modes and owners do not say who may read: better no development file than an open one.
func readPrivate(string) ([]byte, error) {
	return nil, errors.New("vault: development file: not supported on this operating system")
}
