package pgauthn

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// checks is a batch whose every statement must hit exactly one row.
type checks struct {
	batch pgx.Batch
	wants []error
}

// want queues a statement and what to answer if it does not hit one row.
func (c *checks) want(err error, sql string, args ...any) {
	c.batch.Queue(sql, args...)
	c.wants = append(c.wants, err)
}

// run sends the batch in one round trip. The first objection wins; the caller's transaction must then roll back.
func (c *checks) run(ctx context.Context, tx *rls.Tx) error {
	results := tx.SendBatch(ctx, &c.batch)
	for _, want := range c.wants {
		tag, err := results.Exec()
		if err := one(tag.RowsAffected(), err, want); err != nil {
			_ = results.Close()
			return err
		}
	}
	return results.Close()
}

// Grant implements [authn.Sessions].
func (s *Store) Grant(ctx context.Context, g authn.Grant, events ...record.Event) error {
	err := s.in(ctx, g.Session.Tenant, func(ctx context.Context, tx *rls.Tx) error {
		var c checks
		if err := c.grant(g); err != nil {
			return err
		}
		if err := c.run(ctx, tx); err != nil {
			return err
		}
		if g.Settle != (authn.CounterKey{}) {
			// Not among the checks: there need not be a row.
			if _, err := tx.Exec(ctx, `DELETE FROM tomkit.sign_in_failures WHERE tenant_id = $1 AND key = $2`,
				g.Session.Tenant, g.Settle[:]); err != nil {
				return err
			}
		}
		return s.record(ctx, tx, events...)
	})
	return conflict("grant", err)
}

// grant queues the conditions and changes of g, the row everybody competes for first. The user's row stays locked until
// the commit, so that nobody is disabled between the check and the session.
func (c *checks) grant(g authn.Grant) error {
	tenant, user := g.Session.Tenant, g.Session.User
	if g.Purpose != "" {
		c.want(authn.ErrConflict, `UPDATE tomkit.step_tokens SET consumed_at = $5
			WHERE tenant_id = $1 AND token_hash = $2 AND user_id = $3 AND purpose = $4 AND consumed_at IS NULL AND expires_at > $5`,
			tenant, g.Step[:], user, g.Purpose, g.Now)
	}
	c.want(authn.ErrConflict, `SELECT FROM tomkit.users
		WHERE tenant_id = $1 AND id = $2 AND version = $3 AND disabled_at IS NULL AND (SELECT tomkit.tenant_active())
		FOR NO KEY UPDATE`, tenant, user, g.Version)
	switch g.Purpose {
	case authn.PurposeTOTP:
		c.want(authn.ErrConflict, `SELECT FROM tomkit.user_totp WHERE tenant_id = $1 AND user_id = $2 FOR NO KEY UPDATE`, tenant, user)
		c.want(authn.ErrCode, `UPDATE tomkit.user_totp SET last_step = $3
			WHERE tenant_id = $1 AND user_id = $2 AND last_step < $3`, tenant, user, g.TOTPStep)
	case authn.PurposeEnrolTOTP:
		c.want(authn.ErrConflict, `INSERT INTO tomkit.user_totp (tenant_id, user_id, secret, last_step, created_at)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, tenant, user, g.Sealed, g.TOTPStep, g.Now)
		c.want(authn.ErrConflict, `UPDATE tomkit.users SET version = version + 1 WHERE tenant_id = $1 AND id = $2`, tenant, user)
	case "":
		c.want(authn.ErrConflict, `SELECT FROM tomkit.tenant_auth WHERE tenant_id = $1 AND NOT mfa_required FOR SHARE`, tenant)
		c.want(authn.ErrConflict, `SELECT WHERE NOT EXISTS (SELECT FROM tomkit.user_totp WHERE tenant_id = $1 AND user_id = $2)`, tenant, user)
	default:
		return authn.ErrConflict
	}
	s := g.Session
	c.want(authn.ErrConflict, `INSERT INTO tomkit.sessions (tenant_id, id, user_id, amr, auth_time, binding, idle_at, ends_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		tenant, s.ID, user, s.AMR, s.AuthTime, s.Binding[:], s.IdleAt, s.EndsAt, g.Now)
	return nil
}

// alive is the condition of a live session s of user u at $3.
const alive = `s.ended_at IS NULL AND s.idle_at > $3 AND s.ends_at > $3 AND u.disabled_at IS NULL AND (SELECT tomkit.tenant_active())`

const sessionColumns = `s.user_id, u.email, r.name, u.policy_version, s.amr, s.auth_time, s.binding, s.idle_at, s.ends_at, ` + policiesOfUser

// Session implements [authn.Sessions].
func (s *Store) Session(ctx context.Context, tenant, id uuid.UUID, now time.Time, idle time.Duration) (authn.Session, error) {
	query := `SELECT ` + sessionColumns + ` FROM tomkit.sessions s
		JOIN tomkit.users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
		JOIN tomkit.roles r ON r.tenant_id = u.tenant_id AND r.id = u.role_id
		WHERE s.tenant_id = $1 AND s.id = $2 AND ` + alive
	args := []any{tenant, id, now}
	if idle > 0 {
		query = `UPDATE tomkit.sessions s SET idle_at = least($4, s.ends_at)
			FROM tomkit.users u JOIN tomkit.roles r ON r.tenant_id = u.tenant_id AND r.id = u.role_id
			WHERE s.tenant_id = $1 AND s.id = $2 AND u.tenant_id = s.tenant_id AND u.id = s.user_id AND ` + alive + ` RETURNING ` + sessionColumns
		args = append(args, now.Add(idle))
	}
	out := authn.Session{ID: id, Tenant: tenant}
	var binding []byte
	err := s.cfg.DB.Tenant(tenant).QueryRow(ctx, query, args...).Scan(&out.User, &out.Email, &out.Role, &out.PolicyVersion,
		&out.AMR, &out.AuthTime, &binding, &out.IdleAt, &out.EndsAt, &out.Policies)
	if err != nil {
		return authn.Session{}, found("session", err)
	}
	copy(out.Binding[:], binding)
	out.AuthTime, out.IdleAt, out.EndsAt = out.AuthTime.UTC(), out.IdleAt.UTC(), out.EndsAt.UTC()
	return out, nil
}

// EndSession implements [authn.Sessions].
func (s *Store) EndSession(ctx context.Context, tenant, user, id uuid.UUID, now time.Time, events ...record.Event) error {
	err := s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE tomkit.sessions SET ended_at = $4
			WHERE tenant_id = $1 AND user_id = $2 AND id = $3
			AND ended_at IS NULL AND idle_at > $4 AND ends_at > $4`, tenant, user, id, now)
		if err := one(tag.RowsAffected(), err, authn.ErrConflict); err != nil {
			return err
		}
		return s.record(ctx, tx, events...)
	})
	return conflict("end session", err)
}

// revokedSQL is the question of every request; a row is a live session.
const revokedSQL = `SELECT true FROM tomkit.sessions s JOIN tomkit.users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
	WHERE s.tenant_id = $1 AND s.id = $2 AND ` + alive

// Revoked implements [authn.Sessions]. It takes one round trip.
func (s *Store) Revoked(ctx context.Context, tenant, id uuid.UUID, now time.Time) (bool, error) {
	var live bool
	err := s.cfg.DB.Tenant(tenant).QueryRow(ctx, revokedSQL, tenant, id, now).Scan(&live)
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return true, wrap("revoked", err)
	}
	return !live, nil
}
