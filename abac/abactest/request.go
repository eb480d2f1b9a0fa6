package abactest

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

var (
	// pathValue matches the path values of net/http and, with an expression, of other routers.
	pathValue  = regexp.MustCompile(`\{(\$|[a-zA-Z_][a-zA-Z0-9_]*(\.\.\.)?)\}`)
	expression = regexp.MustCompile(`\{([a-zA-Z_][a-zA-Z0-9_]*):[^{}]*\}`)
)

// request is the default Config.Request.
func request(route httpabac.Route, tenant uuid.UUID) *http.Request {
	_, target, _ := strings.Cut(route.Pattern, " ")
	target = expression.ReplaceAllString(target, "{$1}")
	if rest, wildcard := strings.CutSuffix(target, "*"); wildcard {
		target = rest + "{rest}"
	}
	target = pathValue.ReplaceAllStringFunc(strings.TrimSpace(target), func(value string) string {
		switch name := strings.Trim(value, "{}."); name {
		case "$":
			return ""
		case route.TenantParam:
			return tenant.String()
		}
		return uuid.NewString()
	})
	if !strings.HasPrefix(target, "/") {
		target = "http://" + target
	}
	r := httptest.NewRequest(route.Method, target, strings.NewReader("{}"))
	if route.Method == http.MethodGet || route.Method == http.MethodHead {
		r = httptest.NewRequest(route.Method, target, http.NoBody)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}
