package rls

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// minServerVersion is PostgreSQL 15: security_invoker views and the public schema without CREATE for everybody.
const minServerVersion = 150000

// ErrUnsafeLogin is matched by every [ProbeError].
var ErrUnsafeLogin = errors.New("rls: probe: login does not isolate tenants")

// Problem says what is wrong with a login.
type Problem string

// Problems a login is refused for.
const (
	// ProblemVersion is a server older than PostgreSQL 15.
	ProblemVersion Problem = "server too old"
	// ProblemSuperuser is a superuser: no policy binds it, FORCE or not.
	ProblemSuperuser Problem = "superuser"
	// ProblemBypass is the attribute BYPASSRLS.
	ProblemBypass Problem = "bypassrls"
	// ProblemAttribute is CREATEROLE or REPLICATION: the first makes itself members, the second reads the log.
	ProblemAttribute Problem = "dangerous attribute"
	// ProblemName is a login other than the role the policies name.
	ProblemName Problem = "wrong login"
	// ProblemMember is a role the login can switch to.
	ProblemMember Problem = "member of another role"
	// ProblemOwner is a table the login owns: an owner drops its policies.
	ProblemOwner Problem = "owns tables"
)

// ProbeError reports a login that would not isolate tenants.
type ProbeError struct {
	// Login is the role the login was configured for, such as RoleApp.
	Login string
	// Session is the role the server actually let in.
	Session string
	// Problem is what is wrong.
	Problem Problem
	// Detail names the version, attribute, role or table.
	Detail string
	// Fix is the SQL, or the advice, that cures it.
	Fix string
}

// Error names the login, the problem and the fix.
func (e *ProbeError) Error() string {
	s := fmt.Sprintf("rls: probe: login %s (session %s): %s", e.Login, e.Session, e.Problem)
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s + "; fix: " + e.Fix
}

// Is reports whether target is ErrUnsafeLogin.
func (e *ProbeError) Is(target error) bool { return target == ErrUnsafeLogin }

//go:embed probe.sql
var probeSQL string

// probeResult is one row of probe.sql.
type probeResult struct {
	Version             int
	Session, Current    string
	Super, Bypass       bool
	CreateRole, Replica bool
	Roles               []string // roles reachable by SET ROLE
	Owned               []string // relations owned, at most 5
}

func probeLogin(ctx context.Context, conn *pgx.Conn, role string) error {
	rows, err := conn.Query(ctx, probeSQL)
	if err != nil {
		return fmt.Errorf("rls: probe: %s: %w", role, err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[probeResult])
	if err != nil {
		return fmt.Errorf("rls: probe: %s: %w", role, err)
	}
	if p := r.judge(role); p != nil {
		return p
	}
	return nil
}

// judge names the gravest problem first, since curing it usually cures the others.
func (r *probeResult) judge(role string) *ProbeError {
	user := pgx.Identifier{r.Session}.Sanitize()
	refuse := func(p Problem, detail, fix string) *ProbeError {
		return &ProbeError{Login: role, Session: r.Session, Problem: p, Detail: detail, Fix: fix}
	}
	useRole := "connect as " + role + " (`tomkit roles` creates it)"
	switch {
	case r.Version < minServerVersion:
		return refuse(ProblemVersion, fmt.Sprintf("server_version_num %d", r.Version), "upgrade to PostgreSQL 15 or newer")
	case r.Super && r.Session != role:
		return refuse(ProblemSuperuser, "", useRole)
	case r.Super:
		return refuse(ProblemSuperuser, "", "ALTER ROLE "+user+" NOSUPERUSER;")
	case r.Bypass && r.Session != role:
		return refuse(ProblemBypass, "", useRole)
	case r.Bypass:
		return refuse(ProblemBypass, "", "ALTER ROLE "+user+" NOBYPASSRLS;")
	case r.CreateRole || r.Replica:
		return refuse(ProblemAttribute, "CREATEROLE or REPLICATION", "ALTER ROLE "+user+" NOCREATEROLE NOREPLICATION;")
	case len(r.Roles) > 0:
		return refuse(ProblemMember, strings.Join(r.Roles, ", "), revokeAll(r.Roles, user))
	case r.Session != role || r.Current != role:
		return refuse(ProblemName, "current role "+r.Current, useRole)
	case len(r.Owned) > 0:
		return refuse(ProblemOwner, strings.Join(r.Owned, ", "), "REASSIGN OWNED BY "+user+" TO "+RoleOwner+";")
	}
	return nil
}

func revokeAll(roles []string, user string) string {
	quoted := make([]string, len(roles))
	for i, r := range roles {
		quoted[i] = pgx.Identifier{r}.Sanitize()
	}
	return "REVOKE " + strings.Join(quoted, ", ") + " FROM " + user + ";"
}

// ContextRefusedError reports a database that does not accept the contexts this process makes.
type ContextRefusedError struct {
	// KeyID names the key that was tried; empty in the unsigned mode.
	KeyID string
	// Skew is how far the database's clock is ahead of this process's.
	Skew time.Duration
}

// Error says why the database may refuse the context.
func (e *ContextRefusedError) Error() string {
	if e.KeyID == "" {
		return "rls: probe: the database wants signed contexts; fix: set Config.ContextKey, or switch the database with UsePlainContextUnsafe"
	}
	if e.Skew > contextTTL || e.Skew < -contextTTL {
		return fmt.Sprintf("rls: probe: the database refuses contexts: its clock is %s ahead of ours; fix: synchronise the clocks", e.Skew.Round(time.Second))
	}
	return fmt.Sprintf("rls: probe: the database refuses contexts signed with key %q; fix: install it with InstallContextKey, with these bytes, unexpired, and keep the database in the signed mode", e.KeyID)
}

// probeContext sends a context for a random id and expects the id back: whatever is wrong (unknown key, other bytes,
// retired key, clocks, mode), the database would answer every scoped statement with zero rows.
func (db *DB) probeContext(ctx context.Context, conn *pgx.Conn, k kind) error {
	id := uuid.New()
	var have *uuid.UUID
	var at time.Time
	b := &pgx.Batch{}
	b.Queue(setContextSQL, db.sign.context(k, id))
	b.Queue(`SELECT CASE $1 WHEN 'm' THEN tomkit.current_msp() ELSE tomkit.current_tenant() END, clock_timestamp(), tomkit.context_is_plain()`, string(k))
	br := conn.SendBatch(ctx, b)
	defer br.Close()
	_, err := br.Exec()
	var plain bool
	if err == nil {
		err = br.QueryRow().Scan(&have, &at, &plain)
	}
	if err != nil {
		return fmt.Errorf("rls: probe: context: %w (are the migrations applied?)", err)
	}
	if have == nil || *have != id || plain != db.cfg.UnsignedContextUnsafe {
		return &ContextRefusedError{KeyID: db.cfg.ContextKey.ID, Skew: at.Sub(db.cfg.Now())}
	}
	return nil
}
