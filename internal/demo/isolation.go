package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// isolatedQuery counts what a session sees, and what of it is not its own.
const isolatedQuery = `SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM tomkit.users`

// attackIsolation tries to read the other tenant's rows with every means the request login has.
func (d *demo) attackIsolation(ctx context.Context) error {
	w := &d.world
	theirs, err := d.superCount(ctx, `SELECT count(*) FROM tomkit.users WHERE tenant_id = $1`, w.utility)
	if err != nil {
		return err
	}
	own, err := d.superCount(ctx, `SELECT count(*) FROM tomkit.users WHERE tenant_id = $1`, w.clinic)
	if err != nil {
		return err
	}
	d.fact("a superuser sees %d users of the clinic and %d of the utility; the attacks run as tomkit_app", own, theirs)
	scope := d.server.DB.Tenant(w.clinic)
	var signed string // what the clinic's statements carry; whoever injects SQL can read it
	if err := scope.QueryRow(ctx, `SELECT current_setting('app.tenant_id')`).Scan(&signed); err != nil {
		return err
	}
	exchanged := strings.Replace(signed, w.clinic.String(), w.utility.String(), 1)
	if exchanged == signed {
		return errors.New("demo: the signed context does not name its tenant: there is nothing to exchange")
	}

	d.try(ctx, "T2.1-04", "a query without WHERE", fmt.Sprintf("%d own rows, 0 of others", own), func(ctx context.Context) (string, bool, error) {
		var all, foreign int
		err := scope.QueryRow(ctx, isolatedQuery, w.clinic).Scan(&all, &foreign)
		return fmt.Sprintf("%d rows, %d of others", all, foreign), all == own && foreign == 0, err
	})
	d.try(ctx, "T2.1-04", "a query for the other tenant's id", "0 rows", func(ctx context.Context) (string, bool, error) {
		var n int
		err := scope.QueryRow(ctx, `SELECT count(*) FROM tomkit.users WHERE tenant_id = $1`, w.utility).Scan(&n)
		return rows(n), n == 0, err
	})
	d.try(ctx, "T2.1-05", "no tenant context", "0 rows", func(ctx context.Context) (string, bool, error) {
		var n int
		err := d.server.DB.Anonymous().QueryRow(ctx, `SELECT count(*) FROM tomkit.users`).Scan(&n)
		return rows(n), n == 0, err
	})
	for _, injected := range []struct{ control, name, setting, value string }{
		{"T2.1-03", "injected SQL sets the tenant to the other's id", "app.tenant_id", w.utility.String()},
		{"T2.1-03", "injected SQL takes its own signed context and exchanges the tenant in it", "app.tenant_id", exchanged},
		{"T2.1-06", "injected SQL turns the bypass on", "app.bypass_rls", "on"},
	} {
		d.try(ctx, injected.control, injected.name, "0 rows of others, in the same statement and in the next", func(ctx context.Context) (string, bool, error) {
			n, err := d.inject(ctx, injected.setting, injected.value)
			return rows(n) + " of others", n == 0, err
		})
	}
	d.try(ctx, "T2.1-06", "injected SQL takes another role", "permission denied", func(ctx context.Context) (string, bool, error) {
		_, err := scope.Exec(ctx, `SELECT set_config('role', 'tomkit_system', true)`)
		return outcome(err), refused(err, "42501", "22023"), nil
	})
	d.try(ctx, "T2.1-04", "writing a row for the other tenant", "refused by the policy", func(ctx context.Context) (string, bool, error) {
		_, err := scope.Exec(ctx, `INSERT INTO tomkit.roles (tenant_id, id, name, created_at) VALUES ($1, $2, 'intruder', now())`, w.utility, uuid.New())
		return outcome(err), refused(err, "42501"), nil
	})
	return nil
}

// inject runs what an attacker would smuggle into a statement of the request login, and counts the other tenant's rows it gets to
// see: in the same statement, and in the ones after it on the same connection without any scope.
func (d *demo) inject(ctx context.Context, setting, value string) (int, error) {
	const smuggled = `WITH x AS MATERIALIZED (SELECT set_config($1, $2, true) AS s)
		SELECT count(*) FROM x CROSS JOIN LATERAL (SELECT u.tenant_id, x.s FROM tomkit.users u) AS u WHERE u.tenant_id = $3`
	var inScope int
	if err := d.server.DB.Tenant(d.world.clinic).QueryRow(ctx, smuggled, setting, value, d.world.utility).Scan(&inScope); err != nil {
		return 0, err
	}
	conn, err := pgx.Connect(ctx, d.server.Logins.App)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `SELECT set_config($1, $2, false)`, setting, value); err != nil {
		return 0, err
	}
	var after int
	err = conn.QueryRow(ctx, `SELECT count(*) FROM tomkit.users WHERE tenant_id = $1`, d.world.utility).Scan(&after)
	return inScope + after, err
}

func rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}
