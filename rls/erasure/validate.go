package erasure

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// comparison is the instant from which periods of the register are compared with each other.
var comparison = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

var (
	idForm     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	reasonForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)
)

// Validate checks what can be checked without a database. Errors wrap [ErrInvalid].
func (r *Register) Validate() error {
	ids, tables := map[string]bool{}, map[string]bool{}
	once := func(seen map[string]bool, name string) error {
		if seen[name] {
			return fmt.Errorf("%w: register: %q is there twice", ErrInvalid, name)
		}
		seen[name] = true
		return nil
	}
	for _, e := range append(own(), r.Exempt...) {
		if e.Why.empty() {
			return fmt.Errorf("%w: register: exemption of %q without a reason in both languages", ErrInvalid, e.Table)
		}
		if err := once(tables, e.Table); err != nil {
			return err
		}
	}
	for i := range r.Categories {
		c := &r.Categories[i]
		if err := errors.Join(c.validate(), once(ids, c.ID)); err != nil {
			return err
		}
		for j := range c.Tables {
			if err := errors.Join(c.Tables[j].validate(), once(tables, c.Tables[j].Name)); err != nil {
				return fmt.Errorf("category %s: %w", c.ID, err)
			}
		}
	}
	return nil
}

func (c *Category) validate() error {
	if !idForm.MatchString(c.ID) {
		return fmt.Errorf("%w: register: category id %q", ErrInvalid, c.ID)
	}
	for _, t := range []Text{c.Name, c.Purpose, c.Basis, c.Subjects, c.Recipients} {
		if t.empty() {
			return fmt.Errorf("%w: register: category %s: name, purpose, basis, subjects and recipients are needed in both languages", ErrInvalid, c.ID)
		}
	}
	ret := c.Retention
	for _, p := range []Period{ret.Period, ret.Min, ret.Max} {
		if err := p.check(); err != nil {
			return fmt.Errorf("category %s: %w", c.ID, err)
		}
	}
	if ret.Period.Zero() {
		if ret.Note.empty() || !ret.Min.Zero() || !ret.Max.Zero() {
			return fmt.Errorf("%w: register: category %s: no period needs a note, and has no bounds", ErrInvalid, c.ID)
		}
		return nil
	}
	if !ret.within(ret.Period, comparison) {
		return fmt.Errorf("%w: register: category %s: the period is outside its own bounds", ErrInvalid, c.ID)
	}
	return nil
}

func (r Retention) within(p Period, now time.Time) bool {
	return (r.Min.Zero() || !r.Min.longer(p, now)) && (r.Max.Zero() || !p.longer(r.Max, now))
}

func (t *Table) validate() error {
	bad := func(what string) error { return fmt.Errorf("%w: register: table %q: %s", ErrInvalid, t.Name, what) }
	for _, c := range t.Where {
		switch c.Test {
		case IsNull, NotNull:
			if len(c.Values) != 0 {
				return bad("condition with values it does not compare")
			}
		case OneOf, NoneOf:
			if len(c.Values) == 0 {
				return bad("condition without values")
			}
		default:
			return bad("unknown test")
		}
	}
	if t.Time == "" && (len(t.Where) > 0 || t.Anonymise != nil) {
		return bad("conditions or replacements without a time column")
	}
	if t.Anonymise != nil && len(markers(t.Anonymise)) == 0 {
		return bad("anonymising needs a NULL or a fixed text, by which a row is known to be done")
	}
	for _, p := range t.People {
		if err := p.validate(); err != "" {
			return bad(err)
		}
	}
	return nil
}

func (p *Person) validate() string {
	switch p.Erase {
	case Delete, Cascade:
		if p.Replace != nil {
			return "replacements for rows that are deleted"
		}
	case Anonymise:
	case Keep:
		if p.Why.empty() || p.Replace != nil {
			return "keeping a person's rows needs a reason in both languages, and no replacements"
		}
	default:
		return "unknown action for a person's rows"
	}
	return ""
}
