package demo

import (
	"context"
	"fmt"
	"net/http"
)

// attackPolicy asks for what a role does not permit, and looks whether the handler left any trace.
func (d *demo) attackPolicy(ctx context.Context) error {
	w := &d.world
	for _, attack := range []struct {
		name, method, path string
		who                *person
		trace              string // counts what the handler would have left
	}{
		{"a tenant user makes an enrolment token", http.MethodPost, "/v1/devices/enrolments", w.reader, `SELECT count(*) FROM tomkit.enrol_tokens`},
		{"a technician exports the ledger", http.MethodGet, "/v1/audit/export", w.tech, `SELECT count(*) FROM tomkit.audit_logs WHERE action = 'ledger_exported'`},
		{"a tenant user removes the device", http.MethodDelete, "/v1/devices/" + w.device.String(), w.reader, `SELECT count(*) FROM tomkit.devices WHERE removed_at IS NOT NULL`},
	} {
		d.try(ctx, "T1.3.2-03", attack.name, "403, and the handler left no trace", func(ctx context.Context) (string, bool, error) {
			before, err := d.superCount(ctx, attack.trace)
			if err != nil {
				return "", false, err
			}
			a, err := w.browsers[attack.who].call(ctx, attack.method, attack.path, nil)
			if err != nil {
				return "", false, err
			}
			after, err := d.superCount(ctx, attack.trace)
			return fmt.Sprintf("%s, %d traces", a, after-before), a.Status == http.StatusForbidden && after == before, err
		})
	}
	d.try(ctx, "T1.3.2-01", "a request without any session", "401 on every protected route", func(ctx context.Context) (string, bool, error) {
		b, err := newBrowser(d.server.URL(), d.server.Authority.Pool())
		if err != nil {
			return "", false, err
		}
		n := 0
		routes := [][2]string{{http.MethodGet, "/v1/devices"}, {http.MethodPost, "/v1/devices/enrolments"}, {http.MethodGet, "/v1/audit"}, {http.MethodPost, "/v1/audit/verify"}, {http.MethodGet, "/v1/audit/export"}}
		for _, route := range routes {
			a, err := b.call(ctx, route[0], route[1], nil)
			if err != nil {
				return "", false, err
			}
			if a.Status == http.StatusUnauthorized {
				n++
			}
		}
		return fmt.Sprintf("401 on %d of %d", n, len(routes)), n == len(routes), nil
	})
	return nil
}
