package erasure

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// PersonLine is what erasing a person did in one table.
type PersonLine struct {
	// Category and Table say where, Column by which column the rows name the person.
	Category, Table, Column string
	// Action is what is declared for them.
	Action Action
	// Rows is how many were deleted or anonymised, with those that foreign keys removed.
	Rows int64
	// Held is how many legal holds keep, Kept how many stay because the law says so or because rows that stay reference them.
	Held, Kept int64
}

// PersonReport is the outcome of erasing a person.
type PersonReport struct {
	Tenant, Subject uuid.UUID
	// Lines are the tables in which the person was found.
	Lines []PersonLine
	// Values is how many personal values the ledger held and erased, ValuesHeld how many a legal hold on everything keeps.
	Values, ValuesHeld int64
}

// Complete reports whether nothing about the person stays.
func (r PersonReport) Complete() bool {
	for _, line := range r.Lines {
		if line.Held+line.Kept > 0 {
			return false
		}
	}
	return r.ValuesHeld == 0
}

func (r PersonReport) sum() (rows, held, kept int64) {
	for _, line := range r.Lines {
		rows, held, kept = rows+line.Rows, held+line.Held, kept+line.Kept
	}
	return rows, held, kept
}

// ErasePerson erases a person from a tenant (Art. 17): rows are deleted or anonymised as the register declares, holds are
// respected and reported, the ledger's own values go where Config.Ledger is set, and all of it commits with its entry or
// not at all. It runs in the tenant's scope: another tenant's rows are neither seen nor touched.
func (e *Eraser) ErasePerson(ctx context.Context, tenant, subject uuid.UUID, by By) (report PersonReport, err error) {
	err = e.cfg.DB.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		report, err = e.ErasePersonTx(ctx, tx, subject, by)
		return err
	})
	if err != nil {
		return PersonReport{}, err
	}
	return report, nil
}

// ErasePersonTx is [Eraser.ErasePerson] in a transaction of the tenant's scope.
func (e *Eraser) ErasePersonTx(ctx context.Context, tx *rls.Tx, subject uuid.UUID, by By) (PersonReport, error) {
	tenant, ok := tx.Tenant()
	if !ok || subject == uuid.Nil {
		return PersonReport{}, fmt.Errorf("%w: erase person: not a tenant's scope, or no person", ErrInvalid)
	}
	report := PersonReport{Tenant: tenant, Subject: subject}
	if err := e.erasePerson(ctx, tx, &report); err != nil {
		return PersonReport{}, fmt.Errorf("erasure: erase person: %w", err)
	}
	if err := e.eraseValues(ctx, tx, &report, by); err != nil {
		return PersonReport{}, fmt.Errorf("erasure: erase person: ledger: %w", err)
	}
	rows, held, kept := report.sum()
	tables := map[string]any{}
	for _, line := range report.Lines {
		sum, _ := tables[line.Table].(int64)
		tables[line.Table] = sum + line.Rows
	}
	err := e.cfg.Record.RecordTx(ctx, tx, record.Event{
		Tenant: tenant, Actor: by.null(), Action: "person_erased", EntityType: "person", EntityID: subject.String(), Critical: true,
		Details:   map[string]any{"rows": rows, "held": held, "kept": kept, "tables": tables, "values": report.Values, "values_held": report.ValuesHeld},
		Narrative: record.Narrative{Template: "person_erased", Args: map[string]any{"count": rows, "at": e.now()}},
	})
	if err != nil {
		return PersonReport{}, fmt.Errorf("erasure: erase person: record: %w", err)
	}
	return report, nil
}

// eraseValues erases the ledger's values, unless a hold on all of the person's data keeps them. It is done when the ledger
// says that it erases as many as it holds.
func (e *Eraser) eraseValues(ctx context.Context, tx *rls.Tx, report *PersonReport, by By) error {
	if e.cfg.Ledger == nil {
		return nil
	}
	there, err := e.cfg.Ledger.PersonValuesTx(ctx, tx, report.Subject)
	if err != nil || there == 0 {
		return err
	}
	var held bool
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tomkit.legal_holds h WHERE `+holdsInForce+`
AND h.category IS NULL AND (h.subject IS NULL OR h.subject = $3))`, report.Tenant, e.now(), report.Subject).Scan(&held)
	if err != nil {
		return err
	}
	if held {
		report.ValuesHeld = there
		return nil
	}
	if report.Values, err = e.cfg.Ledger.ErasePersonTx(ctx, tx, report.Subject, by.null()); err != nil {
		return err
	}
	if report.Values < there {
		return fmt.Errorf("%w: %d of the ledger's %d values", ErrLeftover, there-report.Values, there)
	}
	return nil
}

// personWork is one column of one table that names the person.
type personWork struct {
	rel    *relation
	person *Person
	line   *PersonLine
	found  int64 // rows before
}

func (e *Eraser) erasePerson(ctx context.Context, tx *rls.Tx, report *PersonReport) error {
	if err := lockTenant(ctx, tx, report.Tenant); err != nil {
		return err
	}
	cat, err := bind(ctx, tx, e.cfg.Register)
	if err != nil {
		return err
	}
	p, err := e.policy(ctx, tx, report.Tenant, e.now())
	if err != nil {
		return err
	}
	works, err := p.look(ctx, tx, cat, report.Subject)
	if err != nil {
		return err
	}
	pseudonym := uuid.New()
	for _, action := range []Action{Anonymise, Delete} { // what stays lets go of what is deleted
		for _, w := range works {
			if w.person.Erase == action {
				if err := p.erase(ctx, tx, w, report.Subject, pseudonym); err != nil {
					return fmt.Errorf("table %s: %w", w.rel.tag, err)
				}
			}
		}
	}
	for _, w := range works {
		if err := p.settle(ctx, tx, w, report.Subject); err != nil {
			return err
		}
		report.Lines = append(report.Lines, *w.line)
	}
	return nil
}

// look finds the columns that name the person, referencing tables first.
func (p *policy) look(ctx context.Context, tx pgx.Tx, cat *catalog, subject uuid.UUID) (works []*personWork, err error) {
	for _, rel := range cat.tenants() {
		if rel.table == nil {
			continue
		}
		for i := range rel.table.People {
			person := &rel.table.People[i]
			w := &personWork{rel: rel, person: person, line: &PersonLine{
				Category: rel.category.ID, Table: rel.tag, Column: person.Column, Action: person.Erase,
			}}
			if w.found, err = p.countNamed(ctx, tx, w, subject, false); err != nil {
				return nil, err
			}
			if w.found == 0 {
				continue
			}
			if p.held {
				if w.line.Held, err = p.countNamed(ctx, tx, w, subject, true); err != nil {
					return nil, err
				}
			}
			works = append(works, w)
		}
	}
	return works, nil
}

// countNamed counts the rows that name the person, or those of them that a hold keeps.
func (p *policy) countNamed(ctx context.Context, tx pgx.Tx, w *personWork, subject uuid.UUID, onlyHeld bool) (n int64, err error) {
	b := p.builder()
	where := b.mine(w.rel, "t") + " AND " + b.named(w.rel, w.person, "t", subject)
	if onlyHeld {
		where += " AND " + b.holding(w.rel, "t")
	}
	err = tx.QueryRow(ctx, "SELECT count(*) FROM "+w.rel.sql+" t WHERE "+where, b.args...).Scan(&n)
	return n, err
}

func (p *policy) erase(ctx context.Context, tx pgx.Tx, w *personWork, subject, pseudonym uuid.UUID) error {
	b := p.builder()
	verb := "DELETE FROM " + w.rel.sql + " t"
	if w.person.Erase == Anonymise {
		verb = "UPDATE " + w.rel.sql + " t SET " + b.assignments(w.person.replacements(), &pseudonym)
	}
	where := b.mine(w.rel, "t") + " AND " + b.named(w.rel, w.person, "t", subject)
	if p.held {
		where += " AND NOT " + b.holding(w.rel, "t")
	}
	if w.person.Erase == Delete {
		for _, ref := range w.rel.children {
			if !ref.cascades() {
				child := b.alias()
				where += " AND NOT EXISTS (SELECT FROM " + ref.from.sql + " " + child + " WHERE " + joined(ref, child, "t") + ")"
			}
		}
	}
	_, err := tx.Exec(ctx, verb+" WHERE "+where, b.args...)
	return err
}

// settle counts what is left: what foreign keys removed is gone, whatever was to be done with it.
func (p *policy) settle(ctx context.Context, tx pgx.Tx, w *personWork, subject uuid.UUID) error {
	left, err := p.countNamed(ctx, tx, w, subject, false)
	if err != nil {
		return err
	}
	w.line.Rows = w.found - left
	w.line.Held = min(w.line.Held, left)
	w.line.Kept = left - w.line.Held
	return nil
}
