package rlstest

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// draft proposes a row and, per column, what else it might hold.
func (s *seeder) draft(ctx context.Context, t *table, tenant uuid.UUID, d demand, attempt int) (row, map[string][]value, error) {
	r, choices := row{}, map[string][]value{}
	set := func(name string, options ...value) { r[name], choices[name] = options[0], options }
	for name, v := range d.fixed {
		set(name, v)
	}
	if t.tenant != nil {
		set(t.tenant.Name, value{text: tenant.String()})
	}
	if err := s.given(t, tenant, attempt, set); err != nil {
		return nil, nil, err
	}
	if err := s.references(ctx, t, tenant, d, attempt, r, set); err != nil {
		return nil, nil, err
	}
	if p := s.promised[t][tenant]; len(p) > len(s.rows[t][tenant]) {
		for name, v := range p[len(s.rows[t][tenant])] {
			set(name, v)
		}
	}
	conditions := t.conditions()
	for _, c := range t.insertable() {
		if _, done := r[c.Name]; done {
			continue
		}
		options := s.options(t, c, hintsFor(conditions, c.Name))
		if len(options) == 0 {
			return nil, nil, fmt.Errorf("rlstest: seed: %s.%s: no values for type %s; give them in Config.Rows or Config.Values", t, c.Name, c.Type)
		}
		set(c.Name, options...)
	}
	s.selfReferences(t, r)
	return r, choices, nil
}

// given takes what the caller says about the row.
func (s *seeder) given(t *table, tenant uuid.UUID, attempt int, set func(string, ...value)) error {
	for _, c := range t.Columns {
		list := s.cfg.Values[t.String()+"."+c.Name]
		var options []value
		for i := range list {
			v, err := textOf(list[(i+attempt+len(s.rows[t][tenant]))%len(list)])
			if err != nil {
				return fmt.Errorf("rlstest: seed: %s.%s: %w", t, c.Name, err)
			}
			options = append(options, v)
		}
		if len(options) > 0 {
			set(c.Name, options...)
		}
	}
	if s.cfg.Rows == nil {
		return nil
	}
	values, ok := s.cfg.Rows(t.String(), tenant)
	if !ok {
		return nil
	}
	for name, v := range values {
		text, err := textOf(v)
		if err != nil {
			return fmt.Errorf("rlstest: seed: %s.%s: %w", t, name, err)
		}
		if t.column(name) == nil {
			return fmt.Errorf("rlstest: seed: %s: Config.Rows names the unknown column %q", t, name)
		}
		set(name, text)
	}
	return nil
}

// options orders the candidates: the default first where it is as good as any, NULL and the default last elsewhere.
func (s *seeder) options(t *table, c *column, h hints) []value {
	options := s.r.candidates(c, h)
	unique := slices.ContainsFunc(t.Uniques, func(u *unique) bool { return slices.Contains(u.Columns, c.Name) })
	restricted := len(h.texts)+len(h.numbers)+len(h.patterns) > 0
	if c.Identity != "" {
		return []value{{kind: isDefault}}
	}
	if c.Default != "" && (restricted || c.Category != "S") && !unique || isSerial(c) {
		i := slices.Index(options, value{kind: isDefault})
		return slices.Insert(slices.Delete(options, i, i+1), 0, value{kind: isDefault})
	}
	return options
}

func isSerial(c *column) bool { return len(c.Default) > 8 && c.Default[:8] == "nextval(" }

// references fills the columns of foreign keys with keys of rows there are.
func (s *seeder) references(ctx context.Context, t *table, tenant uuid.UUID, d demand, attempt int, r row, set func(string, ...value)) error {
	for _, fk := range t.foreignKeys() {
		key, err := s.parent(ctx, t, fk, tenant, d, attempt, r)
		if err != nil {
			return err
		}
		for i, name := range fk.Columns {
			if _, done := r[name]; done {
				continue
			}
			switch c := t.column(name); {
			case key == nil && !c.NotNull:
				set(name, value{kind: isNull})
			case key == nil: // of this very row, see selfReferences
			case c.NotNull || d.link == fk:
				set(name, key[fk.TargetCols[i]])
			default:
				set(name, key[fk.TargetCols[i]], value{kind: isNull})
			}
		}
	}
	return nil
}

// parent returns the row to refer to, or nil if there is none yet.
func (s *seeder) parent(ctx context.Context, t *table, fk *constraint, tenant uuid.UUID, d demand, attempt int, r row) (row, error) {
	target := fk.target
	if target.tenant == nil || t.tenant == nil {
		return s.shared(ctx, fk, d, r)
	}
	have := slices.DeleteFunc(slices.Clone(s.rows[target][tenant]), func(p row) bool {
		return slices.ContainsFunc(indexes(len(fk.Columns)), func(i int) bool {
			v, set := r[fk.Columns[i]]
			return set && v != p[fk.TargetCols[i]]
		})
	})
	if len(have) > 0 {
		return have[(len(s.rows[t][tenant])+attempt)%len(have)], nil
	}
	if target == t || len(s.rows[target][tenant]) > 0 {
		return nil, nil
	}
	if fk.nullable(t) {
		if !slices.ContainsFunc(s.late, func(l lateLink) bool { return l.fk == fk }) {
			s.late = append(s.late, lateLink{t, fk})
		}
		return nil, nil
	}
	return s.promise(fk, tenant), nil
}

// promise invents the key of a row that the target will get.
func (s *seeder) promise(fk *constraint, tenant uuid.UUID) row {
	key := row{}
	for _, name := range fk.TargetCols {
		c := fk.target.column(name)
		if c == fk.target.tenant {
			key[name] = value{text: tenant.String()}
			continue
		}
		key[name] = s.r.candidates(c, hintsFor(fk.target.conditions(), name))[0]
	}
	if s.promised[fk.target] == nil {
		s.promised[fk.target] = map[uuid.UUID][]row{}
	}
	s.promised[fk.target][tenant] = append(s.promised[fk.target][tenant], key)
	return key
}

// shared returns a row of a table without tenants: the one with the values r has already, or one of those there are.
func (s *seeder) shared(ctx context.Context, fk *constraint, d demand, r row) (row, error) {
	target := fk.target
	fixed := row{}
	for i, name := range fk.Columns {
		if v, ok := r[name]; ok && v.kind == isText {
			fixed[fk.TargetCols[i]] = v
		}
	}
	if s.busy[target] {
		return nil, nil
	}
	s.busy[target] = true
	defer delete(s.busy, target)
	if s.rows[target][uuid.Nil] == nil {
		rows, err := s.query(ctx, target, fmt.Sprintf("SELECT %s FROM %s LIMIT 50", target.asText(), target.sql()))
		if err != nil {
			return nil, err
		}
		s.keep(target, uuid.Nil, rows...)
	}
	fits := func() []row {
		return slices.DeleteFunc(slices.Clone(s.rows[target][uuid.Nil]), func(p row) bool {
			for name, v := range fixed {
				if p[name] != v {
					return true
				}
			}
			return false
		})
	}
	have := fits()
	if len(have) == 0 || len(fixed) == 0 && len(have) <= d.nth {
		if made, err := s.make(ctx, target, uuid.Nil, demand{nth: d.nth, fixed: fixed}); err == nil {
			s.keep(target, uuid.Nil, made)
			return made, nil
		} else if len(have) == 0 {
			return nil, err
		}
	}
	return have[d.nth%len(have)], nil
}

// selfReferences lets a row without a parent of its own table be its own parent, where it needs one.
func (s *seeder) selfReferences(t *table, r row) {
	for _, fk := range t.foreignKeys() {
		for i, name := range fk.Columns {
			if _, done := r[name]; !done && fk.target == t {
				r[name] = r[fk.TargetCols[i]]
			}
		}
	}
}

// link fills a foreign key that closes a cycle, where the conditions let it.
func (s *seeder) link(ctx context.Context, l lateLink) error {
	for tenant, rows := range s.rows[l.table] {
		parents := s.rows[l.fk.target][tenant]
		if len(parents) == 0 {
			continue
		}
		for i, r := range rows {
			set := row{}
			for j, name := range l.fk.Columns {
				if r[name].kind == isNull {
					set[name] = parents[i%len(parents)][l.fk.TargetCols[j]]
				}
			}
			if len(set) == 0 {
				continue
			}
			updated, err := s.query(ctx, l.table, fmt.Sprintf("UPDATE %s SET %s WHERE %s RETURNING %s", l.table.sql(), assignments(l.table, set),
				l.table.match(r), l.table.asText()))
			if stateOf(err) == stateCheck {
				continue
			}
			if err != nil || len(updated) != 1 {
				return fmt.Errorf("rlstest: seed: %s: link by %s: %d rows: %w", l.table, l.fk.Name, len(updated), err)
			}
			rows[i] = updated[0]
		}
	}
	return nil
}
