package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

// leak is a value that no answer and no log line may repeat.
const leak = "hunter2-do-not-repeat"

func TestBodiesThatCannotBeReadAreRefused(t *testing.T) {
	k := open(t)
	k.tenant(t, "ward")
	valid := `{"tenant":"ward","email":"head@ward.example","password":"` + leak + `"}`
	type refusal struct {
		body    string
		options []option
		status  int
		code    string
	}
	contentType := func(v string) []option {
		return []option{func(r *http.Request) { r.Header.Set("Content-Type", v) }}
	}
	for name, c := range map[string]refusal{
		"no body":                                {"", nil, 400, "invalid"},
		"an empty object":                        {"{}", nil, 422, "invalid"},
		"an array":                               {`["` + leak + `"]`, nil, 422, "invalid"},
		"null":                                   {"null", nil, 422, "invalid"},
		"a bare text":                            {`"` + leak + `"`, nil, 422, "invalid"},
		"text that is no JSON":                   {"password=" + leak, nil, 400, "invalid"},
		"half a document":                        {valid[:len(valid)-1], nil, 400, "invalid"},
		"a document cut inside a text":           {valid[:len(valid)-4], nil, 400, "invalid"},
		"text behind the document":               {valid + valid, nil, 400, "invalid"},
		"a name given twice":                     {strings.Replace(valid, "{", `{"password":"`+leak+`",`, 1), nil, 400, "invalid"},
		"a name given twice, once with escapes":  {strings.Replace(valid, "{", `{"passw\u006frd":"`+leak+`",`, 1), nil, 400, "invalid"},
		"a name given twice, in other letters":   {strings.Replace(valid, "{", `{"PASSWORD":"`+leak+`",`, 1), nil, 400, "invalid"},
		"a name in other letters":                {strings.Replace(valid, "password", "Password", 1), nil, 400, "invalid"},
		"a name with a letter that folds to one": {strings.Replace(valid, "password", "pa\u017fsword", 1), nil, 400, "invalid"},
		"a field nobody knows":                   {strings.Replace(valid, "{", `{"role":"`+leak+`",`, 1), nil, 422, "invalid"},
		"a password as a number":                 {`{"tenant":"ward","email":"head@ward.example","password":4711004711}`, nil, 422, "invalid"},
		"a password as a list":                   {`{"tenant":"ward","email":"head@ward.example","password":["` + leak + `"]}`, nil, 422, "invalid"},
		"a password in the field of the tenant":  {`{"tenant":"` + strings.Repeat(leak, 4) + `","email":"head@ward.example","password":"x"}`, nil, 422, "invalid"},
		"a password in the field of the e-mail":  {`{"tenant":"ward","email":{"x":"` + leak + `"},"password":"x"}`, nil, 422, "invalid"},
		"a password that is not UTF-8":           {strings.Replace(valid, leak, leak+"\xff", 1), nil, 400, "invalid"},
		"a password with half a surrogate":       {strings.Replace(valid, leak, leak+`\ud800`, 1), nil, 400, "invalid"},
		"a password over the limit":              {strings.Replace(valid, leak, strings.Repeat(leak, 60), 1), nil, 422, "invalid"},
		"deep nesting":                           {strings.Repeat("[", 10000) + strings.Repeat("]", 10000), nil, 400, "invalid"},
		"a form":                                 {"password=" + leak, contentType("application/x-www-form-urlencoded"), 415, "media_type"},
		"XML":                                    {"<password>" + leak + "</password>", contentType("application/xml"), 415, "media_type"},
		"CBOR":                                   {"\xa0", contentType("application/cbor"), 415, "media_type"},
		"text":                                   {valid, contentType("text/plain"), 415, "media_type"},
		"a content type that is none":            {valid, contentType(leak), 415, "media_type"},
		"too much":                               {`{"password":"` + strings.Repeat("a", 64<<10) + `"}`, nil, 413, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			a := k.do(t, http.MethodPost, "/v1/auth/password", c.body, c.options...)
			require.Equalf(t, []any{c.status, c.code}, []any{a.StatusCode, a.problem.Code}, "%s", a.body)
			require.NotContains(t, string(a.body), leak)
			require.NotContains(t, string(a.body), "4711004711")
			require.NotContains(t, a.Header, "Set-Cookie")
		})
	}
	for name, target := range map[string]string{"a public route": "/v1/auth/password", "a route that reads its own body": "/v1/enrol", "a heartbeat": "/v1/heartbeats"} {
		t.Run("too much, of unannounced length, at "+name, func(t *testing.T) {
			for _, size := range []int{64 << 10, 64<<10 + 1, 1 << 20} {
				k.do(t, http.MethodPost, target, io.LimitReader(spaces{}, int64(size))).refused(t, http.StatusRequestEntityTooLarge, "too_large")
			}
		})
	}
	require.NotContains(t, k.log.String(), leak)
	require.NotContains(t, k.log.String(), `"level":"ERROR"`, "bad input is no fault of ours")
}

// spaces is an endless body.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestParametersThatCannotBeReadAreRefused(t *testing.T) {
	k := open(t)
	admin := k.somebody(t, k.tenant(t, "ward"), abac.TenantAdmin)
	for name, c := range map[string]struct{ method, target string }{
		"an id that is no UUID":                  {http.MethodDelete, "/v1/devices/" + leak},
		"an id as long as a UUID":                {http.MethodDelete, "/v1/devices/" + strings.Repeat("x", 36)},
		"an id with another prefix":              {http.MethodDelete, "/v1/devices/hunter2-d" + uuid.NewString()},
		"an id with a statement":                 {http.MethodDelete, "/v1/devices/1'%20OR%20'1'='1"},
		"a query id that is no UUID":             {http.MethodGet, "/v1/devices?after=" + leak},
		"a limit that is no number":              {http.MethodGet, "/v1/devices?limit=" + leak},
		"a limit of zero":                        {http.MethodGet, "/v1/devices?limit=0"},
		"a limit below zero":                     {http.MethodGet, "/v1/devices?limit=-1"},
		"a limit above the page":                 {http.MethodGet, "/v1/devices?limit=1001"},
		"a limit beyond 64 bits":                 {http.MethodGet, "/v1/devices?limit=99999999999999999999"},
		"a parameter nobody knows":               {http.MethodGet, "/v1/devices?role=" + leak},
		"a position below the first":             {http.MethodGet, "/v1/audit?after=-2"},
		"an action with a zero byte":             {http.MethodGet, "/v1/audit?action=a%00b"},
		"an action that is not UTF-8":            {http.MethodGet, "/v1/audit?action=%ff"},
		"an action over the limit":               {http.MethodGet, "/v1/audit?action=" + strings.Repeat("a", 65)},
		"a time that is none":                    {http.MethodGet, "/v1/audit?from=" + leak},
		"a truth that is none":                   {http.MethodGet, "/v1/audit?newest=" + leak},
		"a parameter where none is known":        {http.MethodGet, "/v1/me?x=" + leak},
		"a parameter at the export":              {http.MethodGet, "/v1/audit/export?tenant=" + uuid.NewString()},
		"a tenant asked for in a parameter":      {http.MethodGet, "/v1/devices?tenant_id=" + uuid.NewString()},
		"a parameter at a route that has a body": {http.MethodPost, "/v1/devices/enrolments?tenant_id=" + uuid.NewString()},
		"a parameter at a verification":          {http.MethodPost, "/v1/audit/verify?full=" + leak},
	} {
		t.Run(name, func(t *testing.T) {
			a := k.do(t, c.method, c.target, nil, as(admin))
			a.refused(t, http.StatusUnprocessableEntity, "invalid")
			require.NotContains(t, string(a.body), leak)
			require.NotContains(t, string(a.body), "hunter2-d")
		})
	}
	t.Run("a cookie over the limit", func(t *testing.T) {
		k.do(t, http.MethodPost, "/v1/auth/password", passwordBody("ward", "a@b.example", "x"), cookie(nonceCookie, strings.Repeat("n", 65))).refused(t, http.StatusUnprocessableEntity, "invalid")
	})
	t.Run("years nobody means are no fault", func(t *testing.T) {
		k.do(t, http.MethodGet, "/v1/audit?from=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", nil, as(admin)).into(t, http.StatusOK, nil)
	})
	require.NotContains(t, k.log.String(), leak)
	require.NotContains(t, k.log.String(), `"level":"ERROR"`, "bad input is no fault of ours")
}
