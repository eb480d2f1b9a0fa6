package authntest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/ledger/record"
)

// ErrRecorder is what a [Memory] answers while its recorder is set to fail.
var ErrRecorder = errors.New("authntest: recorder: failing as told")

// ErrDown is what a [Memory] answers while it is set to be down.
var ErrDown = errors.New("authntest: store: down as told")

// Memory is an [authn.Store] in memory, and the [Fixture] that goes with it. It is safe for concurrent use and loses
// everything with the process. Use [NewMemory].
type Memory struct {
	mu           sync.Mutex
	down         bool
	failRecorder bool
	tenants      map[uuid.UUID]*memTenant
}

type memTenant struct {
	suspended  bool
	mfaFree    bool // negated, so that the zero value requires a second factor
	users      map[uuid.UUID]*memUser
	steps      map[[32]byte]*authn.Step
	sessions   map[uuid.UUID]*memSession
	counters   map[authn.CounterKey]authn.Counter
	events     []record.Event
	userByMail map[string]uuid.UUID
}

type memUser struct {
	account authn.Account
	totp    *authn.TOTPFactor
}

type memSession struct {
	authn.Session
	ended bool
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{tenants: make(map[uuid.UUID]*memTenant)} }

// enter locks the store and finds the tenant; an unknown one is empty.
func (m *Memory) enter(ctx context.Context, tenant uuid.UUID) (*memTenant, func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	m.mu.Lock()
	if m.down {
		m.mu.Unlock()
		return nil, nil, ErrDown
	}
	t := m.tenants[tenant]
	if t == nil {
		t = &memTenant{}
	}
	return t, m.mu.Unlock, nil
}

// record keeps events. It is called last before a change, so that nothing changes if it fails.
func (m *Memory) record(t *memTenant, events []record.Event) error {
	if m.failRecorder && len(events) > 0 {
		return ErrRecorder
	}
	t.events = append(t.events, events...)
	return nil
}

// view is the account as the sign-in sees it now.
func (t *memTenant) view(u *memUser) authn.Account {
	a := u.account
	a.Suspended, a.MFARequired, a.HasTOTP = t.suspended, !t.mfaFree, u.totp != nil
	a.Policies = slices.Clone(a.Policies)
	return a
}

// Account implements [authn.Accounts].
func (m *Memory) Account(ctx context.Context, tenant uuid.UUID, email string) (authn.Account, error) {
	t, leave, err := m.enter(ctx, tenant)
	if err != nil {
		return authn.Account{}, err
	}
	defer leave()
	u := t.users[t.userByMail[email]]
	if u == nil {
		return authn.Account{}, authn.ErrNotFound
	}
	return t.view(u), nil
}

// Rehash implements [authn.Accounts].
func (m *Memory) Rehash(ctx context.Context, tenant, user uuid.UUID, old, new string, events ...record.Event) error {
	t, leave, err := m.enter(ctx, tenant)
	if err != nil {
		return err
	}
	defer leave()
	u := t.users[user]
	if u == nil || u.account.PasswordHash != old {
		return authn.ErrConflict
	}
	if err := m.record(t, events); err != nil {
		return err
	}
	u.account.PasswordHash = new
	return nil
}

// Note implements [authn.Accounts].
func (m *Memory) Note(ctx context.Context, tenant uuid.UUID, events ...record.Event) error {
	t, leave, err := m.enter(ctx, tenant)
	if err != nil {
		return err
	}
	defer leave()
	return m.record(t, events)
}

// CreateStep implements [authn.Steps].
func (m *Memory) CreateStep(ctx context.Context, s authn.Step, events ...record.Event) error {
	t, leave, err := m.enter(ctx, s.Tenant)
	if err != nil {
		return err
	}
	defer leave()
	if t.users[s.User] == nil || t.steps[s.Hash] != nil {
		return authn.ErrConflict
	}
	if err := m.record(t, events); err != nil {
		return err
	}
	t.steps[s.Hash] = &s
	return nil
}

// Step implements [authn.Steps].
func (m *Memory) Step(ctx context.Context, tenant uuid.UUID, hash [32]byte) (authn.Step, authn.Account, error) {
	t, leave, err := m.enter(ctx, tenant)
	if err != nil {
		return authn.Step{}, authn.Account{}, err
	}
	defer leave()
	s := t.steps[hash]
	if s == nil {
		return authn.Step{}, authn.Account{}, authn.ErrNotFound
	}
	return *s, t.view(t.users[s.User]), nil
}

// live finds an unconsumed and unexpired step token.
func (t *memTenant) live(hash [32]byte, now time.Time) *authn.Step {
	s := t.steps[hash]
	if s == nil || !s.ConsumedAt.IsZero() || !now.Before(s.ExpiresAt) {
		return nil
	}
	return s
}

// SpendAttempt implements [authn.Steps].
func (m *Memory) SpendAttempt(ctx context.Context, tenant uuid.UUID, hash [32]byte, now time.Time) (int, error) {
	t, leave, err := m.enter(ctx, tenant)
	if err != nil {
		return 0, err
	}
	defer leave()
	s := t.live(hash, now)
	if s == nil || s.Attempts == 0 {
		return 0, authn.ErrConflict
	}
	s.Attempts--
	return s.Attempts, nil
}

// TOTP implements [authn.Factors].
func (m *Memory) TOTP(ctx context.Context, tenant, user uuid.UUID) (authn.TOTPFactor, error) {
	t, leave, err := m.enter(ctx, tenant)
	if err != nil {
		return authn.TOTPFactor{}, err
	}
	defer leave()
	u := t.users[user]
	if u == nil || u.totp == nil {
		return authn.TOTPFactor{}, authn.ErrNotFound
	}
	return *u.totp, nil
}

// OfferSecret implements [authn.Factors].
func (m *Memory) OfferSecret(ctx context.Context, tenant uuid.UUID, hash [32]byte, sealed string, now time.Time) (string, error) {
	t, leave, err := m.enter(ctx, tenant)
	if err != nil {
		return "", err
	}
	defer leave()
	s := t.live(hash, now)
	if s == nil {
		return "", authn.ErrConflict
	}
	if s.Offered == "" {
		s.Offered = sealed
	}
	return s.Offered, nil
}

// Count implements [authn.Counters].
func (m *Memory) Count(ctx context.Context, tenant uuid.UUID, keys []authn.CounterKey, fn func([]authn.Counter) error) error {
	t, leave, err := m.enter(ctx, tenant)
	if err != nil {
		return err
	}
	defer leave()
	c := make([]authn.Counter, len(keys))
	for i, k := range keys {
		c[i] = t.counters[k]
	}
	if err := fn(c); err != nil {
		return err
	}
	for i, k := range keys {
		t.counters[k] = c[i]
	}
	return nil
}
