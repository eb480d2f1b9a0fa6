package vaulttest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxVersions is how many versions of a secret a KV engine keeps unless told otherwise.
const maxVersions = 10

// secret is what lies at a path. Version n is versions[n-1]; those that are not kept any more are nil.
type secret struct {
	versions         []*version
	created, updated time.Time
}

type version struct {
	fields    map[string]any
	created   time.Time
	deleted   time.Time
	destroyed bool
}

// Put writes a new version of a secret as somebody else would.
func (s *Server) Put(path string, fields map[string]string) error {
	if path == "" || path != strings.Trim(path, "/") || strings.Contains(path, "//") {
		return fmt.Errorf("vaulttest: put: %q is no path", path)
	}
	values := make(map[string]any, len(fields))
	for name, value := range fields {
		values[name] = value
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(path, values)
	return nil
}

func (s *Server) put(path string, fields map[string]any) *version {
	now := s.cfg.Now().UTC()
	e := s.secrets[path]
	if e == nil {
		e = &secret{created: now}
		s.secrets[path] = e
	}
	v := &version{fields: fields, created: now}
	e.versions = append(e.versions, v)
	e.updated = now
	if old := len(e.versions) - maxVersions - 1; old >= 0 {
		e.versions[old] = nil
	}
	return v
}

// at returns version n, 0 for the newest; nil if there is none.
func (e *secret) at(n int) *version {
	if n == 0 {
		n = len(e.versions)
	}
	if n < 1 || n > len(e.versions) {
		return nil
	}
	return e.versions[n-1]
}

func (v *version) document(n int) map[string]any {
	return map[string]any{
		"version": n, "created_time": v.created.Format(time.RFC3339Nano), "deletion_time": v.deletionTime(), "destroyed": v.destroyed,
		"custom_metadata": null,
	}
}

func (v *version) deletionTime() string {
	if v.deleted.IsZero() {
		return ""
	}
	return v.deleted.Format(time.RFC3339Nano)
}

// routeKV finds the handler of a call to the engine.
func (s *Server) routeKV(r *http.Request, rest string) (Step, handler) {
	verb, path, _ := strings.Cut(rest, "/")
	list := r.Method == "LIST" || r.Method == http.MethodGet && r.URL.Query().Get("list") == "true"
	write := r.Method == http.MethodPost || r.Method == http.MethodPut
	route := func(step Step, needsWrite bool, h handler) (Step, handler) {
		return step, func(r *request) answer {
			t, denied := s.caller(r)
			if t == nil {
				return denied
			}
			if !t.may(needsWrite) {
				return vaultError(http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
			}
			r.rest = path
			return h(r)
		}
	}
	switch {
	case verb == "metadata" && list:
		return route(StepList, false, s.list)
	case verb == "metadata" && r.Method == http.MethodGet:
		return route(StepMetadata, false, s.metadata)
	case verb == "metadata" && r.Method == http.MethodDelete:
		return route(StepWrite, true, s.erase)
	case verb == "data" && r.Method == http.MethodGet:
		return route(StepRead, false, s.read)
	case verb == "data" && write:
		return route(StepWrite, true, s.write)
	case verb == "data" && r.Method == http.MethodDelete:
		return route(StepWrite, true, s.deleteNewest)
	case write && slices.Contains([]string{"delete", "undelete", "destroy"}, verb):
		return route(StepWrite, true, s.change(verb))
	}
	return StepOther, noRoute
}

func (s *Server) read(r *request) answer {
	n, err := strconv.Atoi("0" + r.URL.Query().Get("version"))
	if err != nil {
		return vaultError(http.StatusBadRequest, "error converting input for field \"version\"")
	}
	e := s.secrets[r.rest]
	if e == nil {
		return vaultError(http.StatusNotFound)
	}
	v := e.at(n)
	if v == nil {
		return vaultError(http.StatusNotFound)
	}
	if n == 0 {
		n = len(e.versions)
	}
	data := map[string]any{"data": v.fields, "metadata": v.document(n)}
	if v.destroyed || !v.deleted.IsZero() {
		data["data"] = null
		return envelope(http.StatusNotFound, map[string]any{"data": data})
	}
	return envelope(http.StatusOK, map[string]any{"data": data})
}

func (s *Server) write(r *request) answer {
	var in struct {
		Data    map[string]any `json:"data"`
		Options struct {
			CAS *int `json:"cas"`
		} `json:"options"`
	}
	if !r.into(&in) || in.Data == nil || r.rest == "" || strings.HasSuffix(r.rest, "/") {
		return vaultError(http.StatusBadRequest, "no data provided")
	}
	current := 0
	if e := s.secrets[r.rest]; e != nil {
		current = len(e.versions)
	}
	if in.Options.CAS != nil && *in.Options.CAS != current {
		return vaultError(http.StatusBadRequest, "check-and-set parameter did not match the current version")
	}
	v := s.put(r.rest, in.Data)
	return envelope(http.StatusOK, map[string]any{"data": v.document(current + 1)})
}

func (s *Server) deleteNewest(r *request) answer {
	if e := s.secrets[r.rest]; e != nil {
		s.mark("delete", e.at(0))
	}
	return answer{status: http.StatusNoContent}
}

// change deletes, undeletes or destroys versions.
func (s *Server) change(verb string) handler {
	return func(r *request) answer {
		var in struct {
			Versions []int `json:"versions"`
		}
		if !r.into(&in) || len(in.Versions) == 0 {
			return vaultError(http.StatusBadRequest, "No version number provided")
		}
		if e := s.secrets[r.rest]; e != nil {
			for _, n := range in.Versions {
				if v := e.at(n); n > 0 && v != nil {
					s.mark(verb, v)
				}
			}
		}
		return answer{status: http.StatusNoContent}
	}
}

func (s *Server) mark(verb string, v *version) {
	switch {
	case v.destroyed:
	case verb == "delete":
		v.deleted = s.cfg.Now().UTC()
	case verb == "undelete":
		v.deleted = time.Time{}
	case verb == "destroy":
		v.destroyed, v.fields = true, nil
	}
}

func (s *Server) erase(r *request) answer {
	delete(s.secrets, r.rest)
	return answer{status: http.StatusNoContent}
}

func (s *Server) metadata(r *request) answer {
	e := s.secrets[r.rest]
	if e == nil {
		return vaultError(http.StatusNotFound)
	}
	versions, oldest := map[string]any{}, 0
	for i, v := range e.versions {
		if v == nil {
			continue
		}
		if oldest == 0 && i > 0 {
			oldest = i + 1
		}
		versions[strconv.Itoa(i+1)] = map[string]any{
			"created_time": v.created.Format(time.RFC3339Nano), "deletion_time": v.deletionTime(), "destroyed": v.destroyed,
		}
	}
	return envelope(http.StatusOK, map[string]any{"data": map[string]any{
		"cas_required": false, "created_time": e.created.Format(time.RFC3339Nano), "current_version": len(e.versions),
		"custom_metadata": null, "delete_version_after": "0s", "max_versions": 0, "oldest_version": oldest,
		"updated_time": e.updated.Format(time.RFC3339Nano), "versions": versions,
	}})
}

func (s *Server) list(r *request) answer {
	folder := r.rest
	if folder != "" && !strings.HasSuffix(folder, "/") {
		folder += "/"
	}
	var keys []string
	for path := range s.secrets {
		rest, ok := strings.CutPrefix(path, folder)
		if !ok {
			continue
		}
		if name, _, deeper := strings.Cut(rest, "/"); deeper {
			rest = name + "/"
		}
		if !slices.Contains(keys, rest) {
			keys = append(keys, rest)
		}
	}
	if len(keys) == 0 {
		return vaultError(http.StatusNotFound)
	}
	slices.Sort(keys)
	return envelope(http.StatusOK, map[string]any{"data": map[string]any{"keys": keys}})
}
