package pgledger_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// injected is a call of the append function as an attacker would make it, who may even hold the door key.
type injected struct {
	tenant       uuid.UUID
	generation   uint32
	first        uint64
	previous     [32]byte
	entry        verify.Entry
	hash         [32]byte
	at           time.Time
	mac          []byte
	openings     [][]any // seq, commitment, salt, subject, value
	inner, outer []byte
}

// craft makes a correct call for the next entry.
func craft(t *testing.T, k kit, tenant uuid.UUID) *injected {
	head, err := k.log.Head(t.Context(), tenant)
	require.NoError(t, err)
	c := &injected{tenant: tenant, generation: 1, first: head.Size, previous: head.Hash, at: time.Now().UTC().Truncate(time.Microsecond)}
	c.entry = verify.Entry{ID: uuid.New(), Action: "login", EntityType: "user", EntityID: "u", Details: []byte(`{"n":1}`),
		Narrative: "Ein Satz mit Umlaut: ü.", Scheme: verify.SchemeBound}
	require.NoError(t, k.pg.Superuser(t).QueryRow(t.Context(),
		`SELECT door_inner, door_outer FROM tomkit.ledger_logs WHERE tenant_id = $1`, tenant).Scan(&c.inner, &c.outer))
	c.seal(t)
	return c
}

// seal makes hashes and code right for the fields.
func (c *injected) seal(t *testing.T) {
	c.hash = verify.ChainHash(c.previous, c.entry.Action, c.entry.EntityID, c.entry.Narrative, c.at)
	c.authenticate(t)
}

func (c *injected) authenticate(t *testing.T) {
	e := c.entry
	e.Seq, e.Tenant, e.PreviousHash, e.CurrentHash, e.CreatedAt = c.first, c.tenant, c.previous, c.hash, c.at
	canonical, err := e.Canonical()
	require.NoError(t, err)
	leaf := verify.LeafHash(canonical)
	in := sha256.Sum256(append(append([]byte(nil), c.inner...), pgledger.AppendMessage(c.tenant, c.generation, c.first, leaf[:])...))
	out := sha256.Sum256(append(append([]byte(nil), c.outer...), in[:]...))
	c.mac = out[:]
}

func (c *injected) args() []any {
	var seqs []int64
	var commits, salts [][]byte
	var subjects [][16]byte
	var values []string
	for _, o := range c.openings {
		seqs, commits, salts = append(seqs, o[0].(int64)), append(commits, o[1].([]byte)), append(salts, o[2].([]byte))
		subjects, values = append(subjects, uuid.New()), append(values, o[3].(string))
	}
	return []any{c.tenant, c.generation, int64(c.first), []string{hex.EncodeToString(c.previous[:])}, c.mac,
		[][16]byte{c.entry.ID}, []*[16]byte{nil}, []string{c.entry.Action}, []string{c.entry.EntityType}, []string{c.entry.EntityID},
		[]string{string(c.entry.Details)}, []string{c.entry.Narrative}, []string{hex.EncodeToString(c.hash[:])}, []time.Time{c.at},
		[]string{"normal"}, [][]byte{nil}, []*string{nil}, seqs, commits, salts, subjects, values}
}

func TestAnInjectedAppend(t *testing.T) {
	k := newKit(t)
	tenant, other := uuid.New(), uuid.New()
	k.fill(t, tenant, 2)
	k.fill(t, other, 2)

	t.Run("is accepted only with everything right, as a check of what follows", func(t *testing.T) {
		_, err := k.db.Tenant(tenant).Exec(t.Context(), pgledger.AppendSQL, craft(t, k, tenant).args()...)
		require.NoError(t, err)
	})
	for _, c := range []struct {
		name   string
		state  string
		change func(*testing.T, *injected)
	}{
		{"without the door key", "TKL02", func(t *testing.T, c *injected) { c.mac = make([]byte, 32) }},
		{"without a code", "TKL02", func(t *testing.T, c *injected) { c.mac = nil }},
		{"with the code of another text", "TKL02", func(t *testing.T, c *injected) { c.entry.Details = []byte(`{"n":2}`) }},
		{"with the code of another id", "TKL02", func(t *testing.T, c *injected) { c.entry.ID = uuid.New() }},
		{"under other keys than the log's", "TKL01", func(t *testing.T, c *injected) { c.generation++; c.seal(t) }},
		{"with the code of another generation", "TKL02", func(t *testing.T, c *injected) { c.generation++; c.seal(t); c.generation-- }},
		{"that skips a position", "TKL01", func(t *testing.T, c *injected) { c.first++; c.seal(t) }},
		{"that repeats a position", "TKL01", func(t *testing.T, c *injected) { c.first--; c.seal(t) }},
		{"with a wrong previous hash", "TKL01", func(t *testing.T, c *injected) { c.previous[0] ^= 1; c.seal(t) }},
		{"with a hash that does not follow", "TKL03", func(t *testing.T, c *injected) { c.hash[0] ^= 1; c.authenticate(t) }},
		{"from the future", "TKL04", func(t *testing.T, c *injected) { c.at = c.at.Add(time.Hour); c.seal(t) }},
		{"from the past", "TKL03", func(t *testing.T, c *injected) { c.at = c.at.Add(-time.Hour); c.seal(t) }},
		{"with an opening that does not fit", "TKL03", func(t *testing.T, c *injected) {
			c.openings = [][]any{{int64(c.first), make([]byte, 32), make([]byte, 32), "name"}}
		}},
		{"with an opening of an older entry", "TKL03", func(t *testing.T, c *injected) {
			sum := verify.Commitment([32]byte{}, "name")
			c.openings = [][]any{{int64(1), sum[:], make([]byte, 32), "name"}}
		}},
	} {
		t.Run("is refused "+c.name, func(t *testing.T) {
			call := craft(t, k, tenant)
			c.change(t, call)
			_, err := k.db.Tenant(tenant).Exec(t.Context(), pgledger.AppendSQL, call.args()...)
			requireState(t, err, c.state)
		})
	}
	t.Run("is refused for another tenant", func(t *testing.T) {
		_, err := k.db.Tenant(tenant).Exec(t.Context(), pgledger.AppendSQL, craft(t, k, other).args()...)
		requireState(t, err, denied)
	})
	t.Run("is refused without a context, and under a forged one", func(t *testing.T) {
		_, err := k.db.Anonymous().Exec(t.Context(), pgledger.AppendSQL, craft(t, k, tenant).args()...)
		requireState(t, err, denied)
		conn, err := k.pg.Pool(t, "tomkit_app").Acquire(t.Context())
		require.NoError(t, err)
		defer conn.Release()
		for _, forged := range []string{tenant.String(), strings.Repeat("0", 64) + "." + tenant.String() + ".9999999999"} {
			_, err = conn.Exec(t.Context(), `SELECT set_config('app.tenant_id', $1, false)`, forged)
			require.NoError(t, err)
			_, err = conn.Exec(t.Context(), pgledger.AppendSQL, craft(t, k, tenant).args()...)
			requireState(t, err, denied)
		}
	})
	t.Run("is refused on the system login without the bypass", func(t *testing.T) {
		_, err := k.pg.Pool(t, "tomkit_system").Exec(t.Context(), pgledger.AppendSQL, craft(t, k, tenant).args()...)
		requireState(t, err, denied)
	})
	t.Run("is not even callable by other logins", func(t *testing.T) {
		for _, role := range []string{"tomkit_msp", "tomkit_backup"} {
			_, err := k.pg.Pool(t, role).Exec(t.Context(), pgledger.AppendSQL, craft(t, k, tenant).args()...)
			requireState(t, err, denied)
		}
	})
	t.Run("cannot open a second log or publish a checkpoint", func(t *testing.T) {
		_, err := k.db.Tenant(tenant).Exec(t.Context(), `SELECT tomkit.ledger_create($1, 'x.org/ledger/00000000000000000000000000000000/1',
sha256('') || sha256(''), sha256('') || sha256(''), '', '{}', '{}', '{}', '{}')`, tenant)
		requireState(t, err, "TKL06")
		_, err = k.db.Tenant(tenant).Exec(t.Context(), `SELECT tomkit.ledger_publish($1, 2, sha256(''), 'note', now(), sha256(''), '{}', '{}', '{}', '{}')`, tenant)
		requireState(t, err, "TKL02")
	})

	for _, id := range []uuid.UUID{tenant, other} {
		report, err := k.log.VerifyChain(t.Context(), id, pgledger.VerifyOptions{})
		require.NoError(t, err)
		require.True(t, report.Intact(), "%+v", report.Findings)
	}
}
