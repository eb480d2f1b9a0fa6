package stackit

import (
	"errors"
	"fmt"

	"github.com/pioneerdesk/tomkit/vault"
)

// maxKeyFile is the largest key file in bytes. Real ones have about 4 KiB.
const maxKeyFile = 64 << 10

// ReadKey reads a service account key file, and the private key from a PEM file of its own where the customer made it
// (otherwise privatePath is empty). Both must be regular files of this user or root that nobody else can read or write;
// links are refused, as is anything over 64 KiB ([ErrKeyFile]). What was read is zeroed.
func ReadKey(path, privatePath string) (*Key, error) {
	document, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	defer clear(document)
	var private []byte
	if privatePath != "" {
		if private, err = readPrivate(privatePath); err != nil {
			return nil, err
		}
		defer clear(private)
	}
	return ParseKey(document, private)
}

// readPrivate reads a key file and gives what is wrong with it one name.
func readPrivate(path string) ([]byte, error) {
	data, err := vault.ReadPrivateFile(path, maxKeyFile)
	if errors.Is(err, vault.ErrPermissions) || errors.Is(err, vault.ErrTooLarge) {
		return nil, ErrKeyFile
	}
	if err != nil {
		return nil, fmt.Errorf("stackit: key file: %w", err)
	}
	return data, nil
}
