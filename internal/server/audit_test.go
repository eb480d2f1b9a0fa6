package server_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

type auditPage struct {
	Entries []struct {
		Seq      uint64
		Action   string
		Entity   string  `json:"entity_id"`
		User     *string `json:"user_id"`
		Bound    string  `json:"nis2_narrative"`
		Readable string
		Previous string `json:"previous_hash"`
		Current  string `json:"current_hash"`
		Details  map[string]any
	}
}

func (k *kit) export(t *testing.T, p *person) *zip.Reader {
	t.Helper()
	a := k.do(t, http.MethodGet, "/v1/audit/export", nil, as(p))
	a.into(t, http.StatusOK, nil)
	require.Equal(t, "application/zip", a.Header.Get("Content-Type"))
	require.Regexp(t, `^attachment; filename="ledger-\d{8}-\d{6}\.zip"$`, a.Header.Get("Content-Disposition"))
	archive, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body)))
	require.NoError(t, err)
	return archive
}

func TestTheLedgerIsReadVerifiedAndExported(t *testing.T) {
	k := open(t)
	ward, lab := k.tenant(t, "ward"), k.tenant(t, "lab")
	admin, other := k.somebody(t, ward, abac.TenantAdmin), k.somebody(t, lab, abac.TenantAdmin)
	foreign := k.enrol(t, other, 99).Device
	mine := k.enrol(t, admin, 1).Device

	t.Run("the list is the tenant's own, linked, with names that open", func(t *testing.T) {
		var page auditPage
		k.do(t, http.MethodGet, "/v1/audit", nil, as(admin)).into(t, http.StatusOK, &page)
		previous := ""
		actions := map[string]int{}
		for i, e := range page.Entries {
			require.EqualValues(t, i, e.Seq)
			if i > 0 {
				require.Equal(t, previous, e.Previous)
			}
			require.Regexp(t, `^[0-9a-f]{64}$`, e.Current)
			require.NotEqual(t, foreign.String(), e.Entity)
			previous = e.Current
			actions[e.Action]++
			if e.Action == "enrol_token_created" {
				require.Equal(t, admin.user.String(), *e.User)
				require.Contains(t, e.Readable, "@ward.example")
				require.Regexp(t, regexp.MustCompile(`\{c:[0-9a-f]{64}\}`), e.Bound)
				require.NotContains(t, e.Bound, "@")
			}
		}
		require.Equal(t, 1, actions["device_enrolled"])
		var some auditPage
		k.do(t, http.MethodGet, "/v1/audit?action=device_enrolled", nil, as(admin)).into(t, http.StatusOK, &some)
		require.Len(t, some.Entries, 1)
		require.Equal(t, mine.String(), some.Entries[0].Entity)
	})
	t.Run("the chain verifies", func(t *testing.T) {
		var report struct {
			Verdict string
			Entries int
			Tenant  string
		}
		k.do(t, http.MethodPost, "/v1/audit/verify", nil, as(admin)).into(t, http.StatusOK, &report)
		require.Equal(t, string(verify.Intact), report.Verdict)
		require.Equal(t, ward.String(), report.Tenant)
		require.Equal(t, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1`, ward), report.Entries)
	})
	t.Run("the export verifies elsewhere, says that it was made, and holds nothing of others", func(t *testing.T) {
		archive := k.export(t, admin)
		report, err := verify.Verify(t.Context(), archive, verify.Config{})
		require.NoError(t, err)
		require.Equalf(t, verify.Intact, report.Verdict, "%+v", report.Findings)
		require.Equal(t, ward.String(), report.Tenant)
		require.EqualValues(t, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1`, ward), report.Entries)
		var everything bytes.Buffer
		for _, f := range archive.File {
			r, err := f.Open()
			require.NoError(t, err)
			_, err = io.Copy(&everything, r)
			require.NoError(t, err)
		}
		require.Contains(t, everything.String(), "ledger_exported")
		require.Contains(t, everything.String(), mine.String())
		for _, id := range []string{foreign.String(), lab.String(), string(lab[:]), other.user.String(), string(other.user[:])} {
			require.NotContains(t, everything.String(), id)
		}
	})
	t.Run("each export has an entry of its own, made before the first byte", func(t *testing.T) {
		before := k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = 'ledger_exported'`, ward)
		k.export(t, admin)
		require.Equal(t, before+1, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = 'ledger_exported'`, ward))
		require.Zero(t, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = 'ledger_exported'`, lab))
	})
	t.Run("who may not export leaves no entry", func(t *testing.T) {
		before := k.count(t, `SELECT count(*) FROM tomkit.audit_logs`)
		technician := k.somebody(t, ward, abac.Technician)
		before += 1 // the technician's account
		k.do(t, http.MethodGet, "/v1/audit/export", nil, as(technician)).refused(t, http.StatusForbidden, "no_match")
		k.do(t, http.MethodPost, "/v1/audit/verify", nil, as(technician)).refused(t, http.StatusForbidden, "no_match")
		require.Equal(t, before, k.count(t, `SELECT count(*) FROM tomkit.audit_logs`))
	})
}

func TestATenantWithoutALedgerIsToldSo(t *testing.T) {
	k := open(t)
	fresh := &person{tenant: k.db.Tenant(t, "fresh"), user: uuid.New(), session: uuid.New(), role: abac.TenantAdmin, policies: []string{"audit:*"}}
	role := uuid.New()
	for _, row := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO tomkit.roles (tenant_id, id, name, created_at) VALUES ($1, $2, $3, now())`, []any{fresh.tenant, role, fresh.role}},
		{`INSERT INTO tomkit.users (tenant_id, id, email, display_name, role_id, created_at) VALUES ($1, $2, 'first@fresh.example', '', $3, now())`, []any{fresh.tenant, fresh.user, role}},
		{`INSERT INTO tomkit.sessions (tenant_id, id, user_id, amr, auth_time, binding, idle_at, ends_at, created_at)
			VALUES ($1, $2, $3, '{pwd,otp}', now(), sha256(''), now() + interval '1 hour', now() + interval '1 hour', now())`, []any{fresh.tenant, fresh.session, fresh.user}},
	} {
		_, err := k.super.Exec(t.Context(), row.sql, row.args...)
		require.NoError(t, err)
	}
	fresh.token = k.issue(t, fresh.claims(), time.Now)
	var page auditPage
	k.do(t, http.MethodGet, "/v1/audit", nil, as(fresh)).into(t, http.StatusOK, &page)
	require.Empty(t, page.Entries)
	k.do(t, http.MethodPost, "/v1/audit/verify", nil, as(fresh)).refused(t, http.StatusNotFound, "no_log")
	k.do(t, http.MethodGet, "/v1/audit/export", nil, as(fresh)).refused(t, http.StatusNotFound, "no_log")
}

// TestAChangeAndItsEntryAreOne takes the right to append away from the request login: no change may survive without its entry.
func TestAChangeAndItsEntryAreOne(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	admin := k.somebody(t, ward, abac.TenantAdmin)
	device := k.enrol(t, admin, 1).Device
	token := k.enrolToken(t, admin)
	state := func() string {
		var text string
		require.NoError(t, k.super.QueryRow(t.Context(), `SELECT jsonb_build_object(
			'tokens', (SELECT jsonb_agg(to_jsonb(x) ORDER BY secret_hash) FROM tomkit.enrol_tokens x),
			'devices', (SELECT jsonb_agg(to_jsonb(x) ORDER BY id) FROM tomkit.devices x),
			'credentials', (SELECT jsonb_agg(to_jsonb(x) ORDER BY secret_hash) FROM tomkit.device_credentials x),
			'sessions', (SELECT jsonb_agg(to_jsonb(x) ORDER BY id) FROM tomkit.sessions x),
			'users', (SELECT jsonb_agg(to_jsonb(x) ORDER BY id) FROM tomkit.users x),
			'entries', (SELECT count(*) FROM tomkit.audit_logs))::text`).Scan(&text))
		return text
	}
	var grants []string
	require.NoError(t, k.super.QueryRow(t.Context(), `SELECT array_agg(p.oid::regprocedure::text) FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
		WHERE r.rolname = 'tomkit_ledger' AND has_function_privilege('tomkit_app', p.oid, 'EXECUTE') AND p.proname LIKE '%append%'`).Scan(&grants))
	require.NotEmpty(t, grants)
	before := state()
	for _, f := range grants {
		_, err := k.super.Exec(t.Context(), `REVOKE EXECUTE ON FUNCTION `+f+` FROM tomkit_app, PUBLIC`)
		require.NoError(t, err)
	}
	k.do(t, http.MethodPost, "/v1/devices/enrolments", nil, as(admin)).refused(t, http.StatusInternalServerError, "internal")
	k.do(t, http.MethodPost, "/v1/enrol", machine(token, 2)).refused(t, http.StatusInternalServerError, "internal")
	k.do(t, http.MethodDelete, "/v1/devices/"+device.String(), nil, as(admin)).refused(t, http.StatusInternalServerError, "internal")
	k.do(t, http.MethodPost, "/v1/auth/sign-out", nil, as(admin)).refused(t, http.StatusInternalServerError, "internal")
	k.do(t, http.MethodGet, "/v1/audit/export", nil, as(admin)).refused(t, http.StatusInternalServerError, "internal")
	_, err := k.People.CreateUser(t.Context(), pgauthn.By{}, ward, pgauthn.NewUser{Email: "late@ward.example", Role: abac.TenantUser})
	require.Error(t, err)
	require.JSONEq(t, before, state())
	for _, f := range grants {
		_, err := k.super.Exec(t.Context(), `GRANT EXECUTE ON FUNCTION `+f+` TO tomkit_app`)
		require.NoError(t, err)
	}
	k.do(t, http.MethodPost, "/v1/enrol", machine(token, 2)).into(t, http.StatusCreated, nil) // nothing was used up
	require.NotContains(t, before, token)
}
