package vaulttest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// request is a call with its body read.
type request struct {
	*http.Request
	body []byte
	rest string // of the path, behind what the route matched
}

// into decodes the body into v and reports whether it is one JSON document of that type.
func (r *request) into(v any) bool { return json.Unmarshal(r.body, v) == nil }

type handler func(*request) answer

// route finds the step and handler of a call.
func (s *Server) route(r *http.Request) (Step, handler) {
	path := r.URL.Path
	if path == "/token" && r.Method == http.MethodPost {
		return StepToken, s.exchange
	}
	if rest, ok := strings.CutPrefix(path, "/v1/projects/"); ok {
		return s.routeManagement(r.Method, rest)
	}
	step, h := s.routeVault(r)
	if step == StepHealth || step == StepSealStatus {
		return step, h
	}
	return step, func(r *request) answer {
		if a, ok := s.notServing(); ok {
			return a
		}
		return h(r)
	}
}

// notServing returns what a node answers that is not active.
func (s *Server) notServing() (answer, bool) {
	switch s.state {
	case Standby:
		return vaultError(http.StatusInternalServerError, "local node not active but active cluster node not found"), true
	case Sealed:
		return vaultError(http.StatusServiceUnavailable, "Vault is sealed"), true
	case Uninitialized:
		return vaultError(http.StatusServiceUnavailable, "Vault is not initialized"), true
	}
	return answer{}, false
}

func (s *Server) routeManagement(method, path string) (Step, handler) {
	project, rest, _ := strings.Cut(path, "/instances/")
	instance, rest, _ := strings.Cut(rest, "/")
	collection, id, _ := strings.Cut(rest, "/")
	step, h := s.managementHandler(method, collection, id)
	return step, func(r *request) answer {
		bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if end, ok := s.access[bearer]; !ok || !s.cfg.Now().Before(end) {
			return message(http.StatusUnauthorized, "unauthorized")
		}
		if project != s.cfg.Project || instance != s.cfg.Instance || h == nil {
			return message(http.StatusNotFound, "not found")
		}
		r.rest = id
		return h(r)
	}
}

func (s *Server) managementHandler(method, collection, id string) (Step, handler) {
	if collection == "acls" {
		return StepACLs, s.aclHandler(method, id)
	}
	one := id != ""
	switch {
	case collection == "" && method == http.MethodGet:
		return StepInstance, s.instance
	case collection != "users":
		return StepOther, nil
	case !one && method == http.MethodGet:
		return StepListUsers, s.listUsers
	case !one && method == http.MethodPost:
		return StepCreateUser, s.createUser
	case one && method == http.MethodGet:
		return StepGetUser, s.getUser
	case one && method == http.MethodPut:
		return StepUpdateUser, s.updateUser
	case one && method == http.MethodDelete:
		return StepDeleteUser, s.deleteUser
	}
	return StepOther, nil
}

func (s *Server) routeVault(r *http.Request) (Step, handler) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if !ok {
		return StepOther, noRoute
	}
	switch path {
	case "sys/health":
		return StepHealth, s.health
	case "sys/seal-status":
		return StepSealStatus, s.sealStatus
	case "auth/approle/login":
		return StepLogin, s.approleLogin
	case "auth/token/lookup-self":
		return StepLookup, s.lookupSelf
	case "auth/token/renew-self":
		return StepRenew, s.renewSelf
	case "auth/token/revoke-self":
		return StepRevoke, s.revokeSelf
	}
	if name, ok := strings.CutPrefix(path, "auth/userpass/login/"); ok {
		return StepLogin, at(name, s.userpassLogin)
	}
	if rest, ok := strings.CutPrefix(path, s.cfg.Instance+"/"); ok {
		return s.routeKV(r, rest)
	}
	return StepOther, noRoute
}

// at gives a handler the rest of the path.
func at(rest string, h handler) handler {
	return func(r *request) answer {
		r.rest = rest
		return h(r)
	}
}

func noRoute(*request) answer { return vaultError(http.StatusForbidden, "permission denied") }

// vaultError is an error as the Vault plane writes it.
func vaultError(status int, texts ...string) answer {
	if texts == nil {
		texts = []string{}
	}
	return reply(status, map[string]any{"errors": texts})
}

// message is an error as the management plane writes it.
func message(status int, text string) answer { return reply(status, map[string]any{"message": text}) }
