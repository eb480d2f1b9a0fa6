package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/pioneerdesk/tomkit/authn/totp"
	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

type adminCmd struct {
	installation `embed:""`
	Bootstrap    bootstrapCmd `cmd:"" help:"Make the operator and the first superadmin. Works once."`
	MSP          mspCmd       `cmd:"" name:"msp" help:"Make a managed service provider."`
	Tenant       tenantCmd    `cmd:"" help:"Make a tenant under a provider, with its administrator, or look after one."`
}

// withPassword reads a new password, opens what the command works on, and closes it afterwards.
func (a *adminCmd) withPassword(ctx context.Context, c *console, work func(s *server.Server, password string) error) error {
	password, err := c.newPassword()
	if err != nil {
		return err
	}
	return a.with(ctx, func(s *server.Server) error { return work(s, password) })
}

type bootstrapCmd struct {
	Slug  string `help:"Short name of the operator's own tenant." required:""`
	Name  string `help:"The operator's name." required:""`
	Email string `help:"The superadmin's e-mail address." required:""`
}

// Run makes operator and superadmin.
func (b *bootstrapCmd) Run(ctx context.Context, c *console, a *adminCmd) error {
	return a.withPassword(ctx, c, func(s *server.Server, password string) error {
		id, secret, err := s.Bootstrap(ctx, tenant.New{Slug: b.Slug, Name: b.Name}, server.Person{Email: b.Email, Name: b.Email, Password: password})
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "operator %s\n", id)
		return c.authenticator(b.Email, secret)
	})
}

type mspCmd struct {
	Slug string `help:"Short name." required:""`
	Name string `help:"Name." required:""`
}

// Run makes a provider.
func (m *mspCmd) Run(ctx context.Context, c *console, a *adminCmd) error {
	return a.with(ctx, func(s *server.Server) error {
		id, err := s.CreateMSP(ctx, tenant.New{Slug: m.Slug, Name: m.Name})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "msp %s\n", id)
		return err
	})
}

// newPassword reads a password from the terminal, twice, or the first line of standard input. It is never an argument, where other users
// of the machine could see it.
func (c *console) newPassword() (string, error) {
	if !term.IsTerminal(int(c.in.Fd())) {
		line, err := bufio.NewReader(c.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return usable(strings.TrimRight(line, "\r\n"))
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(c.err, prompt)
		text, err := term.ReadPassword(int(c.in.Fd()))
		fmt.Fprintln(c.err)
		return string(text), err
	}
	first, err := ask("password: ")
	if err != nil {
		return "", err
	}
	second, err := ask("again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", cli.UsageError("the passwords differ")
	}
	return usable(first)
}

// usable refuses passwords that nobody could sign in with: the server reads Unicode text.
func usable(password string) (string, error) {
	switch {
	case password == "":
		return "", cli.UsageError("no password on standard input")
	case strings.ContainsRune(password, utf8.RuneError):
		return "", cli.UsageError("the password is not UTF-8 text")
	}
	return password, nil
}

// authenticator shows the TOTP secret once.
func (c *console) authenticator(email string, secret []byte) error {
	app, err := totp.New(totp.Config{})
	if err != nil {
		return err
	}
	uri, err := app.URI("tomkit", email, secret)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "authenticator app, shown once: %s\n", uri)
	return nil
}
