package rlstest

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// msp checks tomkit's MSP login: it sees the rows of its tenants, and writes nothing.
func (s *suite) msp(ctx context.Context) error {
	if s.cfg.MSPURL == "" || s.signed == nil {
		return nil
	}
	var id uuid.UUID
	if err := s.super.QueryRow(ctx, "SELECT msp_id FROM tomkit.tenants WHERE id = $1", s.own).Scan(&id); err != nil {
		return fmt.Errorf("msp: %w", err)
	}
	var text string
	if err := s.scopes.MSP(id).QueryRow(ctx, "SELECT pg_catalog.current_setting('app.tenant_id')").Scan(&text); err != nil {
		return err
	}
	set := func(ctx context.Context, tx pgx.Tx) error { return setTenant(ctx, tx, text) }
	seen := "IN (SELECT id FROM tomkit.tenants WHERE msp_id = " + literal(id.String()) + ")"
	return s.otherLogin(ctx, s.cfg.MSPURL, "MSP", set, seen, false)
}

// system checks tomkit's system login: everything with the bypass on, nothing without.
func (s *suite) system(ctx context.Context) error {
	if s.cfg.SystemURL == "" || s.signed == nil {
		return nil
	}
	bypass := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SELECT pg_catalog.set_config('app.bypass_rls', 'on', true)")
		return err
	}
	if err := s.otherLogin(ctx, s.cfg.SystemURL, "system with the bypass", bypass, "IS NOT NULL", true); err != nil {
		return err
	}
	return s.otherLogin(ctx, s.cfg.SystemURL, "system without the bypass", noContext, "IS NULL", true)
}

// otherLogin checks what another login sees of each table, and that it writes nothing unless it may.
func (s *suite) otherLogin(ctx context.Context, url, who string, set func(context.Context, pgx.Tx) error, seen string, writes bool) error {
	conn, err := connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect as %s: %w", who, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var login string
	if err := conn.QueryRow(ctx, "SELECT session_user").Scan(&login); err != nil {
		return err
	}
	cat, err := loadCatalog(ctx, s.super, s.cfg, login)
	if err != nil {
		return err
	}
	for _, mine := range s.tables {
		t := cat.byOID[mine.OID]
		if t == nil || t.isView() {
			continue
		}
		if err := s.otherLoginTable(ctx, conn, set, t, who, seen, writes); err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) otherLoginTable(ctx context.Context, conn *pgx.Conn, set func(context.Context, pgx.Tx) error, t *table, who, seen string, writes bool) error {
	n, err := s.count(ctx, t, quote(t.tenant.Name)+" "+seen)
	if err != nil {
		return err
	}
	cols := t.readable()
	w := denied(len(cols) > 0, want{rows: n})
	if len(cols) == 0 {
		cols = t.Columns
	}
	touched := quote(t.tenant.Name)
	statements := []struct {
		verb, sql string
		want      want
	}{
		{"SELECT", fmt.Sprintf("SELECT %s FROM %s", quoteAll(columnNames(cols)), t.sql()), w},
		{"TRUNCATE", "TRUNCATE " + t.sql(), want{state: stateDenied}},
	}
	if !writes {
		insert := insertSQL(t, s.rows[s.cat.byOID[t.OID]][s.own][0], nil)
		statements = append(statements, []struct {
			verb, sql string
			want      want
		}{
			{"INSERT", insert, want{state: stateDenied}},
			{"UPDATE", fmt.Sprintf("UPDATE %s SET %s = %[2]s", t.sql(), touched), want{state: stateDenied}},
			{"DELETE", "DELETE FROM " + t.sql(), want{state: stateDenied}},
		}...)
	}
	for _, st := range statements {
		full := t.String() + " " + st.verb + " as " + who
		if reason, ok := s.skipped(full); ok {
			s.report.Skipped[full] = reason
			continue
		}
		o, err := asLogin(ctx, conn, set, statement{sql: st.sql})
		if err != nil {
			return err
		}
		fault := ""
		if o.state() != st.want.state || st.want.state == "" && o.rows != st.want.rows {
			fault = fmt.Sprintf("got %s instead of %s\n%s", o, st.want, st.sql)
		}
		s.report.add(Matrix, t.String(), st.verb+" as "+who+" "+st.want.String(), fault)
	}
	return nil
}
