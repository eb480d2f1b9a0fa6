package migrate_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/migrate"
)

func TestPlan(t *testing.T) {
	db := pgtest.New(t)
	url := db.URL(rls.RoleMigrator)
	empty := contents(t, db)
	holder, err := pgx.Connect(t.Context(), url) // another process migrates all the while
	require.NoError(t, err)
	defer holder.Close(context.Background())
	_, err = holder.Exec(t.Context(), "SELECT pg_advisory_lock($1)", migrate.LockID)
	require.NoError(t, err)
	plan, err := migrate.Plan(t.Context(), url, every...)
	require.NoError(t, err)
	require.Equal(t, empty, contents(t, db))
	require.Equal(t, []migrate.Step{
		{Source: "hard", File: "00001_statements.sql", Version: 1, Statements: 4, Transactional: true},
		{Source: "hard", File: "00002_outside.sql", Version: 2, Statements: 2},
		{Source: "hard", File: "00010_empty.sql", Version: 10, Transactional: true},
		{Source: "hard", File: "00011_last.sql", Version: 11, Statements: 1, Transactional: true},
	}, plan[len(plan)-4:])
	_, err = holder.Exec(t.Context(), "SELECT pg_advisory_unlock_all()")
	require.NoError(t, err)
	t.Run("is what Up then does", func(t *testing.T) {
		first, err := migrate.Up(t.Context(), url, every[:2]...)
		require.NoError(t, err)
		rest, err := migrate.Plan(t.Context(), url, every...)
		require.NoError(t, err)
		require.Equal(t, plan[len(first.Applied):], rest)
		second, err := migrate.Up(t.Context(), url, every...)
		require.NoError(t, err)
		for i, a := range append(first.Applied, second.Applied...) {
			require.Equal(t, []string{plan[i].Source, plan[i].File}, []string{a.Source, a.File})
		}
		rest, err = migrate.Plan(t.Context(), url, every...)
		require.NoError(t, err)
		require.Empty(t, rest)
	})
	t.Run("works for a role that may not use the schema yet", func(t *testing.T) {
		db := pgtest.New(t)
		_, err := migrate.Up(t.Context(), db.URL(rls.RoleMigrator), source("other", map[string]string{"00001_a.sql": "SELECT 1;"}))
		require.NoError(t, err)
		_, err = migrate.Plan(t.Context(), db.URL(rls.RoleMigrator), every...)
		require.NoError(t, err)
	})
	t.Run("fails where the argument does", func(t *testing.T) {
		_, err := migrate.Plan(t.Context(), url, source("x", map[string]string{"00001_a.sql": "SELECT 1"}))
		require.Error(t, err)
		_, err = migrate.Plan(t.Context(), "postgres://u:secret@[", hard)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secret")
	})
}

func TestPlanRefusesWhatUpRefuses(t *testing.T) {
	db := pgtest.New(t)
	url := db.URL(rls.RoleMigrator)
	_, err := migrate.Up(t.Context(), url, source("x", map[string]string{"00002_b.sql": "SELECT 1;", "00003_c.sql": "SELECT 2;"}))
	require.NoError(t, err)
	before := contents(t, db)
	for name, c := range map[string]struct {
		files map[string]string
		err   error
	}{
		"an edited file":       {map[string]string{"00002_b.sql": "SELECT 9;", "00003_c.sql": "SELECT 2;"}, &migrate.EditedError{Source: "x", File: "00002_b.sql", Version: 2}},
		"a missing file":       {map[string]string{"00002_b.sql": "SELECT 1;"}, &migrate.MissingError{Source: "x", Version: 3}},
		"a file come too late": {map[string]string{"00001_a.sql": "SELECT 0;", "00002_b.sql": "SELECT 1;", "00003_c.sql": "SELECT 2;"}, &migrate.OrderError{Source: "x", File: "00001_a.sql", Version: 1, Newest: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			_, planned := migrate.Plan(t.Context(), url, source("x", c.files))
			require.Equal(t, c.err, planned)
			_, applied := migrate.Up(t.Context(), url, source("x", c.files))
			require.Equal(t, c.err, applied)
			require.Equal(t, before, contents(t, db))
			out, err := psql(t, db, script(t, source("x", c.files)))
			require.Error(t, err)
			require.Contains(t, out, "migrate: x: ")
			require.Equal(t, before, contents(t, db))
		})
	}
	t.Run("a file edited after one that failed was never retried", func(t *testing.T) {
		failing := map[string]string{"00001_a.sql": "SELECT 1;", "00002_b.sql": "SELECT 1/0;"}
		_, err := migrate.Up(t.Context(), url, source("y", failing))
		require.Error(t, err)
		failing["00001_a.sql"] = "SELECT 3;"
		var edited *migrate.EditedError
		_, err = migrate.Plan(t.Context(), url, source("y", failing))
		require.ErrorAs(t, err, &edited)
	})
}
