package pgauthn_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/authntest"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/authn/totp"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

// recorder is a ledger of one table: an event is there if and only if its transaction committed. Like the real one it
// refuses sentences that are not in the catalogue.
type recorder struct{ fail atomic.Bool }

var errRecorder = errors.New("recorder: failing as told")

const recorderTable = `CREATE TABLE tomkit.test_events (
		n bigint GENERATED ALWAYS AS IDENTITY, tenant_id uuid NOT NULL, action text NOT NULL, event jsonb NOT NULL);
	GRANT INSERT ON tomkit.test_events TO tomkit_app`

func (r *recorder) RecordTx(ctx context.Context, tx *rls.Tx, ev record.Event) error {
	if r.fail.Load() {
		return errRecorder
	}
	tenant, _ := tx.Tenant()
	if ev.Tenant != tenant {
		return fmt.Errorf("recorder: event of tenant %s in the scope of %s", ev.Tenant, tenant)
	}
	if ev.Action == "" || ev.EntityType == "" || ev.EntityID == "" {
		return errors.New("recorder: incomplete event")
	}
	if _, err := narrative.Bind(ev.Narrative, func(record.Personal) ([32]byte, error) { return [32]byte{}, nil }); err != nil {
		return err
	}
	if leak := plainAddress(ev); leak {
		return errors.New("recorder: an e-mail address outside record.Personal cannot be erased")
	}
	text, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO tomkit.test_events (tenant_id, action, event) VALUES ($1, $2, $3)`, ev.Tenant, ev.Action, text)
	return err
}

// plainAddress reports whether ev holds an address where it could not be erased.
func plainAddress(v any) bool {
	switch v := v.(type) {
	case record.Event:
		return plainAddress(v.EntityID) || plainAddress(v.Details) || plainAddress(v.Narrative.Args)
	case string:
		return strings.Contains(v, "@")
	case map[string]any:
		for k, e := range v {
			if plainAddress(k) || plainAddress(e) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, plainAddress)
	}
	return false
}

// hasher is a password hasher without work.
type hasher struct{}

func (hasher) Hash(_ context.Context, pw string) (string, error) { return "fake$new$" + pw, nil }

// world is a database with a store.
type world struct {
	*pgauthn.Store
	db     *pgtest.DB
	scopes *rls.DB
	super  *pgxpool.Pool
	rec    *recorder
	ring   *seal.Ring
	cfg    pgauthn.Config
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{db: pgtest.New(t, rls.Migrations(), tenant.Migrations(), pgauthn.Migrations()), rec: &recorder{}}
	w.super = w.db.Superuser(t)
	_, err := w.super.Exec(t.Context(), recorderTable)
	require.NoError(t, err)
	w.scopes = w.db.Open(t)
	w.ring, err = seal.New(seal.Config{Active: seal.Key{Bytes: []byte(strings.Repeat("k", seal.KeySize))}, ReadLegacy: true})
	require.NoError(t, err)
	codes, err := totp.New(totp.Config{})
	require.NoError(t, err)
	w.cfg = pgauthn.Config{DB: w.scopes, Record: w.rec, Seal: w.ring, Passwords: hasher{}, Codes: codes}
	w.Store, err = pgauthn.New(w.cfg)
	require.NoError(t, err)
	return w
}

// The fixture of the conformance suite.

func (w *world) AddTenant(t testing.TB) uuid.UUID {
	return w.db.Tenant(t, "t-"+uuid.NewString()[:8])
}

func (w *world) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	_, err := w.super.Exec(context.Background(), sql, args...)
	require.NoError(t, err)
}

func (w *world) define(t testing.TB, tenant uuid.UUID, role string, policies []string) {
	t.Helper()
	require.NoError(t, w.DefineRole(context.Background(), pgauthn.By{}, tenant, role, policies))
}

func (w *world) AddUser(t testing.TB, tenant uuid.UUID, u authntest.User) uuid.UUID {
	t.Helper()
	w.define(t, tenant, u.Role, u.Policies)
	id, err := w.CreateUser(context.Background(), pgauthn.By{}, tenant, pgauthn.NewUser{Email: u.Email, Role: u.Role})
	require.NoError(t, err)
	if u.PasswordHash != "" {
		w.exec(t, `INSERT INTO tomkit.user_passwords (tenant_id, user_id, hash, changed_at) VALUES ($1, $2, $3, now())`, tenant, id, u.PasswordHash)
	}
	if u.Secret != nil {
		w.exec(t, `INSERT INTO tomkit.user_totp (tenant_id, user_id, secret, created_at) VALUES ($1, $2, $3, now())`, tenant, id, u.Secret(id))
	}
	w.exec(t, `TRUNCATE tomkit.test_events`) // the suite counts from here
	return id
}

// quietly runs an administrative change without leaving an event that the suite would count.
func (w *world) quietly(t testing.TB, tenant uuid.UUID, change func() error) {
	t.Helper()
	var before int64
	require.NoError(t, w.super.QueryRow(context.Background(), `SELECT coalesce(max(n), 0) FROM tomkit.test_events`).Scan(&before))
	require.NoError(t, change())
	w.exec(t, `DELETE FROM tomkit.test_events WHERE n > $1 AND tenant_id = $2 AND event->'Narrative'->>'Template' IN ('permission_changed', 'session_revoked', 'password_reset', 'user_disabled', 'user_enabled', 'mfa_required', 'mfa_not_required', 'role_defined', 'mfa_enabled_by_admin')`, before, tenant)
}

func (w *world) RequireMFA(t testing.TB, tenant uuid.UUID, required bool) {
	w.quietly(t, tenant, func() error { return w.Store.RequireMFA(context.Background(), pgauthn.By{}, tenant, required) })
}

func (w *world) Suspend(t testing.TB, tenant uuid.UUID) {
	w.exec(t, `UPDATE tomkit.tenants SET status = 'suspended' WHERE id = $1`, tenant)
}

func (w *world) Disable(t testing.TB, tenant, user uuid.UUID) {
	w.quietly(t, tenant, func() error { return w.DisableUser(context.Background(), pgauthn.By{}, tenant, user) })
}

func (w *world) SetPasswordHash(t testing.TB, tenant, user uuid.UUID, hash string) {
	if hash == "" {
		w.exec(t, `DELETE FROM tomkit.user_passwords WHERE tenant_id = $1 AND user_id = $2`, tenant, user)
	} else {
		w.exec(t, `UPDATE tomkit.user_passwords SET hash = $3 WHERE tenant_id = $1 AND user_id = $2`, tenant, user, hash)
	}
	w.exec(t, `UPDATE tomkit.users SET version = version + 1 WHERE tenant_id = $1 AND id = $2`, tenant, user)
}

func (w *world) SetRole(t testing.TB, tenant, user uuid.UUID, role string, policies ...string) {
	w.quietly(t, tenant, func() error {
		w.define(t, tenant, role, policies)
		return w.Store.SetRole(context.Background(), pgauthn.By{}, tenant, user, role)
	})
}

func (w *world) Actions(t testing.TB, tenant uuid.UUID) (actions []string) {
	t.Helper()
	err := w.super.QueryRow(context.Background(), `SELECT coalesce(array_agg(action ORDER BY n), '{}') FROM tomkit.test_events WHERE tenant_id = $1`,
		tenant).Scan(&actions)
	require.NoError(t, err)
	if len(actions) == 0 {
		return nil
	}
	return actions
}

func (w *world) FailRecorder(_ testing.TB, fail bool) { w.rec.fail.Store(fail) }

func (w *world) Broken(t testing.TB) authn.Store {
	t.Helper()
	cfg := w.cfg
	cfg.DB = w.db.Open(t)
	cfg.DB.Close()
	s, err := pgauthn.New(cfg)
	require.NoError(t, err)
	return s
}

func TestStore(t *testing.T) {
	w := newWorld(t) // one database: tenants keep the tests apart, or the suite finds out
	authntest.Run(t, func(*testing.T) authntest.Fixture {
		w.rec.fail.Store(false)
		return w
	})
}
