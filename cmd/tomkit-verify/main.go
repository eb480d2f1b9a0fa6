// Command tomkit-verify checks an export of a tenant's audit log offline; see --help. It opens no network connection and
// writes no file.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/pioneerdesk/tomkit/internal/auditor"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(auditor.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
