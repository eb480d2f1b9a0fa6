package pgledger_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// injected is a call of the append function as an attacker would make it, who may even hold the door key.
type injected struct {
	tenant       uuid.UUID
	generation   uint32
	first        uint64
	at           time.Time
	mac          []byte
	entries      []verify.Entry
	rows         [][]byte
	cuts         []byte
	signatures   [][]byte
	key          string
	openings     [][]byte
	inner, outer []byte
}

// craft makes a correct call for the next two entries.
func craft(t *testing.T, k kit, tenant uuid.UUID) *injected {
	head, err := k.log.Head(t.Context(), tenant)
	require.NoError(t, err)
	c := &injected{tenant: tenant, generation: 1, first: head.Size, at: time.Now().UTC().Truncate(time.Microsecond)}
	user := [16]byte(uuid.New())
	commitment, salt := verify.Commitment([32]byte{1}, "name"), [32]byte{1}
	c.openings = [][]byte{slices.Concat([]byte{0, 1}, commitment[:], salt[:], user[:], []byte("name"))}
	for i := range 2 {
		e := verify.Entry{ID: uuid.New(), Tenant: tenant, Action: "login", EntityType: "user", EntityID: "u", Details: []byte(`{"n":1}`),
			Narrative: "Ein Satz mit Umlaut: ü.", Scheme: verify.SchemeBound, PreviousHash: head.Hash, Seq: head.Size + uint64(i)}
		if i == 1 {
			e.User, e.Details = &user, fmt.Appendf(nil, `{"name":{"c":"%x"}}`, commitment)
		}
		c.entries = append(c.entries, e)
	}
	require.NoError(t, k.pg.Superuser(t).QueryRow(t.Context(),
		`SELECT door_inner, door_outer FROM tomkit.ledger_heads WHERE tenant_id = $1`, tenant).Scan(&c.inner, &c.outer))
	c.link()
	c.render(t)
	c.authenticate()
	return c
}

// link makes the hashes right for the fields.
func (c *injected) link() {
	previous := c.entries[0].PreviousHash
	for i := range c.entries {
		e := &c.entries[i]
		e.PreviousHash, e.CreatedAt = previous, c.at
		e.CurrentHash = verify.ChainHash(previous, e.Action, e.EntityID, e.Narrative, c.at)
		previous = e.CurrentHash
	}
}

// render makes the rows.
func (c *injected) render(t *testing.T) {
	c.rows, c.cuts = nil, nil
	for i := range c.entries {
		e := &c.entries[i]
		canonical, err := e.Canonical()
		require.NoError(t, err)
		c.rows = append(c.rows, append([]byte{0}, canonical...))
		cut := 120
		if e.User != nil {
			cut += 16
		}
		for _, n := range []int{0, len(e.Action) + 2, len(e.EntityType) + 2, len(e.EntityID) + 2, len(e.Narrative) + 4} {
			cut += n
			c.cuts = binary.BigEndian.AppendUint16(c.cuts, uint16(cut))
		}
	}
}

// authenticate makes the code right for what will be sent.
func (c *injected) authenticate() {
	b := append([]byte("tomkit/ledger/append/v1\x00"), c.tenant[:]...)
	b = binary.BigEndian.AppendUint32(b, c.generation)
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.rows)))
	for _, row := range c.rows {
		leaf := sha256.Sum256(row)
		b = append(b, leaf[:]...)
	}
	signatures, openings := pgledger.ArraySum(c.signatures), pgledger.ArraySum(c.openings)
	b = slices.Concat(b, c.cuts, signatures[:], openings[:], []byte(c.key))
	c.mac = c.hmac(b)
}

func (c *injected) hmac(b []byte) []byte {
	in := sha256.Sum256(slices.Concat(c.inner, b))
	out := sha256.Sum256(slices.Concat(c.outer, in[:]))
	return out[:]
}

// again makes everything right for changed entries.
func (c *injected) again(t *testing.T) {
	c.link()
	c.render(t)
	c.authenticate()
}

func (c *injected) args() []any {
	signatures := c.signatures
	if signatures == nil {
		signatures = [][]byte{}
	}
	return []any{c.tenant, c.generation, int64(c.first), c.at, c.mac, c.rows, c.cuts, signatures, c.key, c.openings}
}

func TestArraySumsAreTheServers(t *testing.T) {
	k := newKit(t)
	super := k.pg.Superuser(t)
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOf(rapid.Byte())), 0, 5).Draw(t, "list")
		var server []byte
		if err := super.QueryRow(context.Background(), `SELECT sha256(array_send($1::bytea[]))`, list).Scan(&server); err != nil {
			t.Fatal(err)
		}
		if ours := pgledger.ArraySum(list); string(server) != string(ours[:]) {
			t.Fatalf("%x, the server's is %x", ours, server)
		}
	})
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
		{"with the code of another text", "TKL02", func(t *testing.T, c *injected) {
			c.entries[0].Details = []byte(`{"n":2}`)
			c.render(t)
		}},
		{"with the code of another id", "TKL02", func(t *testing.T, c *injected) { c.entries[1].ID = uuid.New(); c.render(t) }},
		{"with its rows in another order", "TKL02", func(t *testing.T, c *injected) { slices.Reverse(c.rows) }},
		{"with a row left out", "TKL02", func(t *testing.T, c *injected) { c.rows = c.rows[:1] }},
		{"with its columns swapped", "TKL02", func(t *testing.T, c *injected) { c.cuts[1], c.cuts[3] = c.cuts[3], c.cuts[1] }},
		{"with a signature added", "TKL02", func(t *testing.T, c *injected) { c.signatures = [][]byte{{1}, nil} }},
		{"with another signature key", "TKL02", func(t *testing.T, c *injected) { c.key = "0123456789abcdef" }},
		{"with an opening added", "TKL02", func(t *testing.T, c *injected) { c.openings = append(c.openings, c.openings[0]) }},
		{"with the opening of another person", "TKL02", func(t *testing.T, c *injected) { c.openings[0][70] ^= 1 }},
		{"with another value behind a commitment", "TKL02", func(t *testing.T, c *injected) {
			c.openings[0] = append(c.openings[0], 'x')
		}},
		{"with the code of another purpose", "TKL02", func(t *testing.T, c *injected) {
			c.mac = c.hmac(slices.Concat([]byte("tomkit/ledger/publish/v1\x00"), c.tenant[:], make([]byte, 8)))
		}},
		{"under other keys than the log's", "TKL01", func(t *testing.T, c *injected) { c.generation++; c.again(t) }},
		{"with the code of another generation", "TKL02", func(t *testing.T, c *injected) { c.generation++; c.again(t); c.generation-- }},
		{"that skips a position", "TKL01", func(t *testing.T, c *injected) {
			c.first++
			c.entries[0].Seq++
			c.entries[1].Seq++
			c.again(t)
		}},
		{"that repeats a position", "TKL01", func(t *testing.T, c *injected) {
			c.first--
			c.entries[0].Seq--
			c.entries[1].Seq--
			c.again(t)
		}},
		{"whose rows have other positions", "TKL03", func(t *testing.T, c *injected) { c.entries[1].Seq++; c.again(t) }},
		{"whose rows are another tenant's", "TKL03", func(t *testing.T, c *injected) { c.entries[1].Tenant = other; c.again(t) }},
		{"whose rows have another time", "TKL03", func(t *testing.T, c *injected) { c.at = c.at.Add(time.Microsecond); c.authenticate() }},
		{"with a wrong previous hash", "TKL01", func(t *testing.T, c *injected) { c.entries[0].PreviousHash[0] ^= 1; c.again(t) }},
		{"with a broken link", "TKL03", func(t *testing.T, c *injected) {
			c.entries[1].PreviousHash[0] ^= 1
			c.render(t)
			c.authenticate()
		}},
		{"from the future", "TKL04", func(t *testing.T, c *injected) { c.at = c.at.Add(time.Hour); c.again(t) }},
		{"from the past", "TKL03", func(t *testing.T, c *injected) { c.at = c.at.Add(-time.Hour); c.again(t) }},
	} {
		t.Run("is refused "+c.name, func(t *testing.T) {
			call := craft(t, k, tenant)
			c.change(t, call)
			_, err := k.db.Tenant(tenant).Exec(t.Context(), pgledger.AppendSQL, call.args()...)
			requireState(t, err, c.state)
		})
	}
	t.Run("is refused with a NULL anywhere", func(t *testing.T) {
		for i := range craft(t, k, tenant).args() {
			args := craft(t, k, tenant).args()
			args[i] = nil
			_, err := k.db.Tenant(tenant).Exec(t.Context(), pgledger.AppendSQL, args...)
			require.Error(t, err, "%d", i)
			args[4] = nil // the code of a message with NULL
			_, err = k.db.Tenant(tenant).Exec(t.Context(), pgledger.AppendSQL, args...)
			require.Error(t, err, "%d and no code", i)
		}
	})
	t.Run("is refused a second time", func(t *testing.T) {
		call := craft(t, k, tenant)
		_, err := k.db.Tenant(tenant).Exec(t.Context(), pgledger.AppendSQL, call.args()...)
		require.NoError(t, err)
		_, err = k.db.Tenant(tenant).Exec(t.Context(), pgledger.AppendSQL, call.args()...)
		requireState(t, err, "TKL01")
	})
	t.Run("is refused with the code of another tenant's call", func(t *testing.T) {
		mine, theirs := craft(t, k, tenant), craft(t, k, other)
		mine.mac = theirs.mac
		_, err := k.db.Tenant(tenant).Exec(t.Context(), pgledger.AppendSQL, mine.args()...)
		requireState(t, err, "TKL02")
	})
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

// one makes a correct call of the function that finds the head itself.
func one(t *testing.T, k kit, tenant uuid.UUID, generation int, at time.Time) []any {
	var inner []byte
	require.NoError(t, k.pg.Superuser(t).QueryRow(t.Context(),
		`SELECT door_inner FROM tomkit.ledger_heads WHERE tenant_id = $1`, tenant).Scan(&inner))
	door := [32]byte(inner)
	for i := range door {
		door[i] ^= 0x36 // RFC 2104
	}
	user := [16]byte(uuid.New())
	o := ledger.Opening{Salt: [32]byte{1}, Subject: uuid.New(), Value: "name"}
	o.Commitment = verify.Commitment(o.Salt, o.Value)
	args, err := pgledger.AppendOneArgs(door, tenant, generation, at, verify.Entry{
		ID: uuid.New(), Tenant: tenant, User: &user, Action: "login", EntityType: "user", EntityID: "u",
		Details: fmt.Appendf(nil, `{"name":{"c":"%x"}}`, o.Commitment), Narrative: "Ein Satz mit Umlaut: ü.", CreatedAt: at,
		Scheme: verify.SchemeBound,
	}, []ledger.Opening{o})
	require.NoError(t, err)
	return args
}

func TestAnInjectedAppendOfOne(t *testing.T) {
	k := newKit(t)
	tenant, other := uuid.New(), uuid.New()
	k.fill(t, tenant, 2)
	k.fill(t, other, 2)
	call := func(args []any) error {
		_, err := k.db.Tenant(tenant).Exec(t.Context(), pgledger.AppendOneSQL, args...)
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	good := one(t, k, tenant, 1, now)
	require.NoError(t, call(good), "everything is right, as a check of what follows")
	requireState(t, call(good), "23505") // a second time
	t.Run("is refused with any other argument", func(t *testing.T) {
		for i, change := range map[int]any{
			1: 2, 2: now.Add(-time.Second), 3: make([]byte, 32), 4: make([]byte, 51), 5: []byte("x"), 6: uuid.New(), 7: uuid.New(),
			8: "logout", 9: "device", 10: "v", 11: `{"name":{"c":""}}`, 12: "Ein anderer Satz.", 13: [][]byte{},
		} {
			args := one(t, k, tenant, 1, now)
			args[i] = change
			want := "TKL02"
			if i == 1 {
				want = "TKL01"
			}
			requireState(t, call(args), want)
			for _, code := range []any{args[3], nil} {
				args[i], args[3] = nil, code
				require.Error(t, call(args), "NULL for %d", i)
			}
		}
	})
	t.Run("is refused with two columns swapped", func(t *testing.T) {
		args := one(t, k, tenant, 1, now)
		args[8], args[9] = args[9], args[8]
		requireState(t, call(args), "TKL02")
	})
	t.Run("is refused with the code of another generation, tenant or function", func(t *testing.T) {
		args := one(t, k, tenant, 2, now)
		args[1] = 1
		requireState(t, call(args), "TKL02")
		args = one(t, k, tenant, 1, now)
		args[3] = one(t, k, other, 1, now)[3]
		requireState(t, call(args), "TKL02")
		args[3] = craft(t, k, tenant).mac
		requireState(t, call(args), "TKL02")
	})
	t.Run("is refused under other keys, from the future, and for another tenant", func(t *testing.T) {
		requireState(t, call(one(t, k, tenant, 2, now)), "TKL01")
		requireState(t, call(one(t, k, tenant, 1, now.Add(time.Hour))), "TKL04")
		requireState(t, call(one(t, k, other, 1, now)), denied)
	})
	t.Run("takes the head's time where its own is older", func(t *testing.T) {
		require.NoError(t, call(one(t, k, tenant, 1, now.Add(-time.Hour))))
	})
	requireIntact(t, k.log, tenant, 5)
	requireIntact(t, k.log, other, 3)
}
