package vaulttest

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// user is a login of the Vault, made on the management plane.
type user struct {
	id, description, username, password string
	write                               bool
	created                             time.Time
}

// User is a user that exists.
type User struct {
	ID, Description, Username string
	Write                     bool
	Created                   time.Time
}

// Users returns the users that exist, in the order of their making.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []User
	for _, u := range s.users {
		out = append(out, User{u.id, u.description, u.username, u.write, u.created})
	}
	return out
}

// AddUser makes a user as somebody else would, and returns its name and password. It exists since created.
func (s *Server) AddUser(description string, write bool, created time.Time) (username, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.newUser(description, write, created)
	return u.username, u.password
}

func (s *Server) newUser(description string, write bool, created time.Time) *user {
	u := &user{
		id: randomUUID(), description: description, username: "sm" + randomHex(7), password: randomHex(20), write: write, created: created,
	}
	s.users = append(s.users, u)
	return u
}

// document is a user as the API shows it. The password is in the answer to its making only.
func (u *user) document(password string) map[string]any {
	return map[string]any{"id": u.id, "description": u.description, "username": u.username, "password": password, "write": u.write}
}

func (s *Server) instance(*request) answer {
	return reply(http.StatusOK, map[string]any{
		"id": s.cfg.Instance, "name": "vaulttest", "state": "Active", "apiUrl": s.url, "secretsEngine": s.cfg.Instance,
		"secretCount": len(s.secrets), "creationStartDate": "2026-01-01T00:00:00Z", "creationFinishedDate": "2026-01-01T00:01:00Z",
	})
}

func (s *Server) listUsers(*request) answer {
	users := []any{}
	for _, u := range s.users {
		users = append(users, u.document(""))
	}
	return reply(http.StatusOK, map[string]any{"users": users})
}

func (s *Server) createUser(r *request) answer {
	var in struct {
		Description *string `json:"description"`
		Write       *bool   `json:"write"`
	}
	if !r.into(&in) || in.Description == nil || in.Write == nil {
		return message(http.StatusBadRequest, "description and write are required")
	}
	u := s.newUser(*in.Description, *in.Write, s.cfg.Now())
	return reply(http.StatusOK, u.document(u.password))
}

func (s *Server) findUser(id string) int {
	return slices.IndexFunc(s.users, func(u *user) bool { return u.id == id })
}

func (s *Server) getUser(r *request) answer {
	i := s.findUser(r.rest)
	if i < 0 {
		return message(http.StatusNotFound, "user not found")
	}
	return reply(http.StatusOK, s.users[i].document(""))
}

func (s *Server) updateUser(r *request) answer {
	i := s.findUser(r.rest)
	if i < 0 {
		return message(http.StatusNotFound, "user not found")
	}
	var in struct {
		Write *bool `json:"write"`
	}
	if !r.into(&in) || in.Write == nil {
		return message(http.StatusBadRequest, "write is required")
	}
	s.users[i].write = *in.Write
	return answer{status: http.StatusNoContent}
}

// deleteUser ends the login and not the tokens it got.
func (s *Server) deleteUser(r *request) answer {
	i := s.findUser(r.rest)
	if i < 0 {
		return message(http.StatusNotFound, "user not found")
	}
	s.users = slices.Delete(s.users, i, i+1)
	return answer{status: http.StatusNoContent}
}

type acl struct{ id, cidr string }

func (a acl) document() map[string]any { return map[string]any{"id": a.id, "cidr": a.cidr} }

func (s *Server) aclHandler(method, id string) handler {
	switch {
	case id == "" && method == http.MethodGet:
		return s.listACLs
	case id == "" && method == http.MethodPost:
		return s.createACL
	case id != "" && method == http.MethodDelete:
		return s.deleteACL
	}
	return nil
}

func (s *Server) listACLs(*request) answer {
	acls := []any{}
	for _, a := range s.acls {
		acls = append(acls, a.document())
	}
	return reply(http.StatusOK, map[string]any{"acls": acls})
}

func (s *Server) createACL(r *request) answer {
	var in struct {
		CIDR string `json:"cidr"`
	}
	prefix, err := netip.ParsePrefix("")
	if r.into(&in) {
		prefix, err = netip.ParsePrefix(in.CIDR)
	}
	if err != nil {
		return message(http.StatusBadRequest, "cidr is required")
	}
	if slices.ContainsFunc(s.acls, func(a acl) bool { return a.cidr == prefix.String() }) {
		return message(http.StatusConflict, "acl exists")
	}
	a := acl{randomUUID(), prefix.String()}
	s.acls = append(s.acls, a)
	return reply(http.StatusOK, a.document())
}

func (s *Server) deleteACL(r *request) answer {
	before := len(s.acls)
	if s.acls = slices.DeleteFunc(s.acls, func(a acl) bool { return a.id == r.rest }); len(s.acls) == before {
		return message(http.StatusNotFound, "acl not found")
	}
	return answer{status: http.StatusNoContent}
}

// SetACLs replaces the networks that may reach the Vault plane; none means all.
func (s *Server) SetACLs(networks ...netip.Prefix) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acls = nil
	for _, n := range networks {
		s.acls = append(s.acls, acl{randomUUID(), n.String()})
	}
}

// admits reports whether the caller's network may reach the Vault plane.
func (s *Server) admits(r *request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	address, parseErr := netip.ParseAddr(host)
	if len(s.acls) == 0 || err != nil || parseErr != nil {
		return len(s.acls) == 0
	}
	return slices.ContainsFunc(s.acls, func(a acl) bool { return netip.MustParsePrefix(a.cidr).Contains(address.Unmap()) })
}
