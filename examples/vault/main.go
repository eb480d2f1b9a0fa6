// Command vault boots the secrets of a service with a login that exists for seconds. Try it with the variables of tomkit vault-fake.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
)

func main() {
	vault.HardenProcess()
	if err := run(context.Background(), os.Getenv, os.Stdout); err != nil {
		log.Fatal(err) // names keys and steps, never values
	}
}

func run(ctx context.Context, getenv func(string) string, out io.Writer) error {
	cfg, err := boot.FromEnvironment(getenv)
	if err != nil {
		return err
	}
	cfg.Manifest = vault.Manifest{{Key: "PAYMENT_TOKEN", Format: vault.Text}, {Key: "SEALING_KEY"}}
	secrets, report, err := boot.Run(ctx, cfg)
	if err != nil {
		return err
	}
	defer secrets.Wipe()
	token, _ := secrets.Secret("PAYMENT_TOKEN") // token.Reveal() gives the bytes to the code that needs them
	fmt.Fprintln(out, "loaded:", report.Versions, "shown:", token, "bytes:", token.Len())
	return nil
}
