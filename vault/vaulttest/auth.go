package vaulttest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// token is a Vault token.
type token struct {
	id, accessor, display, path string
	policies                    []string
	created                     time.Time
	ttl                         time.Duration // zero: does not expire
	ends                        time.Time
}

// Token is a token that is alive; its value stays with its owner.
type Token struct {
	Accessor string
	User     string // the login's name
	Policies []string
	Ends     time.Time // zero if never
}

// Policies of tokens.
const (
	policyRead  = "kv-read"
	policyWrite = "kv-write"
)

// issue makes a token. The caller holds the lock, or nobody else knows the server yet.
func (s *Server) issue(policies []string, display, path string, ttl time.Duration) *token {
	now := s.cfg.Now()
	t := &token{
		id: "hvs." + randomHex(16), accessor: randomHex(12), display: display, path: path, policies: policies, created: now, ttl: ttl,
	}
	if ttl > 0 {
		t.ends = now.Add(ttl)
	}
	s.tokens[t.id] = t
	return t
}

// Tokens returns the tokens that are alive now, without the root token, sorted by accessor.
func (s *Server) Tokens() []Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Token
	for _, t := range s.tokens {
		if s.alive(t) && t.id != s.root {
			out = append(out, Token{t.accessor, t.display, slices.Clone(t.policies), t.ends})
		}
	}
	slices.SortFunc(out, func(a, b Token) int { return strings.Compare(a.Accessor, b.Accessor) })
	return out
}

func (s *Server) alive(t *token) bool { return t.ends.IsZero() || s.cfg.Now().Before(t.ends) }

// role is an AppRole.
type role struct{ roleID, secretID string }

// AddRole makes an AppRole that may read.
func (s *Server) AddRole() (roleID, secretID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := role{randomUUID(), randomUUID()}
	s.roles = append(s.roles, r)
	return r.roleID, r.secretID
}

// caller returns the token a call comes with, or what to answer.
func (s *Server) caller(r *request) (*token, answer) {
	value := r.Header.Get("X-Vault-Token")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && value == "" {
		value = bearer
	}
	t, ok := s.tokens[value]
	if !ok || !s.alive(t) || !s.admits(r) {
		return nil, vaultError(http.StatusForbidden, "permission denied")
	}
	return t, answer{}
}

// may reports whether the token may do what it wants with secrets.
func (t *token) may(write bool) bool {
	return slices.Contains(t.policies, "root") || slices.Contains(t.policies, policyWrite) || !write && slices.Contains(t.policies, policyRead)
}

func (s *Server) userpassLogin(r *request) answer {
	var in struct {
		Password string `json:"password"`
	}
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return vaultError(http.StatusMethodNotAllowed, "unsupported operation")
	}
	if !r.into(&in) || in.Password == "" {
		return vaultError(http.StatusBadRequest, "missing password")
	}
	if !s.admits(r) {
		return vaultError(http.StatusForbidden, "permission denied")
	}
	i := slices.IndexFunc(s.users, func(u *user) bool { return u.username == r.rest && u.password == in.Password })
	if i < 0 || s.cfg.Now().Before(s.users[i].created.Add(s.cfg.LoginGrace)) {
		return vaultError(http.StatusBadRequest, "invalid username or password")
	}
	policy := policyRead
	if s.users[i].write {
		policy = policyWrite
	}
	u := s.users[i].username
	return authenticated(s.issue([]string{"default", policy}, "userpass-"+u, "auth/userpass/login/"+u, s.cfg.TokenTTL))
}

func (s *Server) approleLogin(r *request) answer {
	var in struct {
		RoleID   string `json:"role_id"`
		SecretID string `json:"secret_id"`
	}
	if !r.into(&in) || !s.admits(r) || !slices.Contains(s.roles, role{in.RoleID, in.SecretID}) {
		return vaultError(http.StatusBadRequest, "invalid role or secret ID")
	}
	return authenticated(s.issue([]string{"default", policyRead}, "approle", "auth/approle/login", s.cfg.TokenTTL))
}

// null is written where a nil would be left out.
var null = json.RawMessage("null")

// envelope is the outer document of the Vault's answers.
func envelope(status int, members map[string]any) answer {
	return reply(status, merge(map[string]any{
		"request_id": randomUUID(), "lease_id": "", "renewable": false, "lease_duration": 0,
		"data": null, "wrap_info": null, "warnings": null, "auth": null,
	}, members))
}

// authenticated is the answer to a login or renewal.
func authenticated(t *token) answer {
	return envelope(http.StatusOK, map[string]any{"auth": map[string]any{
		"client_token": t.id, "accessor": t.accessor, "policies": t.policies, "token_policies": t.policies,
		"metadata": map[string]any{"username": t.display}, "lease_duration": int(t.ttl / time.Second), "renewable": t.ttl > 0,
		"entity_id": "", "token_type": "service", "orphan": true, "num_uses": 0,
	}})
}

func (s *Server) lookupSelf(r *request) answer {
	t, denied := s.caller(r)
	if t == nil {
		return denied
	}
	data := map[string]any{
		"accessor": t.accessor, "creation_time": t.created.Unix(), "creation_ttl": int(t.ttl / time.Second), "display_name": t.display,
		"entity_id": "", "explicit_max_ttl": 0, "id": t.id, "meta": nil, "num_uses": 0, "orphan": true, "path": t.path,
		"policies": t.policies, "ttl": 0, "type": "service",
	}
	if t.ttl > 0 {
		data["ttl"] = int(t.ends.Sub(s.cfg.Now()) / time.Second)
		data["expire_time"], data["issue_time"], data["renewable"] = t.ends.UTC().Format(time.RFC3339Nano), t.created.UTC().Format(time.RFC3339Nano), true
	}
	return envelope(http.StatusOK, map[string]any{"data": data})
}

func (s *Server) renewSelf(r *request) answer {
	t, denied := s.caller(r)
	switch {
	case t == nil:
		return denied
	case t.ttl == 0:
		return vaultError(http.StatusBadRequest, "lease is not renewable")
	}
	t.ends = s.cfg.Now().Add(t.ttl)
	return authenticated(t)
}

func (s *Server) revokeSelf(r *request) answer {
	t, denied := s.caller(r)
	if t == nil {
		return denied
	}
	if s.forbidRevoke {
		return vaultError(http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	}
	delete(s.tokens, t.id)
	return answer{status: http.StatusNoContent}
}
