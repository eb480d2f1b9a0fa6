//go:build !unix

package vault

import "errors"

func readPrivate(string, int64) ([]byte, error) {
	return nil, errors.New("vault: private file: not supported on this operating system")
}
