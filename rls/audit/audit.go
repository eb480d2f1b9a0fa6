package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// Options say whom and what to audit. The zero value audits a database of tomkit's own roles.
type Options struct {
	// RequestRoles are the roles that requests connect as. Nil means rls.RoleApp and rls.RoleMSP; a name that does not exist
	// is reported.
	RequestRoles []string
	// TenantColumns are the names of columns that say whose row it is. Nil means tenant_id. A table under row-level security
	// without such a column is keyed by the column its policies compare with the context.
	TenantColumns []string
	// Migrator and Backup are the logins that may pass row-level security. Empty means rls.RoleMigrator and rls.RoleBackup.
	// That they do is reported, as an accepted exception.
	Migrator, Backup string
	// Accept lists findings that somebody answers for. They are reported as accepted; one that meets nothing is a finding.
	Accept []Exception
}

func (o Options) tenantColumns() []string {
	if len(o.TenantColumns) == 0 {
		return []string{"tenant_id"}
	}
	return o.TenantColumns
}

func (o Options) migrator() string { return cmp.Or(o.Migrator, rls.RoleMigrator) }
func (o Options) backup() string   { return cmp.Or(o.Backup, rls.RoleBackup) }

// Run reads the catalogues over q and applies every rule. Any login will do, since catalogues are readable by everybody; what
// only a superuser sees (pg_hba.conf, preloaded libraries) is judged if q shows it. Nothing is written, no table is read.
func Run(ctx context.Context, q Querier, o Options) (Report, error) {
	if err := validate(o.Accept); err != nil {
		return Report{}, err
	}
	s, err := load(ctx, q)
	if err != nil {
		return Report{}, err
	}
	return judge(s, o), nil
}

// judge applies the rules to a snapshot.
func judge(s *snapshot, o Options) Report {
	m := newModel(s, o)
	r := Report{Server: s.Server.describe(), Tables: len(m.tables)}
	for _, q := range m.requests {
		r.RequestRoles = append(r.RequestRoles, q.Name)
	}
	for i := range rules {
		rule := &rules[i]
		r.Rules++
		for _, h := range rule.check(m) {
			r.Findings = append(r.Findings, rule.finding(h))
		}
	}
	accept(&r, o)
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Detail, b.Detail))
	})
	return r
}

func (s server) describe() Server {
	return Server{
		Version: fmt.Sprintf("%d.%d", s.Version/10000, s.Version%10000), Database: s.Database, Session: s.Session, Current: s.Current,
	}
}

// ErrRefused is matched by every [GateError].
var ErrRefused = errors.New("audit: gate: tenants are not isolated")

// GateError reports a database in which tenants are not kept apart. It also matches rls.ErrUnsafeLogin.
type GateError struct {
	// Findings are the fatal ones.
	Findings []Finding
}

// Error names rule and object of each finding.
func (e *GateError) Error() string {
	parts := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		parts[i] = fmt.Sprintf("%s %s (%s)", f.Rule, f.Object, f.Name)
	}
	return fmt.Sprintf("audit: gate: %d fatal finding(s): %s; see `tomkit audit`", len(e.Findings), strings.Join(parts, "; "))
}

// Is reports whether target is ErrRefused or rls.ErrUnsafeLogin.
func (e *GateError) Is(target error) bool {
	return target == ErrRefused || target == rls.ErrUnsafeLogin
}

// Gate returns a check for rls.Config.Check that refuses a database with a fatal finding that is not accepted, with a
// [GateError].
func Gate(o Options) func(context.Context, *pgx.Conn) error {
	return func(ctx context.Context, conn *pgx.Conn) error {
		r, err := Run(ctx, conn, o)
		if err != nil {
			return err
		}
		if fatal := r.AtLeast(Fatal); len(fatal) > 0 {
			return &GateError{Findings: fatal}
		}
		return nil
	}
}
