package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/rls/audit"
)

type auditCmd struct {
	Login        string   `help:"Whose connection string to use: ${enum} (TOMKIT_DATABASE_URL is app's)." enum:"app,msp,system,migrator,superuser" default:"app"`
	Format       string   `help:"Form of the report: ${enum}." enum:"text,json,sarif,markdown" default:"text"`
	Lang         string   `help:"Language of the report: ${enum}." enum:"en,de" default:"en"`
	FailOn       string   `help:"Lowest severity that makes the command fail: ${enum}." enum:"fatal,error,warn,never" default:"error"`
	Accept       string   `help:"JSON file of exceptions: a list of rule, object and reason." placeholder:"FILE"`
	Role         []string `help:"Role that requests connect as; may be repeated. Default: tomkit_app and tomkit_msp."`
	TenantColumn []string `help:"Column that says whose row it is; may be repeated. Default: tenant_id."`
	Output       string   `help:"Write the report to this file in place of standard output." placeholder:"FILE"`
	List         bool     `help:"List the rules."`
	Explain      string   `help:"Explain one rule." placeholder:"RULE"`
}

// Run audits the database, or tells about the rules.
func (a *auditCmd) Run(ctx context.Context, c *console) error {
	switch {
	case a.List:
		return a.list(c.out)
	case a.Explain != "":
		return a.explain(c.out)
	}
	report, err := a.audit(ctx)
	if err != nil {
		return err
	}
	if err := a.write(c.out, report); err != nil {
		return err
	}
	return a.verdict(report)
}

func (a *auditCmd) audit(ctx context.Context) (audit.Report, error) {
	options := audit.Options{RequestRoles: a.Role, TenantColumns: a.TenantColumn}
	if a.Accept != "" {
		f, err := os.Open(a.Accept)
		if err != nil {
			return audit.Report{}, usage(err)
		}
		defer f.Close()
		if options.Accept, err = audit.ReadExceptions(f); err != nil {
			return audit.Report{}, usage(err)
		}
	}
	variable := "TOMKIT_DATABASE_URL"
	if a.Login != "app" {
		variable = "TOMKIT_DATABASE_" + strings.ToUpper(a.Login) + "_URL"
	}
	url := os.Getenv(variable)
	if url == "" {
		return audit.Report{}, cli.UsageError("%s is not set; the audit reads catalogues only, any login will do", variable)
	}
	config, err := pgx.ParseConfig(url)
	if err != nil { // the text may hold the password
		return audit.Report{}, cli.UsageError("%s is malformed", variable)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return audit.Report{}, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return audit.Run(ctx, conn, options)
}

func (a *auditCmd) write(out io.Writer, report audit.Report) error {
	var b bytes.Buffer
	var err error
	switch lang := audit.Language(a.Lang); a.Format {
	case "json":
		err = report.JSON(&b)
	case "sarif":
		err = report.SARIF(&b, lang)
	case "markdown":
		err = report.Markdown(&b, lang)
	default:
		err = report.Text(&b, lang)
	}
	if err != nil {
		return err
	}
	if a.Output != "" {
		return usage(os.WriteFile(a.Output, b.Bytes(), 0o600))
	}
	_, err = out.Write(b.Bytes())
	return err
}

// verdict turns findings into the exit code.
func (a *auditCmd) verdict(report audit.Report) error {
	if a.FailOn == "never" {
		return nil
	}
	var lowest audit.Severity
	if err := lowest.UnmarshalText([]byte(a.FailOn)); err != nil {
		return err
	}
	if found := report.AtLeast(lowest); len(found) > 0 {
		return fmt.Errorf("audit: %d finding(s) of severity %s or higher", len(found), lowest)
	}
	return nil
}

func (a *auditCmd) list(out io.Writer) error {
	var err error
	for _, rule := range audit.Rules() {
		if err == nil {
			_, err = fmt.Fprintf(out, "%s  %-5s  %-22s  %s\n", rule.ID, rule.Severity, rule.Name, rule.Title.In(audit.Language(a.Lang)))
		}
	}
	return err
}

func (a *auditCmd) explain(out io.Writer) error {
	rule, lang := audit.Explain(a.Explain), audit.Language(a.Lang)
	if rule == nil {
		return cli.UsageError("there is no rule %s; --list shows them", a.Explain)
	}
	_, err := fmt.Fprintf(out, "%s %s (%s)\n%s.\n\n%s\n\n%s\n", rule.ID, rule.Name, rule.Severity, rule.Title.In(lang), rule.Why.In(lang), rule.Fix.In(lang))
	if err == nil && rule.SQL != "" {
		_, err = fmt.Fprintf(out, "%s\n", rule.SQL)
	}
	if err == nil {
		_, err = fmt.Fprintf(out, "\n%s\n", strings.Join(rule.References, "; "))
	}
	return err
}
