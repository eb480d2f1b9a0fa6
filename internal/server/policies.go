package server

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/internal/server/floor"
	"github.com/pioneerdesk/tomkit/rls"
)

// PolicySet says where the signed policy set is, and who may sign it.
type PolicySet struct {
	// File is the signed policy set, as tomkit policy sign writes it. It is watched.
	File string
	// Keys are files with Ed25519 public keys (PEM) by their ids.
	Keys map[string]string
	// Quorum is how many different keys have to sign. Zero means 1.
	Quorum int
	// Every is the time between two looks at the file. Zero means 10s.
	Every time.Duration
}

// policyLimit bounds the time in which a policy set comes into force.
const policyLimit = 5 * time.Minute

// policies keeps the policy set in force: its constraints and its minimum version bind every route, its roles are those of every tenant.
// The floor in the database refuses, after a restart too, what is older than a set that was in force. Nil without a policy set.
func (s *Server) policies(ctx context.Context, universe *abac.Universe) (*abac.Live, error) {
	c := s.cfg
	if c.Policies == nil {
		return nil, nil
	}
	verifier, err := publicKeys(c.Policies.Keys)
	if err != nil {
		return nil, fmt.Errorf("%w: policy set: %w", ErrConfig, err)
	}
	lowest, err := floor.Version(ctx, s.DB)
	if err != nil {
		return nil, err
	}
	live, err := abac.NewLive(ctx, abac.LiveConfig{
		Universe: universe, Verifier: verifier, Quorum: c.Policies.Quorum, Source: abac.PolicyFile(c.Policies.File), Interval: c.Policies.Every,
		Floor: lowest, OnChange: s.adopt,
		OnAlarm: func(err error) {
			c.Log.Error("policy set refused; the one before stays in force", slog.Any("error", err))
		},
		Now: c.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: policy set: %w", ErrConfig, err)
	}
	s.metrics.policies(live)
	return live, nil
}

// adopt brings a policy set into force: all tenants have its roles before anybody's token carries its version.
func (s *Server) adopt(p *abac.Policies) error {
	ctx, cancel := context.WithTimeout(context.Background(), policyLimit)
	defer cancel()
	err := floor.Raise(ctx, s.DB, p, func(inner context.Context, tx *rls.Tx) error {
		homes, err := findHomes(inner, tx)
		if err != nil {
			return err
		}
		return s.spreadRoles(ctx, homes, list(p.Roles)) // in the tenants' own scopes, beside tx
	})
	if err != nil {
		return err
	}
	s.log.Info("policy set in force", "version", p.Version, "min_version", p.MinVersion, "digest", fmt.Sprintf("%x", p.Digest))
	return nil
}

// home is a tenant with the names of its roles.
type home struct {
	id       uuid.UUID
	operator bool
	has      []string
}

// findHomes lists all tenants but those that are being deleted, whose ledgers may be closed.
func findHomes(ctx context.Context, tx *rls.Tx) ([]home, error) {
	rows, err := tx.Query(ctx, `SELECT t.id, t.kind = 'operator', ARRAY(SELECT r.name FROM tomkit.roles r WHERE r.tenant_id = t.id)
		FROM tomkit.tenants t WHERE NOT EXISTS (SELECT FROM tomkit.erasure_jobs j WHERE j.tenant_id = t.id) ORDER BY t.id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (h home, err error) {
		err = row.Scan(&h.id, &h.operator, &h.has)
		return h, err
	})
}

// spreadRoles gives every tenant the roles of a policy set; reserved ones are the operator's. A role that the set does not list any
// more allows nothing.
func (s *Server) spreadRoles(ctx context.Context, homes []home, roles []abac.Role) error {
	for _, h := range homes {
		var want []abac.Role
		for _, role := range roles {
			if h.operator || !role.Reserved || slices.Contains(h.has, role.Name) {
				want = append(want, role)
			}
		}
		for _, name := range h.has {
			if !slices.ContainsFunc(roles, func(r abac.Role) bool { return r.Name == name }) {
				want = append(want, abac.Role{Name: name})
			}
		}
		if err := s.defineRoles(ctx, h.id, want); err != nil {
			return err
		}
	}
	return nil
}

// versioned is the sign-in's store with the version of the policy set in force in place of the accounts' own, which a minimum version
// could not be compared to. The version is read before the account: a token never carries a newer one than its policies.
type versioned struct {
	authn.Store
	version func() int64
}

// Account implements authn.Accounts.
func (v versioned) Account(ctx context.Context, tenant uuid.UUID, email string) (authn.Account, error) {
	version := v.version()
	a, err := v.Store.Account(ctx, tenant, email)
	a.PolicyVersion = version
	return a, err
}

// Step implements authn.Steps.
func (v versioned) Step(ctx context.Context, tenant uuid.UUID, hash [32]byte) (authn.Step, authn.Account, error) {
	version := v.version()
	step, a, err := v.Store.Step(ctx, tenant, hash)
	a.PolicyVersion = version
	return step, a, err
}

// Session implements authn.Sessions.
func (v versioned) Session(ctx context.Context, tenant, id uuid.UUID, now time.Time, idle time.Duration) (authn.Session, error) {
	version := v.version()
	session, err := v.Store.Session(ctx, tenant, id, now, idle)
	session.PolicyVersion = version
	return session, err
}

// policyVersion is the version of the policy set in force, 0 without one.
func (s *Server) policyVersion() int64 {
	if s.live == nil {
		return 0
	}
	return s.live.Policies().Version
}

func publicKeys(files map[string]string) (abac.Ed25519, error) {
	keys := make(map[string]ed25519.PublicKey)
	for id, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return abac.Ed25519{}, err
		}
		block, rest := pem.Decode(text)
		if block == nil || strings.TrimSpace(string(rest)) != "" {
			return abac.Ed25519{}, fmt.Errorf("key %s: not one PEM block", id)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		key, ok := parsed.(ed25519.PublicKey)
		if err != nil || !ok {
			return abac.Ed25519{}, fmt.Errorf("key %s: not an Ed25519 public key", id)
		}
		keys[id] = key
	}
	return abac.NewEd25519(keys)
}

// policiesFromEnvironment reads TOMKIT_POLICY_FILE, TOMKIT_POLICY_KEYS ("board=/etc/…/board.pem,ciso=…") and TOMKIT_POLICY_QUORUM. What
// cannot be read leaves no key or an impossible quorum, with which the server does not start.
func policiesFromEnvironment(getenv func(string) string) *PolicySet {
	file := getenv("TOMKIT_POLICY_FILE")
	if file == "" {
		return nil
	}
	p := &PolicySet{File: file, Keys: map[string]string{}}
	for entry := range strings.SplitSeq(getenv("TOMKIT_POLICY_KEYS"), ",") {
		if id, path, found := strings.Cut(strings.TrimSpace(entry), "="); found {
			p.Keys[id] = path
		}
	}
	if text := getenv("TOMKIT_POLICY_QUORUM"); text != "" {
		quorum, err := strconv.Atoi(text)
		if err != nil || quorum < 1 {
			quorum = -1
		}
		p.Quorum = quorum
	}
	return p
}

// policies exposes which policy set is in force and whether a newer one was refused.
func (m *metrics) policies(live *abac.Live) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tomkit_policy_version", Help: "Version of the policy set in force."}, func() float64 { return float64(live.State().Version) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tomkit_policy_refused", Help: "1 while the policy set that lies there is refused, else 0."}, func() float64 {
			if live.Ready() != nil {
				return 1
			}
			return 0
		}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "tomkit_policy_failures_total", Help: "Policy sets that were refused, or could not be read."}, func() float64 { return float64(live.State().Failures) }),
	)
}

// roles are those a new tenant gets: of the policy set in force, or the document's.
func (s *Server) roles() []abac.Role {
	if s.live == nil {
		return abac.TOM6Roles()
	}
	return list(s.live.Policies().Roles)
}

func list(catalogue *abac.Roles) (roles []abac.Role) {
	for _, name := range catalogue.Names() {
		role, _ := catalogue.Role(name)
		roles = append(roles, role)
	}
	return roles
}
