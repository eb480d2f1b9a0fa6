package witness_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

// fixed is an anchor that always answers the same.
type fixed struct {
	name     string
	evidence ledger.Evidence
	memory   ledger.Memory
	err      error
}

func (f fixed) Name() string { return f.name }

func (f fixed) Submit(context.Context, ledger.Submission) (ledger.Evidence, error) {
	return f.evidence, f.err
}

func (f fixed) Latest(context.Context, string, []byte) (ledger.Memory, error) { return f.memory, f.err }

func TestAQuorumCounts(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 3)
	good := func(name string) fixed {
		return fixed{name: name, evidence: ledger.Evidence{Lines: []byte(name + "\n"), Token: []byte(name)}, memory: ledger.Memory{Size: uint64(len(name))}}
	}
	down := func(name string) fixed { return fixed{name: name, err: witness.ErrUnreachable} }
	forgets := func(name string) fixed { return fixed{name: name, err: ledger.ErrNoMemory} }
	behind := fixed{name: "behind", err: &ledger.RollbackError{Anchor: "behind", Size: 9, Head: 3}}
	forked := fixed{name: "forked", err: &ledger.RollbackError{Anchor: "forked", Size: 2, Head: 3, Fork: true}}
	for name, c := range map[string]struct {
		need    int
		anchors []ledger.Anchor
		want    error
		lines   string
		size    uint64
	}{
		"all":                      {2, []ledger.Anchor{good("a"), good("bb")}, nil, "a\nbb\n", 2},
		"one is down":              {2, []ledger.Anchor{good("a"), down("x"), good("bb")}, nil, "a\nbb\n", 2},
		"too many are down":        {2, []ledger.Anchor{good("a"), down("x"), down("y")}, witness.ErrQuorum, "", 0},
		"one remembers more":       {1, []ledger.Anchor{good("a"), good("bb"), behind}, ledger.ErrRolledBack, "", 0},
		"one remembers other":      {1, []ledger.Anchor{good("a"), forked, behind}, ledger.ErrRolledBack, "", 0},
		"one has no memory":        {1, []ledger.Anchor{good("a"), forgets("x")}, nil, "a\n", 1},
		"none has":                 {1, []ledger.Anchor{forgets("x"), forgets("y")}, ledger.ErrNoMemory, "", 0},
		"memory short of a quorum": {2, []ledger.Anchor{good("a"), forgets("x")}, witness.ErrQuorum, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := witness.NewQuorum("q", c.need, c.anchors...)
			require.NoError(t, err)
			m, err := q.Latest(t.Context(), l.Origin, nil)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.size, m.Size)
			e, err := q.Submit(t.Context(), l.Submission(t, 3))
			if c.want == nil {
				require.NoError(t, err)
				require.Equal(t, c.lines, string(e.Lines))
				require.Equal(t, "a", string(e.Token))
				return
			}
			require.Error(t, err)
			require.Empty(t, e)
			var r *ledger.RollbackError
			if errors.As(err, &r) {
				require.Equal(t, name == "one remembers other", r.Fork, "a fork is the worse")
			}
		})
	}
	for _, bad := range [][]ledger.Anchor{nil, {good("a")}, {good("a"), good("a")}, {good("a"), nil}} {
		_, err := witness.NewQuorum("q", 2, bad...)
		require.ErrorIs(t, err, witness.ErrConfig)
	}
}
