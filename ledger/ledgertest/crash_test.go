package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// memory is a log in memory, of one tenant, that fails every seventh time and does not always know.
type memory struct {
	ledger.Reader
	mu      sync.Mutex
	calls   int
	entries []ledger.Entry
	rows    []string
}

var errRefused = errors.New("refused")

func (m *memory) write(ev record.Event) (ledger.Receipt, error) {
	m.calls++
	if m.calls%7 == 0 {
		return ledger.Receipt{}, errRefused
	}
	e := ledger.Entry{Entry: verify.Entry{Seq: uint64(len(m.entries)), ID: uuid.New(), Action: ev.Action, EntityID: ev.EntityID}}
	m.entries = append(m.entries, e)
	if m.calls%11 == 0 {
		return ledger.Receipt{}, fmt.Errorf("it is there: %w", ledger.ErrOutcomeUnknown)
	}
	return ledger.Receipt{Seq: e.Seq, ID: e.ID}, nil
}

func (m *memory) Append(_ context.Context, ev record.Event) (ledger.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.write(ev)
}

func (m *memory) inTx(_ context.Context, ev record.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := m.write(ev)
	if !errors.Is(err, errRefused) {
		m.rows = append(m.rows, ev.EntityID)
	}
	return err
}

func (m *memory) Entries(_ context.Context, _ uuid.UUID, f ledger.Filter) ([]ledger.Entry, error) {
	from := 0
	if f.After != nil {
		for from < len(m.entries) && m.entries[from].Seq <= *f.After {
			from++
		}
	}
	return m.entries[from:min(from+f.Limit, len(m.entries))], nil
}

// What the harness is there to find, it finds: in a log that is right it finds nothing, and each thing that is wrong by itself.
func TestCrashFindsWhatIsWrong(t *testing.T) {
	tenants := []uuid.UUID{uuid.New()}
	written := func(t *testing.T) (*Crash, *memory) {
		m := &memory{}
		var out strings.Builder
		w := Writing{Name: "w", Tenants: tenants, Turns: 20, Log: m, InTx: m.inTx}
		in, end := io.Pipe() // which ends when the turns are done
		defer end.Close()
		w.Run(in, &out)
		c := newCrash(tenants)
		// The output ends in the middle of a line, as when a process is killed over it.
		c.listen(strings.NewReader(out.String() + "A " + tenants[0].String() + " 99999"))
		acknowledged, inTx, failed := c.Counts()
		require.NotZero(t, acknowledged)
		require.NotZero(t, inTx)
		require.NotZero(t, failed)
		return c, m
	}
	anAcknowledged := func(c *Crash) (entity string, p crashPlace) {
		for entity, p = range c.acknowledged {
			if p.seq > 0 {
				break
			}
		}
		return entity, p
	}
	for name, attack := range map[string]struct {
		do   func(*Crash, *memory)
		want string
	}{
		"nothing": {func(*Crash, *memory) {}, ""},
		"an acknowledged entry is lost": {func(c *Crash, m *memory) {
			_, p := anAcknowledged(c)
			m.entries[p.seq].EntityID = "another"
		}, "was acknowledged"},
		"an acknowledged entry stands elsewhere": {func(c *Crash, m *memory) {
			entity, p := anAcknowledged(c)
			p.seq++
			c.acknowledged[entity] = p
		}, "was acknowledged"},
		"an entry is there twice": {func(c *Crash, m *memory) {
			entity, _ := anAcknowledged(c)
			m.entries = append(m.entries, ledger.Entry{Entry: verify.Entry{Seq: uint64(len(m.entries)), Action: crashAction, EntityID: entity}})
		}, "is there twice"},
		"a gap": {func(c *Crash, m *memory) { m.entries[len(m.entries)-1].Seq++ }, "follows"},
		"what failed is there": {func(c *Crash, m *memory) {
			for entity := range c.failed {
				m.entries = append(m.entries, ledger.Entry{Entry: verify.Entry{Seq: uint64(len(m.entries)), Action: crashAction, EntityID: entity}})
				break
			}
		}, "was said to have failed"},
		"a row is lost": {func(c *Crash, m *memory) {
			for entity := range c.inTx {
				m.rows = slices.DeleteFunc(m.rows, func(row string) bool { return row == entity })
				break
			}
		}, "one of them is not there"},
		"a row without its entry": {func(_ *Crash, m *memory) { m.rows = append(m.rows, "orphan") }, "a row without its entry"},
	} {
		t.Run(name, func(t *testing.T) {
			c, m := written(t)
			attack.do(c, m)
			sizes, err := c.Judge(t.Context(), m, m.rows)
			if attack.want == "" {
				require.NoError(t, err)
				require.EqualValues(t, len(m.entries), sizes[tenants[0]])
				return
			}
			require.ErrorContains(t, err, attack.want)
		})
	}
}
