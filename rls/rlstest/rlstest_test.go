package rlstest_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/rlstest"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

func TestConfigIsRefused(t *testing.T) {
	id := uuid.New()
	for name, cfg := range map[string]rlstest.Config{
		"without connection strings":         {},
		"with a negative number of rows":     {SuperuserURL: "x", AppURL: "x", RowsPerTenant: -1},
		"with a negative number statements":  {SuperuserURL: "x", AppURL: "x", Statements: -1},
		"with one tenant twice":              {SuperuserURL: "x", AppURL: "x", Tenants: [2]uuid.UUID{id, id}},
		"with a part that there is not":      {SuperuserURL: "x", AppURL: "x", Parts: []rlstest.Part{"x"}},
		"with a malformed connection string": {SuperuserURL: "postgres://u:secret@:x", AppURL: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rlstest.Check(t.Context(), cfg)
			require.ErrorContains(t, err, "rlstest: ")
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestACheckWithoutSuperuserIsRefused(t *testing.T) {
	db := pgtest.New(t, rls.Migrations(), tenant.Migrations())
	_, err := rlstest.Check(t.Context(), rlstest.Config{SuperuserURL: db.URL(rls.RoleApp), AppURL: db.URL(rls.RoleApp)})
	require.ErrorContains(t, err, "no superuser")
}

// The forgeries are worth something only if the same code can make a context that is genuine.
func TestForgeriesAreMadeAsGenuineContextsAre(t *testing.T) {
	db := pgtest.New(t, rls.Migrations(), tenant.Migrations())
	id := db.Tenant(t, "a")
	context := rlstest.Sign(pgtest.ContextKey(), id, time.Now().Add(time.Minute))
	var have uuid.UUID
	err := db.Open(t).Anonymous().QueryRow(t.Context(), `WITH x AS MATERIALIZED (SELECT set_config('app.tenant_id', $1, true) AS y)
		SELECT tomkit.current_tenant() FROM x WHERE y IS NOT NULL`, context).Scan(&have)
	require.NoError(t, err)
	require.Equal(t, id, have)
}

func TestPayloadsAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range rlstest.Payloads() {
		require.Contains(t, []string{"expr", "where", "column", "order", "limit", "statement"}, p.Hole, p.SQL)
		require.NotEmpty(t, p.Category, p.SQL)
		require.False(t, seen[p.Category+p.Comment], p.Comment)
		require.False(t, seen[p.Hole+p.SQL], p.SQL)
		seen[p.Category+p.Comment], seen[p.Hole+p.SQL] = true, true
	}
	require.GreaterOrEqual(t, len(rlstest.Payloads()), 300)
}

func TestTextsMatchTheirPattern(t *testing.T) {
	for _, pattern := range []string{`^[a-z0-9]+(-[a-z0-9]+)*$`, `^[A-Z]{2}-[0-9]{4,8}$`, `^[!-~]+@[!-~]+$`, `^\d{3}(x|y)?$`, `^[^a-z]{12}$`, `^tk1_(step|api)_.{4,}$`} {
		re := regexp.MustCompile(pattern)
		for seed := range uint64(20) {
			for _, text := range rlstest.Matching(seed, pattern)[:4] {
				require.True(t, re.MatchString(text), "%s: %q", pattern, text)
			}
		}
	}
}

func TestConditionsGiveHints(t *testing.T) {
	texts, patterns, numbers := rlstest.Hints(`((kind = ANY (ARRAY['it''s'::text, 'b'::text])) AND (code ~ E'^\\d{3}$'::text) AND (octet_length(x) <= 512))`)
	require.Equal(t, []string{"it's", "b"}, texts)
	require.Equal(t, []string{`^\d{3}$`}, patterns)
	require.Equal(t, []int64{512}, numbers)
}

func FuzzHints(f *testing.F) {
	f.Add(`(a ~ '^[a-z]{1,3}$'::text)`)
	f.Add(`((((x)::text)) <> E'\\''')`)
	f.Fuzz(func(t *testing.T, expr string) {
		_, patterns, numbers := rlstest.Hints(expr)
		for _, n := range numbers {
			require.GreaterOrEqual(t, n, int64(0))
		}
		for _, p := range patterns {
			for _, text := range rlstest.Matching(1, p) {
				require.Less(t, len(text), 1<<16)
			}
		}
	})
}

// What cannot be filled is an error that says what to do, never a table that is silently left out.
func TestATableThatCannotBeFilledIsAnError(t *testing.T) {
	t.Parallel()
	const riddle = `CREATE TABLE shop.riddles (tenant_id uuid NOT NULL, answer text NOT NULL CHECK (md5(answer) = md5(reverse('ttam'))), PRIMARY KEY (tenant_id, answer));
		ALTER TABLE shop.riddles ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON shop.riddles USING (tenant_id = NULLIF(current_setting('shop.tenant', true), '')::uuid)`
	cfg := shopLogin(t, riddle)
	cfg.Parts = []rlstest.Part{rlstest.Matrix}
	_, err := rlstest.Check(t.Context(), cfg)
	require.ErrorContains(t, err, "riddles_answer_check")
	require.ErrorContains(t, err, "Config.Rows")

	t.Run("unless the rows are given", func(t *testing.T) {
		cfg.Rows = func(table string, _ uuid.UUID) (map[string]any, bool) {
			return map[string]any{"answer": "matt"}, table == "shop.riddles"
		}
		report, err := rlstest.Check(t.Context(), cfg)
		require.NoError(t, err)
		require.Empty(t, report.Faults())
	})
	t.Run("or values of the column", func(t *testing.T) {
		cfg.Rows, cfg.Values = nil, map[string][]any{"shop.riddles.answer": {"matt"}}
		_, err := rlstest.Check(t.Context(), cfg)
		require.NoError(t, err)
	})
	t.Run("or the table is skipped, which the report says", func(t *testing.T) {
		cfg.Values, cfg.Skip = nil, map[string]string{"shop.riddles": "too hard"}
		report, err := rlstest.Check(t.Context(), cfg)
		require.NoError(t, err)
		require.Contains(t, report.String(), "skipped: shop.riddles: too hard")
	})
}

func TestAnExpectedRefusalIsNoFault(t *testing.T) {
	t.Parallel()
	cfg := shopLogin(t, `CREATE FUNCTION shop.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'customers are kept'; END $$;
		CREATE TRIGGER keep BEFORE DELETE ON shop.customers EXECUTE FUNCTION shop.keep()`)
	cfg.Parts = []rlstest.Part{rlstest.Matrix}
	report, err := rlstest.Check(t.Context(), cfg)
	require.NoError(t, err)
	require.NotEmpty(t, report.Faults(), "the statement trigger also fires where there is no row")
	cfg.Expect = map[string]string{"shop.customers DELETE": "P0001"}
	report, err = rlstest.Check(t.Context(), cfg)
	require.NoError(t, err)
	require.Empty(t, report.Faults())
	require.True(t, strings.Contains(report.String(), "matrix: "))
}

// A MERGE may have a clause that writes into another tenant and not come to it. It is as good as any other statement then.
func TestAStatementThatMightCrossIsJudgedByWhatItDid(t *testing.T) {
	type outcome = rlstest.Outcome
	const denied, duplicate = "42501", "23505"
	for name, c := range map[string]struct {
		crosses      bool
		real, shadow outcome
		fault        bool
	}{
		"refused where the oracle lets a row stray":    {true, outcome{State: denied}, outcome{Rows: 1, Strayed: true}, false},
		"refused before the oracle's key is looked at": {true, outcome{State: denied}, outcome{State: duplicate}, false},
		"its other clauses changed the same rows":      {true, outcome{Rows: 4}, outcome{Rows: 4}, false},
		"let through though a row strayed":             {true, outcome{Rows: 1}, outcome{Rows: 1, Strayed: true}, true},
		"its other clauses changed fewer rows":         {true, outcome{Rows: 3}, outcome{Rows: 4}, true},
		"it found nothing where the oracle did":        {true, outcome{}, outcome{Rows: 1, Strayed: true}, true},
		"refused though nothing strayed":               {true, outcome{State: denied}, outcome{Rows: 4}, true},
		"a row strays of which nobody knew":            {false, outcome{State: denied}, outcome{Rows: 1, Strayed: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.fault, rlstest.Disagree(c.crosses, c.real, c.shadow))
		})
	}
}

func TestEqualNumbersAreWrittenAlike(t *testing.T) {
	require.Equal(t, []string{"0", "0", "4", "100", "1.5", "-0.25", "NaN", "1"}, rlstest.TrimScale("0.000", "0", "4.0000", "100", "1.50", "-0.250", "NaN", "1."))
}
