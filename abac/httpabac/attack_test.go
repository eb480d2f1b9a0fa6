package httpabac_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func code(t testing.TB, w *httptest.ResponseRecorder) string {
	var p httpabac.Problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	return p.Code
}

// maze is a mux with everything in which routers differ. Each handler notes the permission that its route demands, and
// whether the subject held it.
type maze struct {
	*httpabac.Mux
	universe *abac.Universe
	reached  []string // permissions of the handlers that ran
}

// mazeRoutes are patterns and what they demand; overlapping, with hosts, wildcards, trailing slashes and odd methods.
var mazeRoutes = map[string]string{
	"GET /v1/items":                       "r0:get",
	"GET /v1/items/{id}":                  "r1:get",
	"GET /v1/items/admin":                 "r2:get", // more specific than {id}
	"POST /v1/items":                      "r3:post",
	"DELETE /v1/items/{id}":               "r4:erase",
	"GET /v1/tree/":                       "r5:get", // everything below
	"GET /v1/tree/secret/":                "r6:get",
	"GET /v1/files/{path...}":             "r7:get",
	"GET /v1/files/private/{path...}":     "r8:get",
	"GET admin.example/v1/items":          "r9:get", // only for this host
	"GET admin.example/v1/tree/{rest...}": "r10:get",
	"GET /exact/{$}":                      "r11:get",
	"OPTIONS /v1/items":                   "r12:options",
	"HEAD /v1/head":                       "r13:head",
	"GET /v1/head":                        "r14:get",
	"CONNECT /v1/items":                   "r15:connect",
	"TRACE /v1/items":                     "r16:trace",
	"PATCH /v1/{kind}/admin":              "r17:patch",
	"PATCH /v1/items/{id}":                "", // conflicts with the one before: cannot be registered
	"BREW /v1/items":                      "r18:brew",
}

func newMaze(t testing.TB) *maze {
	m := &maze{}
	var permissions []string
	for _, permission := range mazeRoutes {
		if permission != "" {
			permissions = append(permissions, permission)
		}
	}
	var err error
	m.universe, err = abac.NewUniverse(permissions...)
	require.NoError(t, err)
	guard, err := httpabac.New(httpabac.Config{
		Universe: m.universe, PrivilegedActions: []string{}, Record: func(context.Context, httpabac.Record) error { return nil },
	})
	require.NoError(t, err)
	m.Mux = httpabac.NewMux(guard)
	for pattern, permission := range mazeRoutes {
		if permission == "" {
			continue
		}
		m.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) { m.reached = append(m.reached, permission) }, httpabac.Policy(permission))
	}
	m.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) { m.reached = append(m.reached, "public") }, httpabac.Public("probe"))
	return m
}

// holding returns a subject with these permissions only.
func (m *maze) holding(t testing.TB, permissions ...string) *abac.Subject {
	set, err := m.universe.Compile(abac.Source{Policies: permissions})
	require.NoError(t, err)
	return &abac.Subject{Set: set}
}

// attack makes the request as it came over the wire and lets it through the maze as sub.
func (m *maze) attack(sub *abac.Subject, method, host, target string, header http.Header) (*httptest.ResponseRecorder, error) {
	raw := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return nil, err // net/http answers it with 400 before any mux
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if sub != nil {
		r = r.WithContext(httpabac.WithSubject(r.Context(), sub))
	}
	w := newRecorder()
	m.reached = nil
	m.ServeHTTP(w, r)
	return w, nil
}

// disguises are spellings under which routers have been fooled.
var disguises = []string{
	"/v1/items", "/v1/items/", "//v1/items", "/v1//items", "/v1/./items", "/v1/x/../items", "/v1/items/.", "/v1/items/..", "/v1/items/x/..",
	"/v1%2fitems", "/v1%2Fitems", "/v1/items%2f", "/v1/items/%2e%2e/items", "/v1/items/..%2f", "/%76%31/items", "/v1/items%00", "/v1/items%20",
	"/v1/items;x=y", "/v1/items?x=/livez", "/v1/items#x", "/V1/ITEMS", "/v1/items/admin", "/v1/items/adm%69n", "/v1/items/admin/", "/v1/items/admin%2f",
	"/v1/items/%61dmin", "/v1/items/1", "/v1/items/%2e%2e%2fadmin", "/v1/tree", "/v1/tree/", "/v1/tree/a/b", "/v1/tree/secret", "/v1/tree/secret/",
	"/v1/tree/secret/x", "/v1/tree/x/../secret/y", "/v1/tree/x%2f..%2fsecret/y", "/v1/tree/%73ecret/x", "/v1/tree//secret/x", "/v1/files/a",
	"/v1/files/private/a", "/v1/files/x/../private/a", "/v1/files/private%2fa", "/v1/files/%70rivate/a", "/v1/files//private/a", "/v1/files/./private/a",
	"/v1/files/", "/v1/files", "/exact", "/exact/", "/exact/x", "/exact//", "/v1/head", "/livez", "/livez/", "/livez/../v1/items", "/livez%2f..%2fv1/items",
	"*", "http://admin.example/v1/items", "http://other.example/v1/items", "https://admin.example/v1/tree/a", "http://admin.example:80/v1/items",
	"http://user@admin.example/v1/items", "http:///v1/items", "http://admin.example", "\\v1\\items", "/v1\\items", "/v1/items\\..\\admin", "/..;/v1/items",
	"/v1/%c0%ae%c0%ae/items", "/v1/items/%25%32%65", "/./v1/items", "/../v1/items", "/v1/things/admin", "admin.example:443",
}

var (
	mazeMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "BREW", "get"}
	mazeHosts   = []string{"example.org", "admin.example", "ADMIN.EXAMPLE", "admin.example:8443", "", "admin.example@evil"}
)

// TestNoRouteIsReachedWithoutItsPolicy sends every disguise with every method and host: as nobody no handler runs but the
// public one; as the holder of a single permission none runs but those that demand it.
func TestNoRouteIsReachedWithoutItsPolicy(t *testing.T) {
	m := newMaze(t)
	subjects := map[string]*abac.Subject{"": nil}
	for _, permission := range m.universe.Permissions() {
		subjects[permission] = m.holding(t, permission)
	}
	reached := map[string]bool{}
	requests := 0
	for _, method := range mazeMethods {
		for _, host := range mazeHosts {
			for _, target := range disguises {
				for held, sub := range subjects {
					if _, err := m.attack(sub, method, host, target, nil); err != nil {
						break
					}
					requests++
					for _, permission := range m.reached {
						require.Truef(t, permission == held || permission == "public", "%s %s %s as holder of %q ran the handler for %s", method, host, target, held, permission)
						reached[permission] = true
					}
				}
			}
		}
	}
	require.Greater(t, requests, 40_000)
	for _, permission := range append(m.universe.Permissions(), "public") {
		require.Truef(t, reached[permission], "%s: the attack never reached the route at all", permission)
	}
}

// TestHeadersDoNotChangeTheRoute sends what proxies and frameworks understand as another method, path or host.
func TestHeadersDoNotChangeTheRoute(t *testing.T) {
	m := newMaze(t)
	reader := m.holding(t, "r0:get", "r1:get")
	for _, name := range []string{
		"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Method", "X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Host",
		"X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Path", "X-Host", "Forwarded", "Referer", "Upgrade", "Http2-Settings",
	} {
		for _, value := range []string{"DELETE", "GET", "/v1/items/admin", "/livez", "admin.example", "host=admin.example", "h2c"} {
			w, err := m.attack(reader, "GET", "example.org", "/v1/items", http.Header{name: {value}})
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, []string{"r0:get"}, m.reached, "%s: %s", name, value)
			w, err = m.attack(reader, "POST", "example.org", "/v1/items?_method=GET", http.Header{name: {value}})
			require.NoError(t, err)
			require.Equal(t, http.StatusForbidden, w.Code)
			require.Empty(t, m.reached, "%s: %s", name, value)
		}
	}
}

func TestAConflictingRouteIsNotRegistered(t *testing.T) {
	m := newMaze(t)
	before := len(m.Routes())
	require.Panics(t, func() {
		m.HandleFunc("PATCH /v1/items/{id}", func(http.ResponseWriter, *http.Request) {}, httpabac.Policy("r0:get"))
	})
	require.Len(t, m.Routes(), before)
}

// TestOverTheWire sends requests that only a real connection can carry: pipelined ones, with a body that is never read, and
// one asking to be smuggled. Nothing is answered by a handler.
func TestOverTheWire(t *testing.T) {
	f := newFixture(t)
	mux := httpabac.NewMux(f.guard)
	mux.Handle("GET /v1/devices", f.handler(), httpabac.Policy("devices:read"))
	mux.Handle("POST /v1/devices", f.handler(), httpabac.Policy("devices:write"))
	server := httptest.NewServer(mux)
	defer server.Close()
	for name, raw := range map[string]string{
		"pipelined":              strings.Repeat("GET /v1/devices HTTP/1.1\r\nHost: x\r\n\r\n", 20),
		"a body that hides one":  "POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Length: 44\r\n\r\nGET /v1/devices HTTP/1.1\r\nHost: x\r\n\r\n       ",
		"two lengths":            "POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/devices HTTP/1.1\r\nHost: x\r\n\r\n",
		"a body that never ends": "POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nx",
		"100-continue":           "POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
		"HTTP/1.0":               "GET /v1/devices HTTP/1.0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			defer c.Close()
			_, err = io.WriteString(c, raw)
			require.NoError(t, err)
			in := bufio.NewReader(c)
			answer, err := http.ReadResponse(in, nil)
			require.NoError(t, err)
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.GreaterOrEqual(t, answer.StatusCode, 400)
			require.NotContains(t, string(body), "devices")
		})
	}
	require.Zero(t, f.ran)
}

// TestConcurrentUse decides on many goroutines at once, each with its own subject.
func TestConcurrentUse(t *testing.T) {
	f := newFixture(t)
	guard, err := httpabac.New(httpabac.Config{Universe: f.universe, Record: func(context.Context, httpabac.Record) error { return nil }})
	require.NoError(t, err)
	mux := httpabac.NewMux(guard)
	for _, name := range []string{"devices", "alerting", "itsm", "cmdb"} {
		mux.HandleFunc("GET /v1/"+name, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, httpabac.SubjectFrom(r.Context()).Role) },
			httpabac.Policy(name+":read"))
	}
	for i, name := range []string{"devices", "alerting", "itsm", "cmdb"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := range 300 {
				sub := f.subject(name + ":*")
				sub.Role = fmt.Sprint(i, n)
				require.Equal(t, sub.Role, call(mux, "GET", "/v1/"+name, sub, nil).Body.String())
				require.Equal(t, http.StatusForbidden, call(mux, "GET", "/v1/settings", sub, nil).Code/100*100+3)
			}
		})
	}
}

func FuzzMux(f *testing.F) {
	for i, target := range disguises {
		f.Add(mazeMethods[i%len(mazeMethods)], mazeHosts[i%len(mazeHosts)], target, uint8(i))
	}
	m := newMaze(f)
	permissions := m.universe.Permissions()
	f.Fuzz(func(t *testing.T, method, host, target string, who uint8) {
		held, sub := "", (*abac.Subject)(nil)
		if n := int(who) % (len(permissions) + 1); n < len(permissions) {
			held = permissions[n]
			sub = m.holding(t, held)
		}
		if _, err := m.attack(sub, method, host, target, nil); err != nil {
			return
		}
		for _, permission := range m.reached {
			if permission != held && permission != "public" {
				t.Fatalf("%q %q %q as holder of %q ran the handler for %s", method, host, target, held, permission)
			}
		}
	})
}
