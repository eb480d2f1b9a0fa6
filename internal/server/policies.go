package server

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pioneerdesk/tomkit/abac"
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

// errMinVersion: this server's tokens carry a version of each account's own, which changes with the account's role; a version of the
// policy set is not comparable to it.
var errMinVersion = errors.New("a minimum version cannot be kept here: tokens carry the version of their account")

// policies keeps the policy set in force: its constraints bind every route, its roles are those that new tenants get. Nil without one.
func (c Config) policies(ctx context.Context, universe *abac.Universe, m *metrics) (*abac.Live, error) {
	if c.Policies == nil {
		return nil, nil
	}
	verifier, err := publicKeys(c.Policies.Keys)
	if err != nil {
		return nil, fmt.Errorf("%w: policy set: %w", ErrConfig, err)
	}
	live, err := abac.NewLive(ctx, abac.LiveConfig{
		Universe: universe, Verifier: verifier, Quorum: c.Policies.Quorum, Source: abac.PolicyFile(c.Policies.File), Interval: c.Policies.Every,
		OnChange: func(p *abac.Policies) error {
			if p.MinVersion > 0 {
				return errMinVersion
			}
			c.Log.Info("policy set in force", "version", p.Version, "digest", fmt.Sprintf("%x", p.Digest))
			return nil
		},
		OnAlarm: func(err error) {
			c.Log.Error("policy set refused; the one before stays in force", slog.Any("error", err))
		},
		Now: c.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: policy set: %w", ErrConfig, err)
	}
	m.policies(live)
	return live, nil
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
	catalogue := s.live.Policies().Roles
	var roles []abac.Role
	for _, name := range catalogue.Names() {
		role, _ := catalogue.Role(name)
		roles = append(roles, role)
	}
	return roles
}
