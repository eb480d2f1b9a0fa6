package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pioneerdesk/tomkit/heartbeat/collect"
	"github.com/pioneerdesk/tomkit/heartbeat/report"
)

type runCmd struct {
	Interval time.Duration `default:"${interval}" var:"TOMKIT_INTERVAL" help:"Pause between two samples, at least ${least} ($$TOMKIT_INTERVAL). The server may ask for another one."`
	StateDir string        `placeholder:"DIR" var:"TOMKIT_STATE_DIR" help:"Directory of the credential ($$TOMKIT_STATE_DIR)."`
}

// Help teaches the command.
func (runCmd) Help() string {
	return `Reports to the server this machine was enrolled with. While the server cannot be reached, the newest samples wait in memory. Ends with status 1 when the server no longer accepts the credential.

Log lines go to standard error, one when reporting begins to work and one when it begins to fail.`
}

// Run reports until the context ends.
func (c *runCmd) Run(p *process) error {
	if c.Interval < report.MinInterval {
		return usagef("run: --interval below %s", report.MinInterval)
	}
	dir, err := p.stateDir(c.StateDir)
	if err != nil {
		return err
	}
	st, err := load(dir)
	if err != nil {
		return err
	}
	roots, err := st.roots()
	if err != nil {
		return err
	}
	collector, err := collect.New(p.ctx, collect.Config{AgentVersion: version()})
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	reporter, err := report.New(report.Config{
		Server: st.Server, Roots: roots, Credential: st.Credential, Interval: c.Interval, Report: changes(log),
	})
	if err != nil {
		return err
	}
	log.Info("starting", "version", version(), "tenant", st.Tenant, "device", st.Device, "server", st.Server, "interval", c.Interval)
	err = reporter.Run(p.ctx, collector)
	if errors.Is(err, report.ErrRevoked) {
		return fmt.Errorf("run: the server does not accept this device any more: enrol again with --replace: %w", err)
	}
	if err == nil {
		log.Info("stopped", "undelivered", reporter.Pending())
	}
	return err
}

func (st state) roots() (*x509.CertPool, error) {
	if st.CA == "" {
		return x509.SystemCertPool()
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(st.CA)) {
		return nil, errors.New("state: no certificate authority in agent.json: enrol again with --replace")
	}
	return roots, nil
}

// changes logs the first result and each change from success to failure and back.
func changes(log *slog.Logger) func(error) {
	var before *bool
	return func(err error) {
		ok := err == nil
		if before != nil && *before == ok {
			return
		}
		before = &ok
		if ok {
			log.Info("heartbeat accepted")
		} else if !errors.Is(err, context.Canceled) {
			log.Warn("heartbeat not delivered", "error", err.Error())
		}
	}
}

type onceCmd struct{}

// Help teaches the command.
func (onceCmd) Help() string {
	return `Shows exactly what run would send, measured over one second. Needs no enrolment and no network.`
}

// Run prints one sample.
func (onceCmd) Run(p *process) error {
	collector, err := collect.New(p.ctx, collect.Config{AgentVersion: version()})
	if err != nil {
		return err
	}
	sample, err := collector.Sample(p.ctx)
	if err != nil {
		return err
	}
	out := json.NewEncoder(p.stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(sample)
}
