package pgauthn

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/rls"
)

// lockCounters makes the rows that are missing and locks all of them, in the order of the keys so that two calls never
// wait for each other. DO UPDATE with the old value is what locks a row and returns it.
const lockCounters = `INSERT INTO tomkit.sign_in_failures AS c (tenant_id, key)
	SELECT $1, k FROM unnest($2::bytea[]) k ORDER BY k
	ON CONFLICT (tenant_id, key) DO UPDATE SET failures = c.failures
	RETURNING c.key, c.failures, c.blocked_until, c.last_at, c.trusted_until`

const writeCounters = `UPDATE tomkit.sign_in_failures c
	SET failures = n.failures, blocked_until = n.blocked_until, last_at = n.last_at, trusted_until = n.trusted_until
	FROM unnest($2::bytea[], $3::int[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
		AS n (key, failures, blocked_until, last_at, trusted_until)
	WHERE c.tenant_id = $1 AND c.key = n.key`

// Count implements [authn.Counters]. The rows are locked while fn runs.
func (s *Store) Count(ctx context.Context, tenant uuid.UUID, keys []authn.CounterKey, fn func([]authn.Counter) error) error {
	var objection error
	err := s.in(ctx, tenant, func(ctx context.Context, tx *rls.Tx) error {
		counters, err := lock(ctx, tx, tenant, keys)
		if err != nil {
			return err
		}
		if objection = fn(counters); objection != nil {
			return objection
		}
		return write(ctx, tx, tenant, keys, counters)
	})
	if objection != nil {
		return objection
	}
	if err != nil {
		return wrap("count", err)
	}
	return nil
}

func lock(ctx context.Context, tx *rls.Tx, tenant uuid.UUID, keys []authn.CounterKey) ([]authn.Counter, error) {
	rows, err := tx.Query(ctx, lockCounters, tenant, keyBytes(keys))
	if err != nil {
		return nil, err
	}
	byKey := make(map[authn.CounterKey]authn.Counter, len(keys))
	var key []byte
	var n int
	var blocked, last, trusted *time.Time
	_, err = pgx.ForEachRow(rows, []any{&key, &n, &blocked, &last, &trusted}, func() error {
		byKey[authn.CounterKey(key)] = authn.Counter{Failures: n, BlockedUntil: utc(blocked), LastAt: utc(last), TrustedUntil: utc(trusted)}
		return nil
	})
	counters := make([]authn.Counter, len(keys))
	for i, k := range keys {
		counters[i] = byKey[k]
	}
	return counters, err
}

func write(ctx context.Context, tx *rls.Tx, tenant uuid.UUID, keys []authn.CounterKey, counters []authn.Counter) error {
	n := make([]int32, len(keys))
	blocked, last, trusted := make([]*time.Time, len(keys)), make([]*time.Time, len(keys)), make([]*time.Time, len(keys))
	for i, c := range counters {
		n[i] = int32(min(c.Failures, 1<<30)) // bounded
		blocked[i], last[i], trusted[i] = null(c.BlockedUntil), null(c.LastAt), null(c.TrustedUntil)
	}
	_, err := tx.Exec(ctx, writeCounters, tenant, keyBytes(keys), n, blocked, last, trusted)
	return err
}

func keyBytes(keys []authn.CounterKey) [][]byte {
	b := make([][]byte, len(keys))
	for i := range keys {
		b[i] = keys[i][:]
	}
	return b
}
