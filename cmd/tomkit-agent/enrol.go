package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/collect"
	"github.com/pioneerdesk/tomkit/heartbeat/report"
)

type enrolCmd struct {
	Server    string `required:"" placeholder:"URL" var:"TOMKIT_SERVER" help:"Address of the server, https://host[:port] ($$TOMKIT_SERVER)."`
	CA        string `name:"ca" placeholder:"FILE" var:"TOMKIT_CA" help:"PEM file with the certificate authorities to trust, and no others ($$TOMKIT_CA). Without it those of this machine."`
	TokenFile string `placeholder:"FILE" help:"File with the one-time token, - for standard input. Without it the token is taken from $$TOMKIT_ENROL_TOKEN. It is never an argument, since arguments show in ps."`
	Name      string `placeholder:"NAME" help:"Name of the device, by default this machine's host name."`
	Replace   bool   `help:"Enrol although this machine is enrolled already; the old credential is forgotten here."`
	StateDir  string `placeholder:"DIR" var:"TOMKIT_STATE_DIR" help:"Directory for the credential ($$TOMKIT_STATE_DIR)."`
}

// Help teaches the command.
func (enrolCmd) Help() string {
	return `The token is valid once. The credential the server returns is written to agent.json in the state directory, readable by this user alone, together with the server's address and authorities, so that run needs no arguments.

Examples:

  tomkit-agent enrol --server https://tomkit.example --ca ca.pem --token-file token.txt

  pass show tomkit/token | tomkit-agent enrol --server https://tomkit.example --token-file -`
}

const (
	maxToken    = 4 << 10
	maxCA       = 512 << 10
	enrolWithin = 30 * time.Second
)

// Run enrols this machine.
func (c *enrolCmd) Run(p *process) error {
	token, err := c.token(p)
	if err != nil {
		return err
	}
	pem, roots, err := authorities(c.CA)
	if err != nil {
		return err
	}
	req, err := c.request(p.ctx, token)
	if err != nil {
		return err
	}
	dir, err := p.stateDir(c.StateDir)
	if err != nil {
		return err
	}
	// Everything that can fail here fails before the token is spent.
	slot, err := reserve(dir, c.Replace)
	if err != nil {
		return err
	}
	defer slot.discard()
	ctx, cancel := context.WithTimeout(p.ctx, enrolWithin)
	defer cancel()
	res, err := report.Enrol(ctx, report.Config{Server: c.Server, Roots: roots}, req)
	if err != nil {
		return err
	}
	if err := slot.write(state{
		Version: stateVersion, Server: c.Server, CA: pem,
		Tenant: res.Tenant, Device: res.Device, Credential: res.Credential,
	}); err != nil {
		return fmt.Errorf("enrolled as device %s, but the credential was not saved: remove the device and enrol again: %w", res.Device, err)
	}
	_, err = fmt.Fprintf(p.stdout, "enrolled as device %s of tenant %s\nstart reporting with: tomkit-agent run\n", res.Device, res.Tenant)
	return err
}

func (c *enrolCmd) token(p *process) (heartbeat.Token, error) {
	var raw []byte
	var err error
	switch c.TokenFile {
	case "":
		raw = []byte(p.env["TOMKIT_ENROL_TOKEN"])
		if len(raw) == 0 {
			return "", usagef("enrol: no token: use --token-file or TOMKIT_ENROL_TOKEN")
		}
	case "-":
		raw, err = io.ReadAll(io.LimitReader(p.stdin, maxToken))
	default:
		raw, err = readFile(c.TokenFile, maxToken)
	}
	if err != nil {
		return "", usagef("enrol: token: %s", fileFact(err))
	}
	token := heartbeat.Token(bytes.TrimSpace(raw))
	if err := token.Check(heartbeat.TokenEnrol); err != nil {
		return "", usagef("enrol: that is not an enrolment token (tk1_enrol_…)")
	}
	return token, nil
}

func (c *enrolCmd) request(ctx context.Context, token heartbeat.Token) (heartbeat.EnrolRequest, error) {
	name := c.Name
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return heartbeat.EnrolRequest{}, fmt.Errorf("enrol: host name: %w", err)
		}
		name = heartbeat.Clip(host, heartbeat.MaxName)
	}
	machine, err := collect.MachineID(ctx)
	if err != nil {
		return heartbeat.EnrolRequest{}, err
	}
	req := heartbeat.EnrolRequest{Token: token, Name: name, OS: runtime.GOOS, Arch: runtime.GOARCH, MachineID: machine}
	if err := req.Validate(); err != nil {
		return heartbeat.EnrolRequest{}, usagef("enrol: %s", err)
	}
	return req, nil
}

// authorities reads a PEM file, or takes those of the machine when there is none.
func authorities(path string) (string, *x509.CertPool, error) {
	if path == "" {
		roots, err := x509.SystemCertPool()
		if err != nil {
			return "", nil, fmt.Errorf("certificate authorities of this machine: %w", err)
		}
		return "", roots, nil
	}
	pem, err := readFile(path, maxCA)
	if err != nil {
		return "", nil, usagef("--ca: %s", fileFact(err))
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return "", nil, usagef("--ca: no certificate in the file")
	}
	return string(pem), roots, nil
}

var errTooLarge = errors.New("file too large")

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errTooLarge
	}
	return b, err
}

// fileFact is what went wrong with a file, without its name: a path given by mistake may be a secret.
func fileFact(err error) string {
	var e *os.PathError
	if errors.As(err, &e) {
		return "cannot read the file: " + e.Err.Error()
	}
	return err.Error()
}
