package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// probeTimeout bounds the questions a readiness probe asks.
const probeTimeout = 2 * time.Second

type probe struct {
	Status string            `json:"status"`
	Parts  map[string]string `json:"parts,omitempty"`
}

// live answers as long as the process does; a supervisor restarts it otherwise.
func live(w http.ResponseWriter, _ *http.Request) { writeProbe(w, http.StatusOK, probe{Status: "ok"}) }

// errUnknown means that a part cannot be asked for a reason that another part reports.
var errUnknown = errors.New("server: probe: unknown")

// ready says whether requests can be served: every part is asked, and one that fails makes the answer 503. It names the part,
// never the error, which may hold addresses. A part that is unknown decides nothing.
func ready(parts map[string]func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
		defer cancel()
		answer, status := probe{Status: "ok", Parts: map[string]string{}}, http.StatusOK
		for name, ask := range parts {
			answer.Parts[name] = "ok"
			err := ask(ctx)
			switch {
			case err == nil:
			case errors.Is(err, errUnknown):
				answer.Parts[name] = "unknown"
			default:
				answer.Status, answer.Parts[name], status = "unavailable", "unavailable", http.StatusServiceUnavailable
			}
		}
		writeProbe(w, status, answer)
	}
}

func writeProbe(w http.ResponseWriter, status int, p probe) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p) // the prober is gone if this fails
}
