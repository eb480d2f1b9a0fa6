package rlstest

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

var (
	//go:embed sql/functions.sql
	functionsSQL string
	//go:embed sql/sequences.sql
	sequencesSQL string
)

// function is a definer function the login may call: whatever it does, it does with its owner's rights.
type function struct {
	Schema, Name, Signature string
	Types                   []string
}

// functions calls each definer function with the foreign tenant's values in the own scope and without any. Nothing foreign
// may come back or change.
func (s *suite) functions(ctx context.Context) error {
	rows, err := s.super.Query(ctx, functionsSQL, s.login, s.cfg.Schemas)
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[function])
	if err != nil {
		return err
	}
	for _, f := range all {
		if reason, ok := s.skipped(f.Signature); ok {
			s.report.Skipped[f.Signature] = reason
			continue
		}
		for _, where := range []string{ctxNone, ctxForeign} {
			for i, st := range s.calls(f) {
				if err := s.call(ctx, f, fmt.Sprintf("call %d %s shows and changes nothing foreign", i+1, where), where, st); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *suite) call(ctx context.Context, f function, name, where string, st statement) error {
	set, _ := s.setter(where)
	keeps := s.own
	if where == ctxNone {
		keeps = uuid.Nil
	}
	look, changed := s.look(ctx, nil, keeps)
	o, err := s.asSuperuser(ctx, s.login, set, st, look)
	if err != nil {
		return err
	}
	fault := ""
	if w := s.foreigns.in(o.text, st.sql); w != "" {
		fault = fmt.Sprintf("shows the foreign value %q\n%s", w, st.sql)
	} else if *changed != "" {
		fault = fmt.Sprintf("changes rows that are not the tenant's: %s\n%s", *changed, st.sql)
	}
	s.report.add(Matrix, f.Signature, name, fault)
	return nil
}

// maxCalls bounds the calls per function; each takes its arguments from another foreign row.
const maxCalls = 3

// calls writes calls with values of the foreign tenant.
func (s *suite) calls(f function) (all []statement) {
	for n := range maxCalls {
		args := make([]string, len(f.Types))
		for i, typ := range f.Types {
			args[i] = s.foreignValue(typ, n).sql(typ)
		}
		all = append(all, statement{sql: fmt.Sprintf("SELECT * FROM %s(%s)", pgx.Identifier{f.Schema, f.Name}.Sanitize(), strings.Join(args, ", "))})
		if len(f.Types) == 0 {
			break
		}
	}
	return all
}

// foreignValue is the foreign tenant's id or another of its values of that type.
func (s *suite) foreignValue(typ string, n int) value {
	if typ == "uuid" && n == 0 {
		return value{text: s.foreign.String()}
	}
	for _, t := range s.tables {
		for _, c := range t.Columns {
			rows := s.rows[t][s.foreign]
			if c.Type != typ || c == t.tenant || len(rows) == 0 {
				continue
			}
			if v := rows[n%len(rows)][c.Name]; v.kind == isText {
				return v
			}
		}
	}
	return value{kind: isNull}
}

// sequences reads and sets the counters behind keys, which count everybody's rows.
func (s *suite) sequences(ctx context.Context) error {
	rows, err := s.super.Query(ctx, sequencesSQL, s.cfg.Schemas)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if reason, ok := s.skipped(name); ok {
			s.report.Skipped[name] = reason
			continue
		}
		for verb, sql := range map[string]string{
			"read":   "SELECT last_value FROM " + name,
			"setval": "SELECT setval(" + literal(name) + ", 1)",
		} {
			o, err := asLogin(ctx, s.app, s.as(s.own), statement{sql: sql})
			if err != nil {
				return err
			}
			fault := ""
			if o.state() != stateDenied {
				fault = fmt.Sprintf("got %s instead of %s\n%s", o, stateDenied, sql)
			}
			s.report.add(Matrix, name, verb+" own is refused", fault)
		}
	}
	return nil
}
