package tenant_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

var (
	label63 = strings.Repeat("a", 63)
	host253 = strings.Join([]string{label63, label63, label63, strings.Repeat("b", 61)}, ".")
)

// stored are names in the one form the table holds.
var stored = []string{"clinic.example", "a.b", "1-a.9.example", "xn--klnik-0ra.example", "a.xn--p1ai", label63 + ".example", host253, "127.0.0.1.example"}

// refused are names that are not, with what an attacker or a careless operator would try.
var refused = map[string]string{
	"nothing": "", "a dot": ".", "one label": "localhost", "capitals": "Clinic.example", "a port": "clinic.example:443",
	"a dot at the end": "clinic.example.", "a dot at the beginning": ".clinic.example", "two dots": "clinic..example",
	"a label of 64": label63 + "a.example", "a name of 254": "b" + host253, "an underscore": "clinic_a.example",
	"a hyphen first": "-clinic.example", "a hyphen last": "clinic-.example", "a wildcard": "*.example",
	"an address": "192.0.2.1", "a short address": "192.514", "an address with letters": "0x7f.0x1", "IPv6": "[2001:db8::1]",
	"a Cyrillic homograph": "\u0441linic.example", "an umlaut": "klínik.example", "a full-width letter": "ｃlinic.example",
	"an ideographic full stop": "clinic\u3002example", "a soft hyphen": "cli\u00adnic.example", "a Kelvin sign": "\u212Alinik.example",
	"a reserved label": "ab--c.example", "bare xn--": "xn--.example", "a space": "clinic.example ", "a line break": "clinic.example\n",
	"a tab": "clinic\t.example", "a NUL": "clinic.example\x00", "no UTF-8": "clinic\xff.example",
	"a path": "clinic.example/x", "a user": "lab@clinic.example", "a quote": "x'--.example", "SQL": "' OR true --", "a percent": "%.example",
}

func TestByHost(t *testing.T) {
	h := newHouse(t)
	find := func(host string) (uuid.UUID, error) { return tenant.ByHost(t.Context(), h.db.Anonymous(), host) }
	h.system(t, func(ctx context.Context, tx *rls.Tx) {
		require.NoError(t, tenant.AddHost(ctx, tx, h.northClinic, "clinic.example"))
		require.NoError(t, tenant.AddHost(ctx, tx, h.northClinic, "klinik.example"))
		require.NoError(t, tenant.AddHost(ctx, tx, h.southLab, "lab.example"))
	})
	t.Run("a browser may send case, port and one dot", func(t *testing.T) {
		for _, host := range []string{"clinic.example", "CLINIC.Example", "clinic.example.", "clinic.example:8443", "Clinic.Example.:1", "klinik.example"} {
			id, err := find(host)
			require.NoError(t, err, host)
			require.Equal(t, h.northClinic, id)
		}
	})
	t.Run("what is not that name is nobody's", func(t *testing.T) {
		for name, host := range refused {
			if name == "capitals" || name == "a port" || name == "a dot at the end" {
				continue
			}
			_, err := find(host)
			require.ErrorIs(t, err, tenant.ErrUnknown, name)
		}
		for _, host := range []string{"clinic", "www.clinic.example", "clinic.example..", "clinic.example:", "clinic.example:x", "clinic.example:-1",
			"clinic.example:1:2", "clinic.example:999999", ":443", "lab.example,clinic.example", "operator.example", strings.Repeat("a.", 1<<20) + "a"} {
			_, err := find(host)
			require.ErrorIs(t, err, tenant.ErrUnknown, host[:min(len(host), 40)])
		}
	})
	t.Run("a suspended tenant is nobody, and so is one of a suspended MSP", func(t *testing.T) {
		for name, set := range map[string]func(context.Context, *rls.Tx, tenant.Status) error{
			"tenant": func(ctx context.Context, tx *rls.Tx, s tenant.Status) error {
				return tenant.SetStatus(ctx, tx, h.northClinic, s)
			},
			"MSP": func(ctx context.Context, tx *rls.Tx, s tenant.Status) error {
				return tenant.SetMSPStatus(ctx, tx, h.north, s)
			},
		} {
			h.system(t, func(ctx context.Context, tx *rls.Tx) { require.NoError(t, set(ctx, tx, tenant.Suspended)) })
			_, err := find("clinic.example")
			require.ErrorIs(t, err, tenant.ErrUnknown, name)
			_, err = find("lab.example")
			require.NoError(t, err, name)
			h.system(t, func(ctx context.Context, tx *rls.Tx) { require.NoError(t, set(ctx, tx, tenant.Active)) })
			_, err = find("clinic.example")
			require.NoError(t, err, name)
		}
	})
	t.Run("only the app login may ask, and it learns the id alone", func(t *testing.T) {
		_, err := tenant.ByHost(t.Context(), h.db.MSP(h.north), "clinic.example")
		requireCode(t, "42501", err)
		rows, err := h.db.Anonymous().Query(t.Context(), "SELECT host, tenant_id FROM tomkit.tenant_hosts")
		require.NoError(t, err)
		require.False(t, rows.Next())
		require.NoError(t, rows.Err())
	})
}

func TestHosts(t *testing.T) {
	h := newHouse(t)
	add := func(id uuid.UUID, host string) (err error) {
		h.system(t, func(ctx context.Context, tx *rls.Tx) { err = tenant.AddHost(ctx, tx, id, host) })
		return err
	}
	t.Run("the package and the database accept the same names", func(t *testing.T) {
		super := h.pg.Superuser(t)
		const insert = `INSERT INTO tomkit.tenant_hosts (tenant_id, host) VALUES ($1, $2)`
		for _, host := range stored {
			_, err := super.Exec(t.Context(), insert, h.southLab, host)
			require.NoError(t, err, host)
			require.ErrorIs(t, add(h.southLab, host), tenant.ErrTaken, host)
		}
		for name, host := range refused {
			require.ErrorIs(t, add(h.southLab, host), tenant.ErrInvalid, name)
			_, err := super.Exec(t.Context(), insert, h.southLab, host)
			require.Error(t, err, name)
		}
		_, err := super.Exec(t.Context(), "DELETE FROM tomkit.tenant_hosts")
		require.NoError(t, err)
	})
	t.Run("a name belongs to one tenant", func(t *testing.T) {
		require.NoError(t, add(h.northClinic, "clinic.example"))
		require.ErrorIs(t, add(h.southLab, "clinic.example"), tenant.ErrTaken)
		require.ErrorIs(t, add(h.northClinic, "clinic.example"), tenant.ErrTaken)
		require.ErrorIs(t, add(uuid.New(), "nobody.example"), tenant.ErrUnknown)
	})
	t.Run("each sees its own", func(t *testing.T) {
		require.NoError(t, add(h.southLab, "lab.example"))
		require.NoError(t, add(h.northClinic, "a.clinic.example"))
		want := map[uuid.UUID][]string{h.northClinic: {"a.clinic.example", "clinic.example"}, h.southLab: {"lab.example"}}
		for id, hosts := range want {
			for other := range want {
				have, err := tenant.Hosts(t.Context(), h.db.Tenant(other), id)
				require.NoError(t, err)
				if id == other {
					require.Equal(t, hosts, have)
				} else {
					require.Empty(t, have)
				}
			}
		}
		have, err := tenant.Hosts(t.Context(), h.db.MSP(h.north), h.northClinic)
		require.NoError(t, err)
		require.Len(t, have, 2)
		have, err = tenant.Hosts(t.Context(), h.db.MSP(h.north), h.southLab)
		require.NoError(t, err)
		require.Empty(t, have)
	})
	t.Run("requests cannot write, so a conflict tells them nothing", func(t *testing.T) {
		for _, sql := range []string{
			"INSERT INTO tomkit.tenant_hosts (tenant_id, host) VALUES ($1, 'lab.example')",
			"INSERT INTO tomkit.tenant_hosts (tenant_id, host) VALUES ($1, 'free.example') ON CONFLICT DO NOTHING",
			"UPDATE tomkit.tenant_hosts SET host = 'lab.example' WHERE tenant_id = $1", "DELETE FROM tomkit.tenant_hosts WHERE tenant_id = $1",
		} {
			for _, s := range []rls.Scope{h.db.Tenant(h.northClinic), h.db.MSP(h.north)} {
				_, err := s.Exec(t.Context(), sql, h.northClinic)
				requireCode(t, "42501", err)
			}
		}
	})
	t.Run("a host is taken from its tenant only", func(t *testing.T) {
		h.system(t, func(ctx context.Context, tx *rls.Tx) {
			require.ErrorIs(t, tenant.RemoveHost(ctx, tx, h.northClinic, "lab.example"), tenant.ErrUnknown)
			require.NoError(t, tenant.RemoveHost(ctx, tx, h.southLab, "lab.example"))
			require.ErrorIs(t, tenant.RemoveHost(ctx, tx, h.southLab, "lab.example"), tenant.ErrUnknown)
			require.NoError(t, tenant.AddHost(ctx, tx, h.northClinic, "lab.example"), "free again")
		})
		id, err := tenant.ByHost(t.Context(), h.db.Anonymous(), "lab.example")
		require.NoError(t, err)
		require.Equal(t, h.northClinic, id)
	})
}

// asked notes the name a lookup sends to the database.
type asked struct{ name string }

func (a *asked) QueryRow(_ context.Context, _ string, args ...any) pgx.Row {
	a.name = args[0].(string)
	return a
}

func (a *asked) Scan(...any) error { return nil }

func FuzzByHost(f *testing.F) {
	for _, host := range stored {
		f.Add(host)
	}
	for _, host := range refused {
		f.Add(host)
	}
	f.Add("Clinic.Example.:8443")
	f.Fuzz(func(t *testing.T, host string) {
		var q asked
		_, err := tenant.ByHost(t.Context(), &q, host)
		require.ErrorIs(t, err, tenant.ErrUnknown)
		if q.name == "" {
			return
		}
		require.LessOrEqual(t, len(q.name), 253)
		require.Regexp(t, `^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`, q.name)
		require.NotRegexp(t, `[^!-~]`, host, "no character outside ASCII became one inside")
		require.True(t, strings.HasPrefix(strings.ToLower(host), q.name), "nothing but case, port and dot goes")
		var again asked
		_, err = tenant.ByHost(t.Context(), &again, q.name)
		require.ErrorIs(t, err, tenant.ErrUnknown)
		require.Equal(t, q.name, again.name)
	})
}
