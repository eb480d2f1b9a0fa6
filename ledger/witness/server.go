package witness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// ServerConfig says for whom a [Server] cosigns, with which keys, and where it remembers.
type ServerConfig struct {
	// Keys sign; they have one name. One Ed25519 and one ML-DSA-44 key serve every client.
	Keys []*sign.WitnessKey
	// Log finds a log by its origin; [Fixed] is one for a list.
	Log func(origin string) (Log, bool)
	// Store remembers what was cosigned. Whoever loses it must not go on with the same keys.
	Store Store
	// Rate is the number of checkpoints per origin and minute that are looked at once their signature is verified. Zero means
	// 600; negative is an error.
	Rate int
	// Requests is the number of requests worked on at a time; others are told to come back. Zero means 64.
	Requests int
	// ReadTimeout bounds the time a request's body may take. Zero means DefaultTimeout.
	ReadTimeout time.Duration
	// Logger receives what was cosigned, and the checkpoint that proves a fork. Nil means none.
	Logger *slog.Logger
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Server is a witness (C2SP tlog-witness): for each origin it cosigns only what continues what it cosigned before. It is an
// http.Handler for POST <prefix>/add-checkpoint, whatever the prefix.
type Server struct {
	cfg   ServerConfig
	slots chan struct{}
	turns *turns
}

// NewServer returns a Server. The error wraps ErrConfig.
func NewServer(cfg ServerConfig) (*Server, error) {
	switch {
	case len(cfg.Keys) == 0 || slices.Contains(cfg.Keys, nil):
		return nil, badConfig("no witness key")
	case cfg.Log == nil || cfg.Store == nil:
		return nil, badConfig("no logs, or no store")
	case cfg.Rate < 0 || cfg.Requests < 0 || cfg.ReadTimeout < 0:
		return nil, badConfig("negative limit")
	}
	for i, k := range cfg.Keys {
		if k.Public().Name() != cfg.Keys[0].Public().Name() {
			return nil, badConfig("keys of several names")
		}
		if slices.ContainsFunc(cfg.Keys[:i], func(o *sign.WitnessKey) bool { return k.Public().Equal(o.Public()) }) {
			return nil, badConfig("a key appears twice")
		}
	}
	cfg.Keys = slices.Clone(cfg.Keys)
	cfg.Rate, cfg.Requests, cfg.ReadTimeout = or(cfg.Rate, 600), or(cfg.Requests, 64), or(cfg.ReadTimeout, DefaultTimeout)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Server{cfg: cfg, slots: make(chan struct{}, cfg.Requests), turns: newTurns(cfg.Rate, cfg.Now)}, nil
}

// refusal is a request that is not answered with cosignatures.
type refusal struct {
	status int
	kind   string // media type of body
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("witness: status %d", r.status) }

func refuse(status int) error { return &refusal{status: status} }

// ServeHTTP answers one add-checkpoint request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lines, err := s.serve(w, r)
	var no *refusal
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write(lines)
		return
	case !errors.As(err, &no):
		s.cfg.Logger.ErrorContext(r.Context(), "witness: request failed", "error", err)
		no = &refusal{status: http.StatusInternalServerError}
	}
	if no.kind != "" {
		w.Header().Set("Content-Type", no.kind)
	}
	if no.status == http.StatusTooManyRequests || no.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(no.status)
	io.WriteString(w, no.body)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, refuse(http.StatusMethodNotAllowed)
	}
	if !strings.HasSuffix(r.URL.Path, "/add-checkpoint") {
		return nil, refuse(http.StatusNotFound)
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, refuse(http.StatusUnsupportedMediaType)
	}
	// The deadline cannot be set where a middleware hides the connection; then it is the server's to set.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.cfg.ReadTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRequest))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, refuse(http.StatusRequestEntityTooLarge)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest)
	}
	// Slots are for work, so that bodies which trickle in keep nobody else out.
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return nil, refuse(http.StatusServiceUnavailable)
	}
	return s.add(r.Context(), body)
}

// add checks everything about a request that needs no memory, then waits for the origin's turn.
func (s *Server) add(ctx context.Context, body []byte) ([]byte, error) {
	req, cp, _, err := parseRequest(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest)
	}
	log, known := s.cfg.Log(cp.origin)
	if !known {
		return nil, refuse(http.StatusNotFound)
	}
	if err := log.check(req.note); err != nil {
		if unsigned(err) {
			return nil, refuse(http.StatusForbidden)
		}
		return nil, refuse(http.StatusBadRequest)
	}
	switch {
	case req.old > cp.size:
		return nil, refuse(http.StatusBadRequest)
	case cp.size == 0 && cp.root != sha256.Sum256(nil):
		return nil, refuse(http.StatusUnprocessableEntity)
	}
	leave, err := s.turns.enter(ctx, cp.origin)
	if err != nil {
		return nil, err
	}
	defer leave()
	return s.advance(ctx, req, cp)
}

// advance compares a checkpoint with the memory of its origin, moves the memory forward and cosigns, in this order: a crash
// in between leaves a checkpoint that is remembered and not cosigned, which the log then asks for again. It has the origin's
// turn, so the times of cosignatures ascend with the sizes.
func (s *Server) advance(ctx context.Context, req *request, cp checkpoint) ([]byte, error) {
	stored, err := s.cfg.Store.Load(ctx, cp.origin)
	if err != nil {
		return nil, err
	}
	last := checkpoint{root: sha256.Sum256(nil)}
	if stored != nil {
		if last, _, err = cutNote(stored); err != nil || last.origin != cp.origin {
			return nil, fmt.Errorf("%w: state of an origin", ErrDamaged)
		}
	}
	if req.old != last.size {
		return nil, &refusal{http.StatusConflict, sizeType, fmt.Sprintf("%d\n", last.size)}
	}
	if err := s.continues(ctx, req, last, cp); err != nil {
		return nil, err
	}
	if cp.size > last.size || stored == nil {
		err := s.cfg.Store.Swap(ctx, cp.origin, stored, req.note)
		if errors.Is(err, ErrConflict) { // another process serves the same store and was faster
			return nil, refuse(http.StatusServiceUnavailable)
		}
		if err != nil {
			return nil, err
		}
	}
	var lines bytes.Buffer
	at := s.cfg.Now()
	for _, k := range s.cfg.Keys {
		line, err := k.Cosign(cp.text, at)
		if err != nil {
			return nil, err
		}
		lines.Write(line)
	}
	s.cfg.Logger.InfoContext(ctx, "witness: cosigned", "origin", cp.origin, "size", cp.size)
	return lines.Bytes(), nil
}

// continues reports whether cp continues last. What does not is evidence against the log, since the log signed both.
func (s *Server) continues(ctx context.Context, req *request, last, cp checkpoint) error {
	status := 0
	switch {
	case cp.size == last.size && cp.root != last.root:
		status = http.StatusConflict // without a size: the size is not what is disputed
	case cp.size == last.size && len(req.proof) > 0:
		return refuse(http.StatusUnprocessableEntity)
	case cp.size > last.size && verify.CheckConsistency(req.proof, last.size, cp.size, last.root, cp.root) != nil:
		status = http.StatusUnprocessableEntity
	default:
		return nil
	}
	s.cfg.Logger.WarnContext(ctx, "witness: checkpoint does not continue the log", "origin", cp.origin, "known_size", last.size,
		"size", cp.size, "checkpoint", string(req.note))
	return refuse(status)
}
