// Command seal-fields seals a field of a database row, rotates the key, and shows that a sealed value does not open in another row.
package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/vault/seal"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	old, active := make([]byte, seal.KeySize), make([]byte, seal.KeySize) // in production: from the vault
	for _, key := range [][]byte{old, active} {
		if _, err := rand.Read(key); err != nil {
			return err
		}
	}
	before, err := seal.New(seal.Config{Active: seal.Key{ID: "2025", Bytes: old}})
	if err != nil {
		return err
	}
	tenant, user := uuid.New(), uuid.New()
	row := seal.AAD("bank_account", tenant, user) // binds the value to its row
	sealed, err := before.Seal([]byte("DE02120300000000202051"), row)
	if err != nil {
		return err
	}
	after, err := seal.New(seal.Config{Active: seal.Key{ID: "2026", Bytes: active}, Old: []seal.Key{{ID: "2025", Bytes: old}}})
	if err != nil {
		return err
	}
	opened, err := after.Open(sealed, row)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "after the rotation: %s, needs resealing: %v\n", opened, after.NeedsReseal(sealed))
	_, err = after.Open(sealed, seal.AAD("bank_account", tenant, uuid.New()))
	fmt.Fprintln(out, "in another user's row:", err)
	return nil
}
