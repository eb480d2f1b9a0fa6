package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn/credential"
	"github.com/pioneerdesk/tomkit/heartbeat"
)

// machine is the body of an enrolment.
func machine(token string, n int) map[string]any {
	return map[string]any{"token": token, "name": fmt.Sprintf("pc-%d", n), "os": "linux", "arch": "amd64", "machine_id": fmt.Sprintf("%064x", n)}
}

func sample(t *testing.T) string {
	t.Helper()
	text, err := heartbeat.Sample{
		Version: heartbeat.WireVersion, DeviceTime: time.Now(), AgentVersion: "1.0.0", OS: heartbeat.OS{Family: "linux", Arch: runtime.GOARCH},
		CPU: heartbeat.CPU{Percent: 1, Cores: 2}, Memory: heartbeat.Memory{Total: 2, Used: 1},
	}.Encode()
	require.NoError(t, err)
	return string(text)
}

func (k *kit) enrolToken(t *testing.T, p *person) string {
	t.Helper()
	var made struct{ Token string }
	k.do(t, http.MethodPost, "/v1/devices/enrolments", nil, as(p)).into(t, http.StatusCreated, &made)
	return made.Token
}

type enrolled struct {
	Tenant, Device uuid.UUID
	Credential     string
}

func (k *kit) enrol(t *testing.T, p *person, n int) (e enrolled) {
	t.Helper()
	k.do(t, http.MethodPost, "/v1/enrol", machine(k.enrolToken(t, p), n)).into(t, http.StatusCreated, &e)
	return e
}

func (k *kit) beat(t *testing.T, credential, body string) *answer {
	t.Helper()
	return k.do(t, http.MethodPost, "/v1/heartbeats", body, header("Authorization", "Bearer "+credential))
}

type deviceList struct {
	Devices []struct {
		ID       uuid.UUID
		Name     string
		LastSeen *time.Time `json:"last_seen"`
		Online   bool
	}
}

func TestAnEnrolmentTokenWorksOnce(t *testing.T) {
	k := open(t)
	ward := k.tenant(t, "ward")
	admin := k.somebody(t, ward, abac.TenantAdmin)
	token := k.enrolToken(t, admin)
	const attackers = 16
	var wg sync.WaitGroup
	statuses := make([]int, attackers)
	for i := range attackers {
		wg.Go(func() { statuses[i] = k.do(t, http.MethodPost, "/v1/enrol", machine(token, i)).StatusCode })
	}
	wg.Wait()
	slices.Sort(statuses)
	require.Equal(t, http.StatusCreated, statuses[0])
	for _, status := range statuses[1:] {
		require.Equal(t, http.StatusUnauthorized, status)
	}
	require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.devices`))
	require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.device_credentials`))
	require.Equal(t, 1, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1 AND action = 'device_enrolled'`, ward))
	require.NotContains(t, k.log.String(), token)
}

func TestEnrolmentTokensThatMustNotWork(t *testing.T) {
	k := open(t)
	ward, lab := k.tenant(t, "ward"), k.tenant(t, "lab")
	admin := k.somebody(t, ward, abac.TenantAdmin)
	refused := func(t *testing.T, token string) {
		t.Helper()
		k.do(t, http.MethodPost, "/v1/enrol", machine(token, 1)).refused(t, http.StatusUnauthorized, "credential")
		require.Zero(t, k.count(t, `SELECT count(*) FROM tomkit.devices`))
	}
	made := func(t *testing.T, kind credential.Kind, tenant uuid.UUID) string {
		c, err := credential.New(kind, tenant)
		require.NoError(t, err)
		return c.Reveal()
	}
	t.Run("an expired one", func(t *testing.T) {
		token := k.enrolToken(t, admin)
		_, err := k.super.Exec(t.Context(), `UPDATE tomkit.enrol_tokens SET created_at = now() - interval '25 hours', expires_at = now() - interval '1 second'`)
		require.NoError(t, err)
		refused(t, token)
	})
	t.Run("one whose tenant was exchanged", func(t *testing.T) {
		token, err := credential.Parse(credential.Enrol, k.enrolToken(t, admin))
		require.NoError(t, err)
		foreign := made(t, credential.Enrol, lab)
		text := token.Reveal()
		cut := strings.LastIndex(foreign[:len(foreign)-43], "_") // the random part may hold the separator
		refused(t, foreign[:cut+1]+text[len(text)-43:])
	})
	t.Run("a made-up one", func(t *testing.T) { refused(t, made(t, credential.Enrol, ward)) })
	t.Run("one of a tenant that does not exist", func(t *testing.T) { refused(t, made(t, credential.Enrol, uuid.New())) })
	t.Run("a credential of another kind", func(t *testing.T) {
		a := k.do(t, http.MethodPost, "/v1/enrol", machine(made(t, credential.Device, ward), 1))
		a.refused(t, http.StatusUnprocessableEntity, "invalid")
		require.Equal(t, "body.token", a.problem.Errors[0].Location)
	})
	t.Run("fields that choose tenant or device", func(t *testing.T) {
		token := k.enrolToken(t, admin)
		for _, name := range []string{"tenant", "device", "device_id", "id", "tenant_id"} {
			body := machine(token, 1)
			body[name] = uuid.NewString()
			k.do(t, http.MethodPost, "/v1/enrol", body).refused(t, http.StatusUnprocessableEntity, "invalid")
		}
		for name, value := range map[string]any{"name": "a\x00b", "os": "", "arch": strings.Repeat("x", 65), "machine_id": "../../etc/passwd"} {
			body := machine(token, 1)
			body[name] = value
			a := k.do(t, http.MethodPost, "/v1/enrol", body)
			a.refused(t, http.StatusUnprocessableEntity, "invalid")
			require.Equal(t, "body."+name, a.problem.Errors[0].Location)
			require.NotContains(t, string(a.body), "passwd")
		}
		body := machine(token, 1)
		body["arch"] = strings.Repeat("x", heartbeat.MaxText) // the longest the reader takes
		k.do(t, http.MethodPost, "/v1/enrol", body).into(t, http.StatusCreated, nil)
	})
	require.NotContains(t, k.log.String(), `"level":"ERROR"`)
}

func TestAMachineIsEnrolledOnceAtATime(t *testing.T) {
	k := open(t)
	admin := k.somebody(t, k.tenant(t, "ward"), abac.TenantAdmin)
	other := k.somebody(t, k.tenant(t, "lab"), abac.TenantAdmin)
	first := k.enrol(t, admin, 7)
	token := k.enrolToken(t, admin)
	k.do(t, http.MethodPost, "/v1/enrol", machine(token, 7)).refused(t, http.StatusConflict, "already_enrolled")
	k.enrol(t, other, 7) // another tenant's business
	k.do(t, http.MethodDelete, "/v1/devices/"+first.Device.String(), nil, as(admin)).into(t, http.StatusNoContent, nil)
	k.do(t, http.MethodPost, "/v1/enrol", machine(token, 7)).into(t, http.StatusCreated, nil) // the refusal has not used the token up
}

func TestHeartbeatsAreTheDevicesOwn(t *testing.T) {
	k := open(t)
	k.serve(t)
	ward, lab := k.tenant(t, "ward"), k.tenant(t, "lab")
	admin, other := k.somebody(t, ward, abac.TenantAdmin), k.somebody(t, lab, abac.TenantAdmin)
	mine, theirs := k.enrol(t, admin, 1), k.enrol(t, other, 2)

	var accepted heartbeat.Accepted
	k.beat(t, mine.Credential, sample(t)).into(t, http.StatusAccepted, &accepted)
	require.True(t, accepted.Accepted)
	k.beat(t, theirs.Credential, sample(t)).into(t, http.StatusAccepted, nil)

	t.Run("each tenant sees its own", func(t *testing.T) {
		var list deviceList
		k.do(t, http.MethodGet, "/v1/devices", nil, as(admin)).into(t, http.StatusOK, &list)
		require.Len(t, list.Devices, 1)
		require.Equal(t, mine.Device, list.Devices[0].ID)
		require.True(t, list.Devices[0].Online)
	})
	t.Run("the body cannot name a device, a tenant or a time of receipt", func(t *testing.T) {
		for _, name := range []string{"device", "device_id", "tenant", "tenant_id", "received_at", "last_seen"} {
			body := strings.Replace(sample(t), "{", fmt.Sprintf(`{%q:%q,`, name, theirs.Device), 1)
			k.beat(t, mine.Credential, body).refused(t, http.StatusUnprocessableEntity, "invalid")
		}
	})
	t.Run("a credential whose tenant was exchanged", func(t *testing.T) {
		foreign, own := theirs.Credential, mine.Credential
		mixed := foreign[:len(foreign)-43] + own[len(own)-43:]
		k.beat(t, mixed, sample(t)).refused(t, http.StatusUnauthorized, "credential")
	})
	for name, c := range map[string]string{"nothing": "", "an enrolment token": k.enrolToken(t, admin), "an access token": admin.token, "two credentials": mine.Credential + "," + theirs.Credential} {
		t.Run(name+" instead of a credential", func(t *testing.T) {
			k.beat(t, c, sample(t)).refused(t, http.StatusUnauthorized, "credential")
		})
	}
	t.Run("a document that is none", func(t *testing.T) {
		for _, body := range []string{"", "{}", "[]", "null", sample(t) + "{}", strings.Replace(sample(t), `"v":1`, `"v":2`, 1), strings.Replace(sample(t), `"v":1`, `"v":1,"v":1`, 1), strings.Replace(sample(t), `"v"`, `"V"`, 1)} {
			a := k.beat(t, mine.Credential, body)
			require.Containsf(t, []int{http.StatusBadRequest, http.StatusUnprocessableEntity}, a.StatusCode, "%s", a.body)
			require.Equal(t, "invalid", a.problem.Code)
		}
	})
	t.Run("whoever has no credential does not learn what a document lacks", func(t *testing.T) {
		k.beat(t, "tk1_device_x", `{"v":2}`).refused(t, http.StatusUnauthorized, "credential")
	})
	t.Run("a removed device is refused at once", func(t *testing.T) {
		k.do(t, http.MethodDelete, "/v1/devices/"+theirs.Device.String(), nil, as(admin)).refused(t, http.StatusNotFound, "unknown_device") // not theirs to remove
		k.beat(t, theirs.Credential, sample(t)).into(t, http.StatusAccepted, nil)
		k.do(t, http.MethodDelete, "/v1/devices/"+mine.Device.String(), nil, as(admin)).into(t, http.StatusNoContent, nil)
		k.beat(t, mine.Credential, sample(t)).refused(t, http.StatusUnauthorized, "credential")
		k.do(t, http.MethodDelete, "/v1/devices/"+mine.Device.String(), nil, as(admin)).refused(t, http.StatusNotFound, "unknown_device")
		var list deviceList
		k.do(t, http.MethodGet, "/v1/devices", nil, as(admin)).into(t, http.StatusOK, &list)
		require.Empty(t, list.Devices)
	})
	require.Equal(t, 2, k.count(t, `SELECT count(DISTINCT device_id) FROM tomkit.heartbeats`))
	require.NotContains(t, k.log.String(), mine.Credential)
	require.NotContains(t, k.log.String(), `"level":"ERROR"`)
}

func TestListsComeInPages(t *testing.T) {
	k := open(t)
	admin := k.somebody(t, k.tenant(t, "ward"), abac.TenantAdmin)
	var all []uuid.UUID
	for n := range 5 {
		all = append(all, k.enrol(t, admin, n).Device)
	}
	slices.SortFunc(all, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	t.Run("devices", func(t *testing.T) {
		var seen []uuid.UUID
		for {
			target := "/v1/devices?limit=2"
			if len(seen) > 0 {
				target += "&after=" + seen[len(seen)-1].String()
			}
			var page deviceList
			k.do(t, http.MethodGet, target, nil, as(admin)).into(t, http.StatusOK, &page)
			require.LessOrEqual(t, len(page.Devices), 2)
			for _, d := range page.Devices {
				seen = append(seen, d.ID)
			}
			if len(page.Devices) < 2 {
				break
			}
		}
		require.Equal(t, all, seen)
	})
	for _, order := range []string{"oldest", "newest"} {
		t.Run("entries, "+order+" first", func(t *testing.T) {
			var seen []uint64
			for {
				target := "/v1/audit?limit=4&newest=" + fmt.Sprint(order == "newest")
				if len(seen) > 0 {
					target += fmt.Sprintf("&after=%d", seen[len(seen)-1])
				}
				var page struct{ Entries []struct{ Seq uint64 } }
				k.do(t, http.MethodGet, target, nil, as(admin)).into(t, http.StatusOK, &page)
				for _, e := range page.Entries {
					seen = append(seen, e.Seq)
				}
				if len(page.Entries) < 4 {
					break
				}
			}
			if order == "newest" {
				slices.Reverse(seen)
			}
			require.Len(t, seen, k.count(t, `SELECT count(*) FROM tomkit.audit_logs WHERE tenant_id = $1`, admin.tenant))
			for i, seq := range seen {
				require.EqualValues(t, i, seq)
			}
		})
	}
	t.Run("an empty list is a list", func(t *testing.T) {
		other := k.somebody(t, k.tenant(t, "lab"), abac.TenantAdmin)
		var raw map[string]json.RawMessage
		k.do(t, http.MethodGet, "/v1/devices", nil, as(other)).into(t, http.StatusOK, &raw)
		require.JSONEq(t, "[]", string(raw["devices"]))
	})
}
