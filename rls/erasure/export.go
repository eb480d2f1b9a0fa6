package erasure

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// ExportSchema names the form of what ExportPerson writes. A change that readers could stumble over gets another name.
const ExportSchema = "tomkit/person-export/v1"

// withheld stands in an export for the id of another person.
const withheld = "withheld"

// ExportPerson writes everything the tenant's tables hold about a person to w, as one JSON document (Art. 15 and 20): for
// each category its purpose, legal basis and retention, and the rows with their columns. It returns the number of rows. Rows
// are streamed, one in memory at a time. Left out are columns that the register or their names declare secret; the id of
// another person in the same row is withheld (Art. 15(4)).
//
// The export is recorded before its first byte is written: without the entry there is none. A document that was cut off is
// no valid JSON.
//
// It runs in the tenant's scope: a person of another tenant has no rows here. Rows are read table by table, so a change that
// is committed meanwhile may be seen in one and not yet in another.
func (e *Eraser) ExportPerson(ctx context.Context, w io.Writer, tenant, subject uuid.UUID, by By) (rows int64, err error) {
	if subject == uuid.Nil {
		return 0, fmt.Errorf("%w: export person: no person", ErrInvalid)
	}
	scope, now := e.cfg.DB.Tenant(tenant), e.now()
	err = scope.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		cat, err := bind(ctx, tx, e.cfg.Register)
		if err != nil {
			return err
		}
		n, err := countPerson(ctx, tx, cat, tenant, subject)
		if err != nil {
			return err
		}
		return e.cfg.Record.RecordTx(ctx, tx, record.Event{
			Tenant: tenant, Actor: by.null(), Action: "person_exported", EntityType: "person", EntityID: subject.String(), Critical: true,
			Details:   map[string]any{"rows": n, "schema": ExportSchema},
			Narrative: record.Narrative{Template: "person_exported", Args: map[string]any{"count": n, "at": now}},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("erasure: export person: %w", err)
	}
	out := &exporter{out: bufio.NewWriter(w), eraser: e, policy: &policy{tenant: tenant, now: now}, subject: subject}
	err = scope.InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
		cat, err := bind(ctx, tx, e.cfg.Register)
		if err != nil {
			return err
		}
		return out.document(ctx, tx, cat)
	})
	if err == nil {
		err = out.out.Flush()
	}
	if err != nil {
		return out.rows, fmt.Errorf("erasure: export person: %w", err)
	}
	return out.rows, nil
}

// countPerson counts the rows that name the person.
func countPerson(ctx context.Context, tx pgx.Tx, cat *catalog, tenant, subject uuid.UUID) (sum int64, err error) {
	for _, rel := range cat.tenants() {
		if rel.table == nil || len(rel.table.People) == 0 {
			continue
		}
		b := (&policy{tenant: tenant}).builder()
		var n int64
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM "+rel.sql+" t WHERE "+b.about(rel, "t", subject), b.args...).Scan(&n); err != nil {
			return 0, fmt.Errorf("table %s: %w", rel.tag, err)
		}
		sum += n
	}
	return sum, nil
}

// about is true of rows that name the subject in any column.
func (b *builder) about(r *relation, alias string, subject uuid.UUID) string {
	terms := make([]string, len(r.table.People))
	for i := range r.table.People {
		terms[i] = b.named(r, &r.table.People[i], alias, subject)
	}
	return b.mine(r, alias) + " AND (" + strings.Join(terms, " OR ") + ")"
}

// exporter writes one document. The first error sticks in out.
type exporter struct {
	out     *bufio.Writer
	eraser  *Eraser
	policy  *policy
	subject uuid.UUID
	rows    int64
}

// exportCategory is the head of a category in the document.
type exportCategory struct {
	ID            string `json:"id"`
	Name          Text   `json:"name"`
	Purpose       Text   `json:"purpose"`
	Basis         Text   `json:"legal_basis"`
	Recipients    Text   `json:"recipients"`
	Retention     string `json:"retention,omitempty"`
	RetentionNote *Text  `json:"retention_note,omitempty"`
}

func (x *exporter) document(ctx context.Context, tx pgx.Tx, cat *catalog) error {
	head := struct {
		Schema    string    `json:"schema"`
		Tenant    uuid.UUID `json:"tenant"`
		Subject   uuid.UUID `json:"subject"`
		CreatedAt time.Time `json:"created_at"`
	}{ExportSchema, x.policy.tenant, x.subject, x.policy.now}
	if err := x.open(head); err != nil {
		return err
	}
	x.write(`,"categories":[`)
	separator := "\n"
	for i := range x.eraser.cfg.Register.Categories {
		c := &x.eraser.cfg.Register.Categories[i]
		if !slices.ContainsFunc(c.Tables, func(t Table) bool { return len(t.People) > 0 }) {
			continue
		}
		x.write(separator)
		separator = ",\n"
		if err := x.category(ctx, tx, cat, c); err != nil {
			return err
		}
	}
	x.write("],\n\"rows\":" + fmt.Sprint(x.rows) + "}\n")
	return nil
}

func (x *exporter) write(text string) { _, _ = x.out.WriteString(text) } // Flush reports the error

// open writes an object without its closing brace.
func (x *exporter) open(head any) error {
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	x.write(string(text[:len(text)-1]))
	return nil
}

func (x *exporter) category(ctx context.Context, tx pgx.Tx, cat *catalog, c *Category) error {
	head := exportCategory{ID: c.ID, Name: c.Name, Purpose: c.Purpose, Basis: c.Basis, Recipients: c.Recipients, Retention: c.Retention.Period.String()}
	if !c.Retention.Note.empty() {
		head.RetentionNote = &c.Retention.Note
	}
	if err := x.open(head); err != nil {
		return err
	}
	x.write(`,"tables":[`)
	separator := "\n"
	for i := range c.Tables {
		if len(c.Tables[i].People) == 0 {
			continue
		}
		x.write(separator)
		separator = ",\n"
		if err := x.table(ctx, tx, cat.byName[c.Tables[i].Name]); err != nil {
			return fmt.Errorf("table %s: %w", c.Tables[i].Name, err)
		}
	}
	x.write("]}")
	return nil
}

func (x *exporter) table(ctx context.Context, tx pgx.Tx, rel *relation) error {
	if err := x.open(struct {
		Table string `json:"table"`
	}{rel.tag}); err != nil {
		return err
	}
	x.write(`,"rows":[`)
	b := x.policy.builder()
	columns := b.shown(rel, "t", x.subject)
	rows, err := tx.Query(ctx, "SELECT pg_catalog.row_to_json(x)::text FROM (SELECT "+columns+" FROM "+rel.sql+" t WHERE "+b.about(rel, "t", x.subject)+") x", b.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	separator := "\n"
	for rows.Next() {
		x.write(separator)
		separator = ",\n"
		if _, err := x.out.Write(rows.RawValues()[0]); err != nil {
			return err
		}
		x.rows++
	}
	x.write("]}")
	return rows.Err()
}

// shown is the select list of an export: no secret, and no other person.
func (b *builder) shown(r *relation, alias string, subject uuid.UUID) string {
	var list []string
	for _, c := range r.columns {
		if secret(r.table, c) || !c.appSelect {
			continue
		}
		name := alias + "." + quote(c.name)
		if i := slices.IndexFunc(r.table.People, func(p Person) bool { return p.Column == c.name }); i >= 0 {
			name = "CASE WHEN " + name + " IS NULL OR " + b.named(r, &r.table.People[i], alias, subject) + " THEN " + name + "::text ELSE '" + withheld + "' END AS " + quote(c.name)
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// secretNames are parts of names of columns whose content proves somebody's identity or opens something.
var secretNames = []string{"password", "passwd", "secret", "hash", "token", "totp", "otp_", "private_key", "salt", "sealed", "credential", "api_key", "binding"}

// secret reports whether a column is never shown.
func secret(t *Table, c column) bool {
	if slices.Contains(t.Secret, c.name) {
		return true
	}
	switch c.sqlType {
	case "text", "character varying", "character", "bytea", "json", "jsonb", "text[]", "bytea[]":
		name := strings.ToLower(c.name)
		return slices.ContainsFunc(secretNames, func(part string) bool { return strings.Contains(name, part) })
	}
	return false
}
