package abactest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

// proveOtherMethods calls every path, as nobody, with the methods that none of its routes lists: nothing may succeed.
// OPTIONS is left out, since servers answer it to browsers that ask before they ask (CORS).
func (p *prover) proveOtherMethods(routes []httpabac.Route) {
	p.Helper()
	for path, listed := range byPath(routes) {
		for _, method := range []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace,
		} {
			if listed.has(method) || method == http.MethodHead && listed.has(http.MethodGet) {
				continue
			}
			r := p.cfg.Request(listed[0], p.cfg.Tenant)
			r.Method = method
			if status, refused := p.call(r); refused == nil && status < 300 {
				p.Errorf("%s %s: answered %d, but no route lists the method", method, path, status)
			}
		}
	}
}

// proveDisguises calls every guarded route, as nobody, under another method with headers that name its own, and under
// other spellings of its path: nothing may succeed. Spellings are not tried where a public route takes every path.
func (p *prover) proveDisguises(routes []httpabac.Route) {
	p.Helper()
	paths := byPath(routes)
	open := slices.ContainsFunc(routes, func(r httpabac.Route) bool {
		return r.Public != "" && (strings.HasSuffix(r.Pattern, "/") || strings.HasSuffix(r.Pattern, "...}") || strings.HasSuffix(r.Pattern, "*"))
	})
	for _, route := range routes {
		if route.Public != "" {
			continue
		}
		_, path, _ := strings.Cut(route.Pattern, " ")
		carrier := http.MethodPost
		if route.Method == carrier {
			carrier = http.MethodGet
		}
		if !paths[path].public(carrier) {
			r := p.cfg.Request(route, p.cfg.Tenant)
			r.Method = carrier
			for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
				r.Header.Set(name, route.Method)
			}
			p.mustNotSucceed(r, route, "with headers that name the method")
		}
		for _, spelling := range spellings {
			if open {
				break
			}
			r := p.cfg.Request(route, p.cfg.Tenant)
			target, err := url.ParseRequestURI(spelling(r.URL.EscapedPath()))
			if err != nil {
				continue
			}
			r.URL.Path, r.URL.RawPath = target.Path, target.RawPath
			p.mustNotSucceed(r, route, "as "+r.URL.EscapedPath())
		}
	}
}

func (p *prover) mustNotSucceed(r *http.Request, route httpabac.Route, how string) {
	p.Helper()
	if status, refused := p.call(r); refused == nil && status < 300 {
		p.Errorf("%s %s: answered %d to nobody", route.Pattern, how, status)
	}
}

// spellings are paths that some router or proxy takes for the same.
var spellings = []func(path string) string{
	func(path string) string { return path + "/" },
	func(path string) string { return "/" + path },
	func(path string) string { return "/." + path },
	func(path string) string { return "/x/.." + path },
	func(path string) string { return path + "%2f" },
	func(path string) string { return "/" + strings.Replace(path[1:], "/", "%2f", 1) },
	func(path string) string { return "/" + strings.ToUpper(path[1:]) },
	func(path string) string { return path + ";x=y" },
}

// listing are the routes of one path.
type listing []httpabac.Route

func byPath(routes []httpabac.Route) map[string]listing {
	paths := make(map[string]listing)
	for _, route := range routes {
		_, path, _ := strings.Cut(route.Pattern, " ")
		paths[path] = append(paths[path], route)
	}
	return paths
}

func (l listing) has(method string) bool {
	return slices.ContainsFunc(l, func(r httpabac.Route) bool { return r.Method == method })
}

func (l listing) public(method string) bool {
	return slices.ContainsFunc(l, func(r httpabac.Route) bool { return r.Method == method && r.Public != "" })
}
