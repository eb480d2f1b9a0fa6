package main

import (
	"context"
	"net"
	"os"

	"golang.org/x/term"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/internal/demo"
	"github.com/pioneerdesk/tomkit/internal/server"
)

type demoCmd struct {
	Once   bool   `help:"Stop after the checks."`
	JSON   bool   `name:"json" help:"Print one JSON object per line."`
	Listen string `help:"Address to listen on. Default: a free port of localhost." placeholder:"HOST:PORT"`
}

// Run runs the demonstration.
func (d *demoCmd) Run(ctx context.Context, c *console) error {
	if _, _, err := net.SplitHostPort(d.Listen); d.Listen != "" && err != nil {
		return cli.UsageError("--listen: not HOST:PORT")
	}
	terminal := false
	if f, ok := c.out.(*os.File); ok {
		terminal = term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
	}
	_, err := demo.Run(ctx, demo.Config{Once: d.Once, JSON: d.JSON, Color: terminal, Listen: d.Listen, Out: c.out, Version: cli.Version()})
	if server.IsConfiguration(err) {
		return &cli.ExitError{Code: cli.Usage, Err: err}
	}
	return err
}
