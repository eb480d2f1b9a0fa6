package demo_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/demo"
	"github.com/pioneerdesk/tomkit/internal/pgtest"
)

// controls are the ids of CONTROLS.md.
func controls(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "CONTROLS.md"))
	require.NoError(t, err)
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| (T[0-9A-Z.]+-[0-9]{2}) \|`).FindAllStringSubmatch(string(text), -1) {
		ids[m[1]] = true
	}
	require.Greater(t, len(ids), 100)
	return ids
}

// requireClean asserts that a run has removed what it made.
func requireClean(t *testing.T, tmp string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(tmp, "tomkit-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// reachable makes a directory through which the database's account can pass the place for temporary files, in memory where there is one.
func reachable(t *testing.T) string {
	t.Helper()
	tmp, err := os.MkdirTemp("/dev/shm", "demo-test-")
	if err != nil {
		tmp, err = os.MkdirTemp("", "demo-test-")
	}
	require.NoError(t, err)
	require.NoError(t, os.Chmod(tmp, 0o711))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(tmp)) })
	t.Setenv("TMPDIR", tmp)
	return tmp
}

func TestEveryControlHolds(t *testing.T) {
	pgtest.NeedBinaries(t)
	tmp := reachable(t)
	var out bytes.Buffer
	report, err := demo.Run(t.Context(), demo.Config{Once: true, JSON: true, Out: &out, Version: "test"})
	for _, c := range report.Checks {
		require.Truef(t, c.OK, "%s %s: expected %s, seen %s", c.Control, c.Name, c.Expected, c.Seen)
	}
	require.NoError(t, err)
	require.Zero(t, report.Failed)
	require.GreaterOrEqual(t, report.Passed, 40)
	requireClean(t, tmp)

	t.Run("each check names a control", func(t *testing.T) {
		known := controls(t)
		for _, c := range report.Checks {
			require.Truef(t, known[c.Control], "%s (%s) is not in CONTROLS.md", c.Control, c.Name)
			require.NotEmpty(t, c.Name)
			require.NotEmpty(t, c.Expected)
			require.NotEmpty(t, c.Seen)
		}
	})
	t.Run("machines read one object per line", func(t *testing.T) {
		checks, summaries := 0, 0
		for line := range bytes.Lines(out.Bytes()) {
			var object struct {
				Check   *demo.Check
				Summary *struct{ Passed, Failed int }
			}
			require.NoErrorf(t, json.Unmarshal(line, &object), "%s", line)
			if object.Check != nil {
				checks++
			}
			if object.Summary != nil {
				summaries++
				require.Equal(t, report.Passed, object.Summary.Passed)
			}
		}
		require.Equal(t, []int{len(report.Checks), 1}, []int{checks, summaries})
	})
}

// TestADemoThatCannotFailProvesNothing breaks controls, one or more in each attack that looks at the database, and wants each
// break reported.
func TestADemoThatCannotFailProvesNothing(t *testing.T) {
	pgtest.NeedBinaries(t)
	tmp := reachable(t)
	statements := func(list ...string) func(context.Context, *pgx.Conn) error {
		return func(ctx context.Context, super *pgx.Conn) error {
			for _, sql := range list {
				if _, err := super.Exec(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		}
	}
	sabotage := map[string]func(context.Context, *pgx.Conn) error{
		"Sign-in over HTTPS: password, step token, one-time code": statements(
			`UPDATE tomkit.policies p SET policy = '*:*' WHERE policy = (SELECT min(policy) FROM tomkit.policies q WHERE (q.tenant_id, q.role_id) = (p.tenant_id, p.role_id))`,
			`DELETE FROM tomkit.policies WHERE policy LIKE '!%'`,
		),
		"Attack: the other tenant's rows": statements(
			`ALTER TABLE tomkit.users DISABLE ROW LEVEL SECURITY`,
			`ALTER TABLE tomkit.roles DISABLE ROW LEVEL SECURITY`,
			`GRANT UPDATE ON tomkit.audit_logs TO tomkit_migrator`,
			`ALTER TABLE tomkit.audit_logs DISABLE TRIGGER ALL`,
			`ALTER TABLE tomkit.audit_logs DISABLE ROW LEVEL SECURITY`,
			// Sign-outs without effect: whoever asks for a session gets it as if it had not ended.
			`CREATE FUNCTION public.undead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.ended_at := NULL; RETURN NEW; END'`,
			`CREATE TRIGGER undead BEFORE UPDATE ON tomkit.sessions FOR EACH ROW EXECUTE FUNCTION public.undead()`,
			// Step tokens and codes that are never used up.
			`CREATE FUNCTION public.fresh() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.last_step := 0; RETURN NEW; END'`,
			`CREATE TRIGGER fresh BEFORE UPDATE ON tomkit.user_totp FOR EACH ROW EXECUTE FUNCTION public.fresh()`,
			`UPDATE tomkit.user_totp SET last_step = 0`,
		),
	}
	report, err := demo.RunSabotaged(t.Context(), demo.Config{Once: true, Out: io.Discard}, sabotage)
	require.ErrorIs(t, err, demo.ErrFailed)
	requireClean(t, tmp)
	var failed []string
	for _, c := range report.Checks {
		if !c.OK {
			failed = append(failed, c.Control+" "+c.Name)
		}
	}
	require.Len(t, failed, report.Failed)
	all := strings.Join(failed, "\n")
	for _, name := range []string{
		"a query without WHERE", "a query for the other tenant's id", "no tenant context", "injected SQL sets the tenant to the other's id",
		"injected SQL takes its own signed context", "injected SQL turns the bypass on", "writing a row for the other tenant",
		"a token copied before its owner signed out", "a one-time code that was used", "INSERT as tomkit_migrator",
		"the other tenant's ledger through the request login", "a tenant user makes an enrolment token", "a technician exports the ledger",
	} {
		require.Containsf(t, all, name, "the break was not noticed")
	}
	for _, name := range []string{"INSERT as tomkit_app", "INSERT as tomkit_backup", "a token with algorithm none"} {
		require.NotContains(t, all, name)
	}
}

// TestWithoutOnceItGoesOnServing reads the output as a person would, and stops it as a person would.
func TestWithoutOnceItGoesOnServing(t *testing.T) {
	pgtest.NeedBinaries(t)
	tmp := reachable(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := demo.RunFirst(ctx, demo.Config{Out: w}, 1)
		ended <- err
		_ = w.Close()
	}()
	var text strings.Builder
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "authenticator app: otpauth://totp/") {
			stop() // what follows, the picture, is still drawn
		}
	}
	require.NoError(t, <-ended)
	for _, want := range []string{"Still serving on https://localhost:", "0 failed", "tenant klinikum, e-mail it-leitung@klinikum.example, password ", "▄"} {
		require.Contains(t, text.String(), want)
	}
	require.NotContains(t, text.String(), "FAIL")
	requireClean(t, tmp)
}
