package audit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls/audit"
)

// TestReading shows what the reader makes of expressions in the form that pg_get_expr gives them.
func TestReading(t *testing.T) {
	for sql, want := range map[string]string{
		`true`: `(const true)`,
		`(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)`:              `(op = (column tenant_id) (cast uuid (call nullif (call current_setting (cast text (const app.tenant_id)) (const true)) (cast text (const)))))`,
		`(tenant_id = ( SELECT c.id FROM tomkit.tenant_context c))`:                                         `(op = (column tenant_id) (select (column id)))`,
		`( SELECT (current_setting('app.bypass_rls'::text, true) = 'on'::text))`:                            `(select (op = (call current_setting (cast text (const app.bypass_rls)) (const true)) (cast text (const on))))`,
		`(tenant_id = ANY (( SELECT tomkit.visible_tenants() AS visible_tenants)))`:                         `(any = (column tenant_id) (select (call tomkit.visible_tenants)))`,
		`((a = 1) OR ((b = 'it''s'::text) AND (NOT c)))`:                                                    `(or (op = (column a) (const 1)) (and (op = (column b) (cast text (const it's))) (not (column c))))`,
		`(a OPERATOR(pg_catalog.=) b)`:                                                                      `(op = (column a) (column b))`,
		`(a OPERATOR(evil.=) b)`:                                                                            `(op evil.= (column a) (column b))`,
		`((at)::timestamp with time zone > now())`:                                                          `(op > (cast timestamp with time zone (column at)) (call now))`,
		`((name)::character varying(10) ~~ 'a%'::text)`:                                                     `(op ~~ (cast character varying (column name)) (cast text (const a%)))`,
		`(kind = ANY (ARRAY['a'::text, 'b'::text]))`:                                                        `(any = (column kind) (other (cast text (const a)) (cast text (const b))))`,
		`(EXISTS ( SELECT 1 FROM shop.m x WHERE ((x.id = t.id) AND (x.who = SESSION_USER))))`:               `(other (select (const 1) (value session_user)))`,
		`CASE WHEN (a = 1) THEN true ELSE (tenant_id = app.t()) END`:                                        `(other (op = (column a) (const 1)) (const true) (op = (column tenant_id) (call app.t)))`,
		`("Odd ""name" IS NOT DISTINCT FROM CURRENT_USER)`:                                                  `(op is not distinct from (column Odd "name) (value current_user))`,
		`((data ->> 'tenant'::text) = current_setting('t'::text))`:                                          `(op = (op ->> (column data) (cast text (const tenant))) (call current_setting (cast text (const t))))`,
		`(tenant_id IN ( SELECT m.org FROM acme.members m WHERE (m.login = (SESSION_USER)::text)))`:         `(any = (column tenant_id) (select (column org) (value session_user)))`,
		`(pg_has_role(SESSION_USER, 'x'::name, 'MEMBER'::text) AND (SESSION_USER <> 'tomkit_owner'::name))`: `(and (call pg_has_role (value session_user) (cast name (const x)) (cast text (const MEMBER))) (op <> (value session_user) (cast name (const tomkit_owner))))`,
		`/* tenant_id = */ true -- or not`:                                                                  `(const true)`,
		`E'\'' = 'x'`:                                                                                       `(op = (const ') (const x))`,
		`(tenant_id = 'unterminated)`:                                                                       `(other)`,
		`a = b)) OR true`:                                                                                   `(other (op = (column a) (column b)))`,
		``:                                                                                                  `(other)`,
	} {
		t.Run(sql, func(t *testing.T) { require.Equal(t, want, audit.Reading(sql)) })
	}
}

func TestDeepNestingIsNoStackOverflow(t *testing.T) {
	for _, sql := range []string{
		strings.Repeat("(", 30000), strings.Repeat("NOT ", 15000) + "true", strings.Repeat("a(", 20000), strings.Repeat("- ", 30000),
		strings.Repeat("(SELECT ", 8000), strings.Repeat("CASE WHEN ", 6000), strings.Repeat("x[", 20000), strings.Repeat("a = b OR ", 7000),
	} {
		require.False(t, audit.Narrow(sql))
		audit.Unqualified(sql)
	}
	require.Equal(t, "(other)", audit.Reading(strings.Repeat("x", 1<<17)))
}

// TestFunctionBodies names the first thing that the caller's search path decides.
func TestFunctionBodies(t *testing.T) {
	for body, want := range map[string]string{
		`BEGIN RETURN (SELECT c.id FROM tomkit.tenant_context c); END`:                                   ``,
		`BEGIN RETURN EXISTS (SELECT FROM a.b x WHERE x.y OPERATOR(pg_catalog.=) pg_catalog.now()); END`: ``,
		`SELECT * FROM a.b`:                          ``,
		`DECLARE n int; BEGIN n := 1; RETURN n; END`: ``,
		`SELECT 1 FROM orders`:                       `orders`,
		`SELECT now()`:                               `now`,
		`SELECT pg_catalog.now() > a.b()`:            `>`,
		`SELECT a.b()::mytype`:                       `mytype`,
		`UPDATE orders SET x = 1`:                    `orders`,
		`SELECT "Odd"()`:                             `Odd`,
		`SELECT 'now() = 1' -- f(x)`:                 ``,
		`SELECT 'open`:                               `body`,
	} {
		t.Run(body, func(t *testing.T) { require.Equal(t, want, audit.Unqualified(body)) })
	}
}

func FuzzExpression(f *testing.F) {
	for _, sql := range []string{
		`(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)`, `( SELECT (a = 'b'::text))`,
		`CASE WHEN a THEN b END`, `x = ANY (ARRAY[1,2])`, `EXISTS ( SELECT 1 FROM a.b c WHERE f(c.d))`, `$x$ y $x$`, `((((`, `a OPERATOR(`, `x[1:2].y`,
	} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		if len(sql) > 4096 {
			return
		}
		read := audit.Reading(sql)
		require.NotEmpty(t, read)
		require.Equal(t, read, audit.Reading(sql))
		require.NotEmpty(t, audit.Reading("("+sql+")"))
		audit.Unqualified(sql)
		// What stands beside a conjunct never makes the conjunction wider than the tenant, and no text makes OR true narrower.
		if !strings.Contains(read, "other") {
			require.True(t, audit.Narrow("tenant_id = current_setting('t', true) AND ("+sql+")"), "%s", read)
			require.False(t, audit.Narrow("true OR ("+sql+")"), "%s", read)
		}
	})
}
