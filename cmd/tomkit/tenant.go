package main

import (
	"context"
	"fmt"
	"maps"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

type tenantCmd struct {
	Create   createTenantCmd   `cmd:"" default:"withargs" help:"Make a tenant under a provider, with its administrator. This is what happens without a command."`
	List     listTenantsCmd    `cmd:"" help:"List tenants with their state and provider."`
	Host     hostCmd           `cmd:"" help:"Add or remove a host name under which a tenant is reached."`
	Move     moveTenantCmd     `cmd:"" help:"Put a tenant under another provider, at once and whole."`
	Suspend  suspendTenantCmd  `cmd:"" help:"Lock a tenant out. Its data stays."`
	Activate activateTenantCmd `cmd:"" help:"Let a suspended tenant in again."`
	Delete   deleteTenantCmd   `cmd:"" help:"Delete a tenant everywhere but in the ledger, and prove it (Art. 17). This cannot be undone; it can be resumed."`
}

type createTenantCmd struct {
	MSP   string `name:"msp" help:"Short name of the provider." required:""`
	Slug  string `help:"Short name, with which its people sign in." required:""`
	Name  string `help:"Name." required:""`
	Email string `help:"E-mail address of its first administrator." required:""`
}

// Run makes a tenant and its administrator.
func (t *createTenantCmd) Run(ctx context.Context, c *console, a *adminCmd) error {
	return a.withPassword(ctx, c, func(s *server.Server, password string) error {
		msp, err := s.FindMSP(ctx, t.MSP)
		if err != nil {
			return err
		}
		id, err := s.CreateTenant(ctx, msp, tenant.New{Slug: t.Slug, Name: t.Name})
		if err != nil {
			return err
		}
		_, secret, err := s.AddFirstPerson(ctx, id, server.Person{Email: t.Email, Name: t.Email, Password: password, Role: abac.TenantAdmin})
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "tenant %s\n", id)
		return c.authenticator(t.Email, secret)
	})
}

// named is a tenant that a command changes.
type named struct {
	Slug string `help:"Short name of the tenant." required:""`
}

// change is what a command does to a tenant in one transaction. It returns the details of the entry that goes with it, and what the
// entry's sentence needs besides tenant and time.
type change func(ctx context.Context, tx *rls.Tx, t tenant.Tenant) (details, args map[string]any, err error)

// change commits work together with an entry in the tenant's ledger and in the operator's. The action is the sentence's name, too.
func (n named) change(ctx context.Context, a *adminCmd, action string, work change) error {
	return a.with(ctx, func(s *server.Server) error {
		return s.DB.System(ctx, rls.Reason(action), n.changeTx(s, action, work))
	})
}

func (n named) changeTx(s *server.Server, action string, work change) func(context.Context, *rls.Tx) error {
	return func(ctx context.Context, tx *rls.Tx) error {
		t, err := tenant.GetBySlug(ctx, tx, n.Slug)
		if err != nil {
			return err
		}
		details, args, err := work(ctx, tx, t)
		if err != nil {
			return err
		}
		sentence := map[string]any{"tenant": t.Slug, "at": time.Now().UTC()}
		maps.Copy(sentence, args)
		return recordChange(ctx, s, tx, record.Event{
			Tenant: t.ID, Action: action, EntityType: "tenant", EntityID: t.ID.String(), Details: details, Critical: true,
			Narrative: record.Narrative{Template: action, Args: sentence},
		})
	}
}

// recordChange writes an entry about a tenant into its log and the operator's.
func recordChange(ctx context.Context, s *server.Server, tx *rls.Tx, ev record.Event) error {
	operator, err := tenant.OperatorID(ctx, tx)
	if err != nil {
		return err
	}
	if err := s.Ledger.RecordTx(ctx, tx, ev); err != nil || ev.Tenant == operator {
		return err
	}
	ev.Tenant = operator
	return s.Ledger.RecordTx(ctx, tx, ev)
}

type moveTenantCmd struct {
	named
	To string `help:"Short name of the provider it goes to." required:""`
}

// Run moves the tenant.
func (m *moveTenantCmd) Run(ctx context.Context, c *console, a *adminCmd) error {
	err := m.change(ctx, a, "tenant_moved", func(ctx context.Context, tx *rls.Tx, t tenant.Tenant) (details, args map[string]any, err error) {
		to, err := tenant.GetMSPBySlug(ctx, tx, m.To)
		if err != nil {
			return nil, nil, fmt.Errorf("provider: %w", err)
		}
		from, err := tenant.Move(ctx, tx, t.ID, to.ID)
		return map[string]any{"from": from.String(), "to": to.ID.String()}, map[string]any{"msp": to.Slug}, err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "tenant %s is under %s now\n", m.Slug, m.To)
	return err
}

type suspendTenantCmd struct{ named }

// Run suspends the tenant.
func (s *suspendTenantCmd) Run(ctx context.Context, c *console, a *adminCmd) error {
	return s.setStatus(ctx, c, a, "tenant_suspended", tenant.Suspended)
}

type activateTenantCmd struct{ named }

// Run lets the tenant in again.
func (s *activateTenantCmd) Run(ctx context.Context, c *console, a *adminCmd) error {
	return s.setStatus(ctx, c, a, "tenant_activated", tenant.Active)
}

func (n named) setStatus(ctx context.Context, c *console, a *adminCmd, action string, status tenant.Status) error {
	err := n.change(ctx, a, action, func(ctx context.Context, tx *rls.Tx, t tenant.Tenant) (details, args map[string]any, err error) {
		if t.Operator() {
			return nil, nil, tenant.ErrOperator
		}
		return nil, nil, tenant.SetStatus(ctx, tx, t.ID, status)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "tenant %s is %s\n", n.Slug, status)
	return err
}

type hostCmd struct {
	Add    addHostCmd    `cmd:"" help:"Let a tenant be reached under a host name."`
	Remove removeHostCmd `cmd:"" help:"Take a host name from a tenant."`
}

type hosted struct {
	named
	Host string `name:"name" help:"Host name in lower case, ASCII, without port." required:""`
}

type addHostCmd struct{ hosted }

// Run adds the host.
func (h *addHostCmd) Run(ctx context.Context, c *console, a *adminCmd) error {
	return h.apply(ctx, c, a, "tenant_host_added", tenant.AddHost)
}

type removeHostCmd struct{ hosted }

// Run removes the host.
func (h *removeHostCmd) Run(ctx context.Context, c *console, a *adminCmd) error {
	return h.apply(ctx, c, a, "tenant_host_removed", tenant.RemoveHost)
}

func (h *hosted) apply(ctx context.Context, c *console, a *adminCmd, action string, work func(context.Context, *rls.Tx, uuid.UUID, string) error) error {
	var hosts []string
	err := h.change(ctx, a, action, func(ctx context.Context, tx *rls.Tx, t tenant.Tenant) (details, args map[string]any, err error) {
		if err := work(ctx, tx, t.ID, h.Host); err != nil {
			return nil, nil, err
		}
		hosts, err = tenant.Hosts(ctx, tx, t.ID)
		host := map[string]any{"host": h.Host}
		return host, host, err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "tenant %s is reached under %d host(s): %v\n", h.Slug, len(hosts), hosts)
	return err
}

type listTenantsCmd struct {
	MSP string `name:"msp" help:"Short name of the one provider whose tenants to list."`
}

// Run lists the tenants page by page.
func (l *listTenantsCmd) Run(ctx context.Context, c *console, a *adminCmd) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	err := a.with(ctx, func(s *server.Server) error {
		return s.DB.System(ctx, "tenant_list", func(ctx context.Context, tx *rls.Tx) error {
			var only uuid.UUID
			if l.MSP != "" {
				msp, err := tenant.GetMSPBySlug(ctx, tx, l.MSP)
				if err != nil {
					return fmt.Errorf("provider: %w", err)
				}
				only = msp.ID
			}
			return each(ctx, tx, only, func(t tenant.Tenant, msp tenant.MSP) {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%q\n", t.Slug, t.Status, msp.Slug, msp.Status, t.ID, t.Name)
			})
		})
	})
	if err != nil {
		return err
	}
	return w.Flush()
}

// each calls fn with every tenant, or those of one provider, and its provider.
func each(ctx context.Context, tx *rls.Tx, msp uuid.UUID, fn func(tenant.Tenant, tenant.MSP)) error {
	providers := map[uuid.UUID]tenant.MSP{}
	for after := (tenant.Page{}); ; {
		page, err := tenant.List(ctx, tx, msp, after)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, t := range page {
			if _, known := providers[t.MSP]; !known {
				if providers[t.MSP], err = tenant.GetMSP(ctx, tx, t.MSP); err != nil {
					return err
				}
			}
			fn(t, providers[t.MSP])
		}
		after.After = page[len(page)-1].Slug
	}
}
