package pgauthn

import (
	"context"
	"time"

	"github.com/pioneerdesk/tomkit/rls"
)

// How long rows are kept after they have lost their meaning.
const (
	keepSteps    = 24 * time.Hour      // a used step token that comes back is recognised for so long
	keepSessions = 30 * 24 * time.Hour // after their absolute end
	keepCounters = 48 * time.Hour      // after their last attempt; longer than any back-off remembers by default
)

// Swept is how many rows [Store.Sweep] removed.
type Swept struct {
	Steps, Sessions, Counters int64
}

// Sweep removes step tokens, sessions and failure counters of all tenants that are long over. Run it every hour or so;
// running it in many processes at once does no harm.
func (s *Store) Sweep(ctx context.Context) (swept Swept, err error) {
	now := s.now()
	err = s.cfg.DB.System(ctx, "authn_sweep", func(ctx context.Context, tx *rls.Tx) error {
		for _, job := range []struct {
			sql    string
			before time.Time
			count  *int64
		}{
			{`DELETE FROM tomkit.step_tokens WHERE expires_at < $1`, now.Add(-keepSteps), &swept.Steps},
			{`DELETE FROM tomkit.sessions WHERE ends_at < $1`, now.Add(-keepSessions), &swept.Sessions},
			{`DELETE FROM tomkit.sign_in_failures WHERE last_at < $1
				AND coalesce(blocked_until, '-infinity') < $1 AND coalesce(trusted_until, '-infinity') < $1`, now.Add(-keepCounters), &swept.Counters},
		} {
			tag, err := tx.Exec(ctx, job.sql, job.before)
			if err != nil {
				return err
			}
			*job.count = tag.RowsAffected()
		}
		return nil
	})
	if err != nil {
		return Swept{}, wrap("sweep", err)
	}
	return swept, nil
}
