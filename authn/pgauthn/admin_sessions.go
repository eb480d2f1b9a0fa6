package pgauthn

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// SessionInfo is a live session in a list.
type SessionInfo struct {
	ID                       uuid.UUID
	AMR                      []string // how the user authenticated, RFC 8176
	AuthTime, IdleAt, EndsAt time.Time
}

// ListSessions returns the user's live sessions, the latest first.
func (s *Store) ListSessions(ctx context.Context, tenant, user uuid.UUID) ([]SessionInfo, error) {
	rows, err := s.cfg.DB.Tenant(tenant).Query(ctx, `SELECT s.id, s.amr, s.auth_time, s.idle_at, s.ends_at
		FROM tomkit.sessions s JOIN tomkit.users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
		WHERE s.tenant_id = $1 AND s.user_id = $2 AND `+alive+` ORDER BY s.auth_time DESC, s.id`, tenant, user, s.now())
	if err != nil {
		return nil, wrap("list sessions", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (i SessionInfo, err error) {
		err = row.Scan(&i.ID, &i.AMR, &i.AuthTime, &i.IdleAt, &i.EndsAt)
		i.AuthTime, i.IdleAt, i.EndsAt = i.AuthTime.UTC(), i.IdleAt.UTC(), i.EndsAt.UTC()
		return i, err
	})
	if err != nil {
		return nil, wrap("list sessions", err)
	}
	return all, nil
}

// RevokeSession ends a session of any user of the tenant. [ErrSession] if there is none, or it was ended before.
func (s *Store) RevokeSession(ctx context.Context, by By, tenant, session uuid.UUID) error {
	return s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error { return s.RevokeSessionTx(ctx, tx, by, session) })
}

// RevokeSessionTx is RevokeSession in the tenant of tx.
func (s *Store) RevokeSessionTx(ctx context.Context, tx *rls.Tx, by By, session uuid.UUID) error {
	tenant, err := tenantOf(tx)
	if err != nil {
		return err
	}
	p, now := person{tenant: tenant}, s.now()
	err = tx.QueryRow(ctx, `UPDATE tomkit.sessions s SET ended_at = $3 FROM tomkit.users u
		WHERE s.tenant_id = $1 AND s.id = $2 AND s.ended_at IS NULL AND u.tenant_id = s.tenant_id AND u.id = s.user_id
		RETURNING u.id, u.email`, tenant, session, now).Scan(&p.id, &p.email)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrSession
	}
	if err != nil {
		return wrap("revoke session", err)
	}
	ev := p.ended(by, "session_revoked", "einzelne Sitzung beendet", now)
	ev.Details["session"] = session.String()
	return s.record(ctx, tx, ev)
}

// RevokeSessions ends all sessions and pending sign-ins of a user.
func (s *Store) RevokeSessions(ctx context.Context, by By, tenant, user uuid.UUID) error {
	return s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error { return s.RevokeSessionsTx(ctx, tx, by, user) })
}

// RevokeSessionsTx is RevokeSessions in the tenant of tx.
func (s *Store) RevokeSessionsTx(ctx context.Context, tx *rls.Tx, by By, user uuid.UUID) error {
	p, err := take(ctx, tx, user)
	if err != nil {
		return err
	}
	now := s.now()
	if err := p.endAll(ctx, tx, now); err != nil {
		return wrap("revoke sessions", err)
	}
	return s.record(ctx, tx, p.ended(by, "session_revoked", "alle Sitzungen beendet", now))
}
