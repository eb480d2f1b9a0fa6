package vaulttest

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Step is a kind of call.
type Step string

// Steps, in the order of a boot; both planes together.
const (
	StepToken      Step = "token" // exchange of an assertion for an access token
	StepInstance   Step = "instance"
	StepListUsers  Step = "list-users"
	StepCreateUser Step = "create-user"
	StepGetUser    Step = "get-user"
	StepUpdateUser Step = "update-user"
	StepDeleteUser Step = "delete-user"
	StepACLs       Step = "acls"
	StepHealth     Step = "health"
	StepSealStatus Step = "seal-status"
	StepLogin      Step = "login" // userpass and AppRole
	StepLookup     Step = "lookup"
	StepRenew      Step = "renew"
	StepList       Step = "list"
	StepRead       Step = "read"
	StepMetadata   Step = "metadata"
	StepWrite      Step = "write" // everything that changes secrets
	StepRevoke     Step = "revoke"
	StepOther      Step = "other" // what no route fits
)

// Every is the n of Inject that stands for all calls.
const Every = 0

// Fault is what goes wrong with a call. Fields can be combined: first the latency, then Reset or Status, which leave the
// call without effect; then the call has its effect; then LoseAnswer, or the fields after it change the answer.
type Fault struct {
	Latency     time.Duration // before anything else
	Reset       bool          // the connection is reset, nothing has happened
	Status      int           // this status with an error document, nothing has happened
	RetryAfter  string        // header, with Status
	Location    string        // header, with Status
	LoseAnswer  bool          // the connection is reset, everything has happened
	Body        []byte        // in place of the document, with status 200
	ContentType string        // in place of application/json
	Encoding    string        // Content-Encoding of what was not encoded
	Garble      bool          // half of the document, delivered whole
	Truncate    bool          // half of the document, then the connection ends
	Oversize    int           // white space behind the document up to so many bytes
	Slow        time.Duration // before each byte of the document
}

type rule struct {
	step  Step
	n     int // Every or from 1
	seen  int
	fault Fault
}

// Inject makes the n-th call of step from now on fail with f: 1 is the next one, Every all of them. Rules add up; of those
// that fit a call the oldest counts.
func (s *Server) Inject(step Step, n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, &rule{step: step, n: n, fault: f})
}

// Heal takes all faults away.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

// fault returns what is to go wrong with this call of step. The caller holds the lock.
func (s *Server) fault(step Step) (f Fault) {
	found := false
	for _, r := range s.rules {
		if r.step != step {
			continue
		}
		r.seen++
		if !found && (r.n == Every || r.n == r.seen) {
			f, found = r.fault, true
		}
	}
	return f
}

// reset closes the connection in a way that the client sees as a reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// spoil turns a document into what f wants sent.
func (f Fault) spoil(body []byte) []byte {
	if f.Body != nil {
		body = f.Body
	}
	if f.Garble {
		body = body[:len(body)/2]
	}
	if missing := f.Oversize - len(body); missing > 0 {
		body = append(bytes.Clone(body), bytes.Repeat([]byte(" "), missing)...)
	}
	return body
}

// send writes an answer with what is wrong with it.
func (f Fault) send(ctx context.Context, w http.ResponseWriter, a answer, wait func(context.Context, time.Duration) error) {
	body := f.spoil(a.body)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if len(body) > 0 {
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("Content-Type", f.ContentType)
	set("Content-Encoding", f.Encoding)
	set("Retry-After", f.RetryAfter)
	set("Location", f.Location)
	w.WriteHeader(a.status)
	switch {
	case f.Truncate:
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case f.Slow > 0:
		for i := range body {
			if wait(ctx, f.Slow) != nil {
				return
			}
			_, _ = w.Write(body[i : i+1])
			_ = http.NewResponseController(w).Flush()
		}
	default:
		_, _ = w.Write(body)
	}
}
