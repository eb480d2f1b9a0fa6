package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/internal/server"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// populate makes the operator, an MSP, two tenants and people in the four roles.
func (d *demo) populate(ctx context.Context) (err error) {
	w := &d.world
	w.superadmin = &person{tenant: "pioneerdesk", email: "betrieb@pioneerdesk.example", role: abac.Superadmin, password: rand.Text()}
	w.operator, w.superadmin.secret, err = d.server.Bootstrap(ctx, tenant.New{Slug: "pioneerdesk", Name: "Plattformbetreiber"},
		server.Person{Email: w.superadmin.email, Name: "Betrieb", Password: w.superadmin.password})
	if err != nil {
		return err
	}
	if w.msp, err = d.server.CreateMSP(ctx, tenant.New{Slug: "systemhaus", Name: "Systemhaus Nord"}); err != nil {
		return err
	}
	if w.clinic, err = d.server.CreateTenant(ctx, w.msp, tenant.New{Slug: "klinikum", Name: "Klinikum am See"}); err != nil {
		return err
	}
	if w.utility, err = d.server.CreateTenant(ctx, w.msp, tenant.New{Slug: "stadtwerke", Name: "Stadtwerke"}); err != nil {
		return err
	}
	for _, p := range []struct {
		to         **person
		id         uuid.UUID
		tenant     string
		mail, role string
	}{
		{&w.admin, w.clinic, "klinikum", "it-leitung@klinikum.example", abac.TenantAdmin},
		{&w.tech, w.clinic, "klinikum", "technik@klinikum.example", abac.Technician},
		{&w.reader, w.clinic, "klinikum", "pruefung@klinikum.example", abac.TenantUser},
		{&w.otherAdmin, w.utility, "stadtwerke", "it-leitung@stadtwerke.example", abac.TenantAdmin},
	} {
		someone := &person{tenant: p.tenant, email: p.mail, role: p.role, password: rand.Text()}
		_, someone.secret, err = d.server.AddPerson(ctx, p.id, server.Person{Email: p.mail, Name: p.role, Password: someone.password, Role: p.role})
		if err != nil {
			return err
		}
		*p.to = someone
	}
	d.try(ctx, "T2.2-01", "operator → MSP → tenants, each with its own users and ledger", "3 tenants, 2 of them under the MSP, 5 people in 4 roles", func(ctx context.Context) (string, bool, error) {
		var tenants, served, people, roles int
		err := d.super.QueryRow(ctx, `SELECT (SELECT count(*) FROM tomkit.tenants), (SELECT count(*) FROM tomkit.tenants WHERE msp_id = $1),
			count(*), count(DISTINCT r.name) FROM tomkit.users u JOIN tomkit.roles r ON r.tenant_id = u.tenant_id AND r.id = u.role_id`, w.msp).Scan(&tenants, &served, &people, &roles)
		return fmt.Sprintf("%d tenants, %d of them under the MSP, %d people in %d roles", tenants, served, people, roles), tenants == 3 && served == 2 && people == 5 && roles == 4, err
	})
	return nil
}

// signIn signs everybody in over HTTPS.
func (d *demo) signIn(ctx context.Context) error {
	w := &d.world
	w.browsers = map[*person]*browser{}
	for _, p := range []*person{w.superadmin, w.admin, w.tech, w.reader, w.otherAdmin} {
		b, err := newBrowser(d.server.URL(), d.server.Authority.Pool())
		if err != nil {
			return err
		}
		w.browsers[p] = b
		d.try(ctx, "T1.2.1-03", fmt.Sprintf("%s signs in as %s of %s", p.email, p.role, p.tenant), "a session with amr pwd and otp, in a cookie no script can read", func(ctx context.Context) (string, bool, error) {
			step, code, err := b.signIn(ctx, p, time.Now())
			if err != nil {
				return "", false, err
			}
			if p == w.admin {
				w.usedStep, w.usedCode = step, code
			}
			var me struct {
				Role string   `json:"role"`
				AMR  []string `json:"amr"`
			}
			if err := b.get(ctx, "/v1/me", &me); err != nil {
				return "", false, err
			}
			return fmt.Sprintf("role %s, amr %v", me.Role, me.AMR), me.Role == p.role && fmt.Sprint(me.AMR) == "[pwd otp]", nil
		})
	}
	d.try(ctx, "T1.2.1-09", "the password alone", "no session: a step token for the second factor", func(ctx context.Context) (string, bool, error) {
		b, err := newBrowser(d.server.URL(), d.server.Authority.Pool())
		if err != nil {
			return "", false, err
		}
		if _, err := b.stepToken(ctx, w.tech); err != nil {
			return "", false, err
		}
		a, err := b.call(ctx, http.MethodGet, "/v1/me", nil)
		return "step token; /v1/me: " + a.String(), a.Status == http.StatusUnauthorized && b.token() == "", err
	})
	return nil
}
