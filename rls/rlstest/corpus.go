package rlstest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

//go:embed corpus.txt
var corpusText string

// Payload is one injected text, with placeholders in braces for what a schema calls its own.
type Payload struct {
	// Category groups payloads: context, settings, functions and so on.
	Category string
	// Hole is where it is injected: where, column, order, limit, statement, or expr for all that take an expression.
	Hole string
	// Comment says what it is.
	Comment string
	// SQL is the text.
	SQL string
}

// Payloads returns the corpus.
func Payloads() (all []Payload) {
	for line := range strings.Lines(corpusText) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 4)
		if len(fields) == 4 && !strings.HasPrefix(line, "#") {
			all = append(all, Payload{fields[0], fields[1], fields[2], fields[3]})
		}
	}
	return all
}

// holes are statements of a careless product; {here} is where a payload goes.
var holes = map[string]string{
	"where":     "SELECT t::text FROM {table} t WHERE {id_column} = {own_id} {here}",
	"column":    "SELECT {here} FROM {table} t",
	"order":     "SELECT t::text FROM {table} t ORDER BY {here}",
	"limit":     "SELECT t::text FROM {table} t LIMIT {here}",
	"statement": "{here}",
}

// expressionHoles take an expression; each wraps it so that the result is of the type wanted there.
var expressionHoles = []string{
	"SELECT t::text FROM {table} t WHERE {id_column} = {own_id} OR ({here}) IS NULL",
	"SELECT ({here}), t::text FROM {table} t",
	"SELECT t::text FROM {table} t ORDER BY ({here})::text",
	"SELECT t::text FROM {table} t LIMIT length(({here})::text)",
	"SELECT ({here})",
}

// attempts fills a payload into its holes.
func (p Payload) attempts() []string {
	targets := expressionHoles
	if p.Hole != "expr" {
		targets = []string{holes[p.Hole]}
	}
	var all []string
	for _, h := range targets {
		all = append(all, strings.Replace(h, "{here}", p.SQL, 1))
	}
	return all
}

var placeholderRE = regexp.MustCompile(`\{[a-z_]+\}`)

// injector runs payloads in the own tenant's scope.
type injector struct {
	*suite
	conn     *pgx.Conn // the login's, where the scopes are not tomkit's
	main     *table
	values   map[string]string
	baseline []string
	session  string // what the login's session is like before anything happened
	ownRows  int64
	xid      string // the next transaction's number when the rows were last compared
}

// attemptTimeout bounds one statement, also against a COPY FROM STDIN that nobody feeds.
const attemptTimeout = 20 * time.Second

// corpus runs every payload in every hole it fits.
func (s *suite) corpus(ctx context.Context) error {
	if err := s.makeShadow(ctx); err != nil { // own rows are restored from it
		return err
	}
	in, err := s.newInjector(ctx)
	if err != nil {
		return err
	}
	defer in.close()
	if in.baseline, err = s.state(ctx, uuid.Nil); err != nil {
		return err
	}
	for _, p := range s.cfg.Payloads {
		if err := in.payload(ctx, p); err != nil {
			return fmt.Errorf("rlstest: corpus: %s: %s: %w", p.Category, p.Comment, err)
		}
	}
	return s.dropShadow(ctx)
}

func (s *suite) newInjector(ctx context.Context) (*injector, error) {
	in := &injector{suite: s}
	other := in.chooseTables()
	if in.main == nil {
		return nil, errors.New("rlstest: corpus: the login reads no table whose rows could be recognised")
	}
	// The text of a session's last statement can be seen by other sessions of the same login.
	for _, conn := range []*pgx.Conn{s.app, s.bare} {
		if _, err := simple(ctx, conn, "SELECT 1"); err != nil {
			return nil, err
		}
	}
	if err := in.fillValues(ctx, other); err != nil {
		return nil, err
	}
	var err error
	if in.ownRows, err = s.count(ctx, in.main, in.main.equals(s.foreign)); err != nil {
		return nil, err
	}
	o, err := simple(ctx, s.super, "TABLE "+in.main.sql())
	if err != nil {
		return nil, err
	}
	in.report.add(Corpus, "control", "a foreign row would be recognised", map[bool]string{true: "no value of " + in.main.String() + " is distinctive"}[s.foreigns.in(o.text, "") == ""])
	if s.signed == nil {
		if in.conn, err = connect(ctx, s.cfg.AppURL); err != nil {
			return nil, err
		}
	}
	return in, in.scope(ctx, s.foreign, func(ctx context.Context, conn *pgx.Conn) error {
		in.session, err = sessionState(ctx, conn)
		return err
	})
}

func (in *injector) close() {
	if in.conn != nil {
		_ = in.conn.Close(context.Background()) // nothing is open on it that matters
	}
}

// chooseTables picks the tables with the most privileges and the most recognisable columns.
func (in *injector) chooseTables() (other *table) {
	best := -1
	for _, t := range in.shadowed() {
		if !t.Select || t.Partition || len(t.key()) < 2 || len(in.rows[t][in.foreign]) == 0 {
			continue
		}
		score := 0
		for _, may := range []bool{t.Insert, t.Update, t.Delete} {
			if may {
				score += 10
			}
		}
		for _, c := range t.Columns {
			if slices.Contains([]string{"text", "uuid", "character varying"}, c.Base) {
				score++
			}
		}
		if score > best {
			best, other, in.main = score, in.main, t
		} else if other == nil {
			other = t
		}
	}
	return other
}

// fillValues are the placeholders this schema has values for.
func (in *injector) fillValues(ctx context.Context, other *table) error {
	t := in.main
	key := t.key()[slices.IndexFunc(t.key(), func(name string) bool { return name != t.tenant.Name })]
	idType := t.column(key).Type
	foreign, mine := in.rows[t][in.foreign][0], in.rows[t][in.own][0]
	var database, superuser, owner string
	err := in.super.QueryRow(ctx, `SELECT current_database(), session_user, pg_get_userbyid(relowner) FROM pg_class WHERE oid = $1`, t.OID).
		Scan(&database, &superuser, &owner)
	if err != nil {
		return err
	}
	all := "(SELECT string_agg(x::text, ',') FROM " + t.sql() + " x%s)"
	in.values = map[string]string{
		"{table}": t.sql(), "{schema}": t.Schema, "{relation}": t.Name, "{tenant_column}": quote(t.tenant.Name), "{id_column}": quote(key),
		"{own_id}": mine[key].sql(idType), "{foreign_id}": foreign[key].sql(idType), "{own_tenant}": in.own.String(), "{foreign_tenant}": in.foreign.String(),
		"{login}": quote(in.login), "{owner}": quote(owner), "{superuser}": quote(superuser), "{database}": quote(database),
		"{all}": fmt.Sprintf(all, ""), "{theirs}": fmt.Sprintf(all, " WHERE x."+t.equals(in.foreign)), "{bare_context}": in.foreign.String(), "{setting}": in.cfg.Setting,
	}
	if other != nil {
		in.values["{other_table}"] = other.sql()
	}
	if in.signed != nil {
		in.values["{tomkit}"] = "tomkit"
	}
	return nil
}

// fill replaces the placeholders; false if one has no value here.
func (in *injector) fill(sql string) (string, bool) {
	if in.signed != nil {
		for name, text := range in.signed.forgeries(in.own, in.foreign) {
			in.values["{"+name+"}"] = text
		}
		in.values["{own_context}"] = sign(in.signed.key, 't', in.own, time.Now().Add(lifetime))
	}
	known := true
	sql = placeholderRE.ReplaceAllStringFunc(sql, func(name string) string {
		value, ok := in.values[name]
		known = known && ok
		return value
	})
	return sql, known
}

// payload runs one payload in its holes and files a cell for it.
func (in *injector) payload(ctx context.Context, p Payload) error {
	c := Cell{Part: Corpus, Table: p.Category, Name: p.Comment}
	for _, template := range p.attempts() {
		sql, known := in.fill(template)
		if !known {
			in.report.NotApplicable++
			return nil
		}
		fault, err := in.attempt(ctx, sql)
		if err != nil {
			return err
		}
		c.Checks++
		if fault != "" && c.Fault == "" {
			c.Fault = fault + "\n" + sql
		}
	}
	sql, _ := in.fill(p.SQL)
	traces, err := in.traces(ctx, sql)
	if err != nil {
		return err
	}
	if traces != "" && c.Fault == "" {
		c.Fault = traces + "\n" + sql
	}
	in.report.Payloads++
	in.report.Attempts += c.Checks
	in.report.Cells = append(in.report.Cells, c)
	return nil
}

// errUndo ends the scope of a statement whose effect would reach beyond the database.
var errUndo = errors.New("undo")

// attempt runs one statement in a fresh scope and looks at what came back.
func (in *injector) attempt(ctx context.Context, sql string) (fault string, err error) {
	var o outcome
	scopeErr := in.scope(ctx, in.own, func(ctx context.Context, conn *pgx.Conn) error {
		o, err = inject(ctx, conn, sql)
		if o.err == nil && strings.HasPrefix(sql, "ALTER ROLE") {
			in.report.note("the login may change what all its sessions begin with: %s", sql)
			return errUndo
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if w := in.foreigns.in(o.text, sql); w != "" {
		return fmt.Sprintf("shows the foreign value %q", w), nil
	}
	if scopeErr != nil { // the payload ended or broke its transaction; the error must not say what the result does not
		if w := in.foreigns.in(scopeErr.Error(), sql); w != "" {
			return fmt.Sprintf("the scope's error shows the foreign value %q", w), nil
		}
	}
	return "", nil
}

// traces looks at everybody's rows, and at what the next user of the connection finds.
func (in *injector) traces(ctx context.Context, sql string) (fault string, err error) {
	changed, err := in.changes(ctx)
	if err == nil && changed != "" {
		fault, err = in.restore(ctx, changed)
	}
	if err != nil {
		return "", err
	}
	next, err := in.next(ctx, sql)
	if fault == "" {
		fault = next
	}
	return fault, err
}

// changes names the tables that are not as they were. Where no transaction has got a number, none has written.
func (in *injector) changes(ctx context.Context) (string, error) {
	var xid string
	err := in.super.QueryRow(ctx, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text").Scan(&xid)
	if err != nil || xid == in.xid {
		return "", err
	}
	in.xid = xid
	after, err := in.state(ctx, uuid.Nil)
	return differences(in.baseline, after), err
}

// inject sends a statement in the extended protocol, as drivers do, and reads everything that comes back.
func inject(ctx context.Context, conn *pgx.Conn, sql string) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	var o outcome
	var err error
	switch {
	case strings.HasPrefix(sql, "COPY") && strings.HasSuffix(sql, "TO STDOUT"):
		var b strings.Builder
		_, err = conn.PgConn().CopyTo(ctx, &b, sql)
		o.text = b.String()
	case strings.HasPrefix(sql, "COPY") && strings.HasSuffix(sql, "FROM STDIN"):
		_, err = conn.PgConn().CopyFrom(ctx, strings.NewReader(""), sql)
	default:
		result := conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Read()
		o.text, err = rowsText(result.Rows), result.Err
	}
	return o.failed(err)
}

// scope runs fn in a transaction of a tenant as the product does, and commits.
func (in *injector) scope(ctx context.Context, tenant uuid.UUID, fn func(context.Context, *pgx.Conn) error) error {
	if in.signed != nil {
		return in.scopes.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
			if _, err := tx.Exec(ctx, "SELECT 1"); err != nil { // Conn would not say that the transaction did not begin
				return err
			}
			return fn(ctx, tx.Conn())
		})
	}
	return pgx.BeginFunc(ctx, in.conn, func(tx pgx.Tx) error {
		if err := in.set(ctx, tx, tenant); err != nil {
			return err
		}
		return fn(ctx, in.conn)
	})
}

// restore puts the own rows back. Foreign ones must not need it.
func (in *injector) restore(ctx context.Context, changed string) (fault string, err error) {
	err = pgx.BeginFunc(ctx, in.super, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL session_replication_role = replica"); err != nil {
			return err
		}
		for _, t := range in.shadowed() {
			if !slices.Contains(strings.Split(changed, ", "), t.String()) {
				continue
			}
			cols := quoteAll(columnNames(t.insertable()))
			_, err := simple(ctx, in.super, fmt.Sprintf("DELETE FROM %s WHERE %s; INSERT INTO %[1]s (%[3]s) OVERRIDING SYSTEM VALUE SELECT %[3]s FROM %[4]s",
				t.sql(), t.equals(in.own), cols, shadowOf(t)))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	after, err := in.state(ctx, uuid.Nil)
	if err != nil {
		return "", err
	}
	if foreign := differences(in.baseline, after); foreign != "" {
		fault = "changes foreign rows: " + foreign
		in.baseline = after
	}
	return fault, nil
}
