package authntest

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn"
)

// Fixture is a store under test and what the suite needs to set its scene. A new tenant is active and requires a second
// factor.
type Fixture interface {
	authn.Store
	// AddTenant makes an active tenant.
	AddTenant(t testing.TB) uuid.UUID
	// AddUser makes an enabled user in tenant and returns the id.
	AddUser(t testing.TB, tenant uuid.UUID, u User) uuid.UUID
	// RequireMFA says whether the tenant demands a second factor.
	RequireMFA(t testing.TB, tenant uuid.UUID, required bool)
	// Suspend makes the tenant inactive.
	Suspend(t testing.TB, tenant uuid.UUID)
	// Disable disables the user.
	Disable(t testing.TB, tenant, user uuid.UUID)
	// SetPasswordHash replaces the user's hash, as a change of the password does.
	SetPasswordHash(t testing.TB, tenant, user uuid.UUID, hash string)
	// SetRole gives the user another role, with these policies.
	SetRole(t testing.TB, tenant, user uuid.UUID, role string, policies ...string)
	// Actions returns the actions of the events recorded in the tenant, in order.
	Actions(t testing.TB, tenant uuid.UUID) []string
	// FailRecorder makes recording fail, or work again.
	FailRecorder(t testing.TB, fail bool)
	// Broken returns a store of the same kind whose every call fails.
	Broken(t testing.TB) authn.Store
}

// User is a user to be made.
type User struct {
	// Email is normalised.
	Email string
	// PasswordHash is stored as it is; empty means no password.
	PasswordHash string
	// Secret seals the user's TOTP secret; nil means no factor. The fixture calls it with the new user's id.
	Secret func(user uuid.UUID) string
	// Role and Policies are the user's role and what it grants.
	Role     string
	Policies []string
}

// AddTenant implements [Fixture].
func (m *Memory) AddTenant(testing.TB) uuid.UUID {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := uuid.New()
	m.tenants[id] = &memTenant{
		users: make(map[uuid.UUID]*memUser), steps: make(map[[32]byte]*authn.Step), sessions: make(map[uuid.UUID]*memSession),
		counters: make(map[authn.CounterKey]authn.Counter), userByMail: make(map[string]uuid.UUID),
	}
	return id
}

// AddUser implements [Fixture].
func (m *Memory) AddUser(_ testing.TB, tenant uuid.UUID, u User) uuid.UUID {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, id := m.tenants[tenant], uuid.New()
	mu := &memUser{account: authn.Account{
		Tenant: tenant, User: id, Email: u.Email, PasswordHash: u.PasswordHash, Version: 1,
		Role: u.Role, Policies: slices.Sorted(slices.Values(u.Policies)), PolicyVersion: 1,
	}}
	if u.Secret != nil {
		mu.totp = &authn.TOTPFactor{Sealed: u.Secret(id), LastStep: -1}
	}
	t.users[id], t.userByMail[u.Email] = mu, id
	return id
}

// RequireMFA implements [Fixture].
func (m *Memory) RequireMFA(_ testing.TB, tenant uuid.UUID, required bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tenants[tenant].mfaFree = !required
}

// Suspend implements [Fixture].
func (m *Memory) Suspend(_ testing.TB, tenant uuid.UUID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tenants[tenant].suspended = true
}

// change alters an account and its version.
func (m *Memory) change(tenant, user uuid.UUID, fn func(*authn.Account)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := &m.tenants[tenant].users[user].account
	fn(a)
	a.Version++
}

// Disable implements [Fixture].
func (m *Memory) Disable(_ testing.TB, tenant, user uuid.UUID) {
	m.change(tenant, user, func(a *authn.Account) { a.Disabled = true })
}

// SetPasswordHash implements [Fixture].
func (m *Memory) SetPasswordHash(_ testing.TB, tenant, user uuid.UUID, hash string) {
	m.change(tenant, user, func(a *authn.Account) { a.PasswordHash = hash })
}

// SetRole implements [Fixture].
func (m *Memory) SetRole(_ testing.TB, tenant, user uuid.UUID, role string, policies ...string) {
	m.change(tenant, user, func(a *authn.Account) {
		a.Role, a.Policies = role, slices.Sorted(slices.Values(policies))
		a.PolicyVersion++
	})
}

// Actions implements [Fixture].
func (m *Memory) Actions(_ testing.TB, tenant uuid.UUID) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var actions []string
	for _, ev := range m.tenants[tenant].events {
		actions = append(actions, ev.Action)
	}
	return actions
}

// FailRecorder implements [Fixture].
func (m *Memory) FailRecorder(_ testing.TB, fail bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failRecorder = fail
}

// Broken implements [Fixture].
func (m *Memory) Broken(testing.TB) authn.Store {
	return &Memory{down: true}
}
