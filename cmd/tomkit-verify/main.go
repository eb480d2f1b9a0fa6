// Command tomkit-verify checks an export of a tenant's audit log offline; see --help. It opens no network connection but to the URL of an
// export that is given as one, and writes no file but those it is told to write.
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
