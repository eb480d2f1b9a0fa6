// Command tomkit-agent measures the machine it runs on and reports to a tomkit server.
//
//	tomkit-agent enrol --server https://tomkit.example --ca ca.pem --token-file token
//	tomkit-agent run
//	tomkit-agent once
//
// Exit status: 0 after success and after a graceful stop, 1 after a failure, 2 for wrong usage.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
