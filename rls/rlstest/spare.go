package rlstest

import (
	"context"
	"errors"
)

// spares is the number of further rows that are made per tenant and table without being kept: what statements insert.
const spares = 3

// prepareSpare finds rows the tenants could insert, making parents for them where all there are have their children.
func (s *suite) prepareSpare(ctx context.Context, tables []*table) error {
	s.spare, s.linked = map[*table][2][]row{}, map[*constraint]row{}
	if _, err := s.tx.Exec(ctx, "SET CONSTRAINTS ALL DEFERRED"); err != nil {
		return err
	}
	for _, t := range tables {
		var both [2][]row
		for nth := range both {
			for range spares {
				r, err := s.possible(ctx, t, demand{nth: nth, dry: true})
				if err != nil {
					return err
				}
				both[nth] = append(both[nth], r)
			}
		}
		s.spare[t] = both
		for _, fk := range t.foreignKeys() {
			r, err := s.possible(ctx, t, demand{link: fk, dry: true})
			if err != nil {
				return err
			}
			s.linked[fk] = r
		}
	}
	_, err := s.tx.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE")
	return err
}

// possible returns a row the tenant could insert, or where there can be none one that it has.
func (s *suite) possible(ctx context.Context, t *table, d demand) (r row, err error) {
	tenant := s.cfg.Tenants[d.nth]
	if t.full {
		return s.rows[t][tenant][0], nil
	}
	r, err = s.make(ctx, t, tenant, d)
	if errors.Is(err, errFull) {
		return s.rows[t][tenant][0], nil
	}
	return r, err
}
