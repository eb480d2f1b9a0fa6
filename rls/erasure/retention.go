package erasure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/wait"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// Line is what a retention run did, or would do, with one table of one tenant.
type Line struct {
	// Tenant is whose rows, Category and Table where.
	Tenant          uuid.UUID
	Category, Table string
	// Action is Delete or Anonymise.
	Action Action
	// Cutoff is the instant at or before which rows are expired.
	Cutoff time.Time
	// Rows is how many were, or would be, affected; rows that foreign keys remove with them are not counted.
	Rows int64
	// Held is how many expired rows holds keep.
	Held int64
	// OldestKept is the time of the oldest row that stays; zero if none does.
	OldestKept time.Time
}

// Report is the outcome of a retention run over all tenants.
type Report struct {
	// Run names the run in the entries.
	Run uuid.UUID
	// DryRun says that nothing was changed.
	DryRun bool
	// StartedAt is UTC, Took the time it took.
	StartedAt time.Time
	Took      time.Duration
	// Tenants is how many were looked at, Busy how many another process was working on.
	Tenants, Busy int
	// Rows is the sum of the lines'.
	Rows int64
	// Lines are in the order of tenant ids and tables. There is one for each table with a time column.
	Lines []Line
}

// TenantError reports a tenant whose retention failed; the run goes on with the others.
type TenantError struct {
	Tenant uuid.UUID
	Err    error
}

// Error implements error. The text does not name the tenant.
func (e *TenantError) Error() string { return "erasure: retention: a tenant failed: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *TenantError) Unwrap() error { return e.Err }

// Plan is a dry run: it counts what Apply would delete or anonymise now, by the same conditions, and changes nothing.
func (e *Eraser) Plan(ctx context.Context) (Report, error) {
	return e.over(ctx, Report{DryRun: true}, e.planTenant)
}

// Apply deletes and anonymises what has expired, tenant by tenant, in batches. Each transaction holds one tenant's rows and
// their entry, so what cannot be recorded stays. When ctx ends, what was done is committed and recorded, and Apply returns
// its error with the report so far. Any number of processes may run it; a tenant is worked on by one at a time.
func (e *Eraser) Apply(ctx context.Context) (Report, error) {
	report := Report{Run: uuid.New()}
	started := e.now()
	if err := e.begin(ctx, report.Run, started); err != nil {
		return report, err
	}
	return e.apply(ctx, report.Run)
}

func (e *Eraser) apply(ctx context.Context, run uuid.UUID) (Report, error) {
	report, err := e.over(ctx, Report{Run: run}, e.applyTenant)
	return report, errors.Join(err, e.finish(ctx, report))
}

// over runs work for every tenant.
func (e *Eraser) over(ctx context.Context, report Report, work func(context.Context, *catalog, *Report, uuid.UUID) error) (Report, error) {
	report.StartedAt = e.now()
	defer func() { report.Took = e.now().Sub(report.StartedAt) }()
	var cat *catalog
	var tenants []uuid.UUID
	err := e.cfg.DB.System(ctx, reasonRetention, func(ctx context.Context, tx *rls.Tx) (err error) {
		if cat, err = bind(ctx, tx, e.cfg.Register); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT id FROM tomkit.tenants ORDER BY id`)
		if err != nil {
			return err
		}
		tenants, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err != nil {
		return report, fmt.Errorf("erasure: retention: %w", err)
	}
	var failed []error
	for _, tenant := range tenants {
		if err := ctx.Err(); err != nil {
			return report, errors.Join(append(failed, err)...)
		}
		report.Tenants++
		if err := work(ctx, cat, &report, tenant); err != nil && ctx.Err() == nil {
			failed = append(failed, &TenantError{tenant, err})
		}
	}
	return report, errors.Join(append(failed, ctx.Err())...)
}

func (e *Eraser) planTenant(ctx context.Context, cat *catalog, report *Report, tenant uuid.UUID) error {
	var lines []Line
	err := e.cfg.DB.System(ctx, reasonRetention, func(ctx context.Context, tx *rls.Tx) error {
		p, err := e.policy(ctx, tx, tenant, report.StartedAt)
		if err != nil {
			return err
		}
		for _, rel := range cat.expiring() {
			line := p.line(rel)
			if err := p.count(ctx, tx, rel, &line); err != nil {
				return err
			}
			lines = append(lines, line)
		}
		return nil
	})
	report.add(lines)
	return err
}

func (r *Report) add(lines []Line) {
	for _, line := range lines {
		r.Rows += line.Rows
	}
	r.Lines = append(r.Lines, lines...)
}

func (p *policy) line(rel *relation) Line {
	action := Delete
	if rel.table.Anonymise != nil {
		action = Anonymise
	}
	return Line{Tenant: p.tenant, Category: rel.category.ID, Table: rel.tag, Action: action, Cutoff: p.cutoffs[rel.category.ID]}
}

// count fills a line without changing anything.
func (p *policy) count(ctx context.Context, tx pgx.Tx, rel *relation, line *Line) error {
	b := p.builder()
	due, held := b.due(rel, "t"), "FALSE"
	if p.held {
		held = b.aged(rel, "t") + " AND " + b.holding(rel, "t")
	}
	var oldest *time.Time
	err := tx.QueryRow(ctx, "SELECT count(*) FILTER (WHERE "+due+"), count(*) FILTER (WHERE "+held+"), min("+quote(rel.table.Time)+
		") FILTER (WHERE ("+due+") IS NOT TRUE) FROM "+rel.sql+" t WHERE "+b.mine(rel, "t"), b.args...).Scan(&line.Rows, &line.Held, &oldest)
	if oldest != nil {
		line.OldestKept = oldest.UTC()
	}
	return err
}

// progress is how far a run has come in a tenant.
type progress struct {
	lines []Line    // one for each relation begun
	after time.Time // where in the present relation's time column the next batch begins
	done  bool
}

func (e *Eraser) applyTenant(ctx context.Context, cat *catalog, report *Report, tenant uuid.UUID) error {
	var at progress
	defer func() { // what was committed counts, also when a later transaction failed
		report.add(at.lines)
		e.observe(at.lines)
	}()
	for !at.done && ctx.Err() == nil {
		next, busy, err := e.transaction(ctx, cat, report, tenant, at)
		if err != nil {
			return err
		}
		if busy {
			report.Busy++
			return nil
		}
		at = next
		e.progress(report.Rows + at.rows())
		if !at.done && wait.For(ctx, e.cfg.Pause) != nil {
			return nil // over reports that ctx ended
		}
	}
	return nil
}

func (e *Eraser) observe(lines []Line) {
	if e.cfg.Observe == nil {
		return
	}
	for _, line := range lines {
		e.cfg.Observe(line)
	}
}

func (e *Eraser) progress(rows int64) {
	if e.cfg.Progress != nil {
		e.cfg.Progress(rows)
	}
}

func (at progress) rows() (n int64) {
	for _, line := range at.lines {
		n += line.Rows
	}
	return n
}

// transaction does up to Config.Batches batches and records them. It returns where the next one goes on, or that another
// process has the tenant.
func (e *Eraser) transaction(ctx context.Context, cat *catalog, report *Report, tenant uuid.UUID, from progress) (at progress, busy bool, err error) {
	at = progress{lines: append([]Line(nil), from.lines...), after: from.after}
	// The transaction does not end with ctx: what its batches have done until then is committed with its entry.
	err = e.cfg.DB.System(context.WithoutCancel(ctx), reasonRetention, func(inner context.Context, tx *rls.Tx) error {
		free, err := tryLockTenant(inner, tx, tenant)
		if err != nil || !free {
			busy = !free
			return err
		}
		p, err := e.policy(inner, tx, tenant, report.StartedAt)
		if err != nil {
			return err
		}
		if err := e.batches(ctx, inner, tx, p, cat.expiring(), &at); err != nil {
			return err
		}
		return e.recordRetention(inner, tx, report, tenant, from, at)
	})
	return at, busy, err
}

// batches goes through the relations until all are done, the transaction is full or stop ends.
func (e *Eraser) batches(stop, ctx context.Context, tx pgx.Tx, p *policy, relations []*relation, at *progress) error {
	open := len(at.lines) > 0 // the last line's relation may have more
	for batch := 0; batch < e.cfg.Batches; batch++ {
		if stop.Err() != nil {
			return nil
		}
		if !open {
			if len(at.lines) == len(relations) {
				at.done = true
				return nil
			}
			at.lines = append(at.lines, p.line(relations[len(at.lines)]))
			at.after = time.Time{}
		}
		rel, line := relations[len(at.lines)-1], &at.lines[len(at.lines)-1]
		n, err := p.batch(ctx, tx, rel, at, e.cfg.BatchRows)
		if err != nil {
			return fmt.Errorf("table %s: %w", rel.tag, err)
		}
		line.Rows += n
		if open = n == int64(e.cfg.BatchRows); !open {
			if err := p.remaining(ctx, tx, rel, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// batch deletes or anonymises up to limit rows, oldest first. Rows that somebody else has locked are left for the next run.
func (p *policy) batch(ctx context.Context, tx pgx.Tx, rel *relation, at *progress, limit int) (int64, error) {
	b := p.builder()
	clock := quote(rel.table.Time)
	where := b.due(rel, "t")
	if !at.after.IsZero() {
		where += " AND t." + clock + " >= " + b.arg(at.after) + "::" + pick(rel.daily(), "date", "timestamptz")
	}
	verb := "DELETE FROM " + rel.sql + " d USING due WHERE "
	if rel.table.Anonymise != nil {
		verb = "UPDATE " + rel.sql + " d SET " + b.assignments(rel.table.Anonymise, nil) + " FROM due WHERE "
	}
	// A tuple's address is unique within its partition only.
	sql := "WITH due AS MATERIALIZED (SELECT t.tableoid AS part, t.ctid AS address, t." + clock + " AS time FROM " + rel.sql + " t WHERE " + where +
		" ORDER BY t." + clock + " LIMIT " + b.arg(limit) + rel.locking() + "), gone AS (" + verb +
		"d.ctid = due.address AND d.tableoid = due.part AND " + b.mine(rel, "d") + " RETURNING due.time) SELECT count(*), max(time) FROM gone"
	var n int64
	var last *time.Time
	if err := tx.QueryRow(ctx, sql, b.args...).Scan(&n, &last); err != nil {
		return 0, err
	}
	if last != nil {
		at.after = *last
	}
	return n, nil
}

func pick(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// remaining notes what stays of a relation that is done.
func (p *policy) remaining(ctx context.Context, tx pgx.Tx, rel *relation, line *Line) error {
	b := p.builder()
	var oldest *time.Time
	if err := tx.QueryRow(ctx, "SELECT min("+quote(rel.table.Time)+") FROM "+rel.sql+" t WHERE "+b.mine(rel, "t"), b.args...).Scan(&oldest); err != nil {
		return err
	}
	line.OldestKept = time.Time{}
	if oldest != nil {
		line.OldestKept = oldest.UTC()
	}
	if !p.held {
		return nil
	}
	b = p.builder()
	return tx.QueryRow(ctx, "SELECT count(*) FROM "+rel.sql+" t WHERE "+b.aged(rel, "t")+" AND "+b.holding(rel, "t"), b.args...).Scan(&line.Held)
}

// recordRetention records what a transaction did, with numbers only. A transaction that did nothing leaves no entry.
func (e *Eraser) recordRetention(ctx context.Context, tx *rls.Tx, report *Report, tenant uuid.UUID, from, at progress) error {
	rows := at.rows() - from.rows()
	if rows == 0 {
		return nil
	}
	counts := map[string]any{}
	var held int64
	for i, line := range at.lines {
		n := line.Rows
		if i < len(from.lines) {
			n -= from.lines[i].Rows
		}
		held += line.Held
		if n > 0 {
			sum, _ := counts[line.Category].(int64)
			counts[line.Category] = sum + n
		}
	}
	now := e.now()
	return e.cfg.Record.RecordTx(ctx, tx, record.Event{
		Tenant: tenant, Action: "retention_applied", EntityType: "retention_run", EntityID: report.Run.String(),
		Details:   map[string]any{"rows": rows, "held": held, "categories": counts},
		Narrative: record.Narrative{Template: "retention_applied", Args: map[string]any{"count": rows, "at": now}},
	})
}
