package witness_test

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

func TestClientIsAnAnchor(t *testing.T) {
	ledgertest.Anchor(t, ledgertest.AnchorSuite{New: func(t *testing.T, logs ...*ledgertest.AnchorLog) ledger.Anchor {
		return newClient(t, serve(t, newServer(t, nil, logs...)), nil)
	}})
}

// A restarted process remembers nothing of what its predecessor submitted.
func TestClientWithoutMemoryIsAnAnchor(t *testing.T) {
	ledgertest.Anchor(t, ledgertest.AnchorSuite{New: func(t *testing.T, logs ...*ledgertest.AnchorLog) ledger.Anchor {
		url := serve(t, newServer(t, nil, logs...))
		return forgetful{t, url}
	}})
}

func TestFileIsAnAnchor(t *testing.T) {
	ledgertest.Anchor(t, ledgertest.AnchorSuite{New: func(t *testing.T, _ ...*ledgertest.AnchorLog) ledger.Anchor {
		return openFile(t, filepath.Join(t.TempDir(), "anchor"), 0)
	}})
}

func TestCompactedFileIsAnAnchor(t *testing.T) {
	ledgertest.Anchor(t, ledgertest.AnchorSuite{New: func(t *testing.T, _ ...*ledgertest.AnchorLog) ledger.Anchor {
		return openFile(t, filepath.Join(t.TempDir(), "anchor"), 1)
	}})
}

func TestQuorumIsAnAnchor(t *testing.T) {
	ledgertest.Anchor(t, ledgertest.AnchorSuite{New: func(t *testing.T, logs ...*ledgertest.AnchorLog) ledger.Anchor {
		dead := newClient(t, "http://127.0.0.1:1", func(c *witness.ClientConfig) { c.Name, c.Retries = "dead", -1 })
		q, err := witness.NewQuorum("two-of-three", 2, dead, newClient(t, serve(t, newServer(t, nil, logs...)), nil),
			openFile(t, filepath.Join(t.TempDir(), "anchor"), 0))
		require.NoError(t, err)
		return q
	}})
}

func TestSyslogIsAnAnchor(t *testing.T) {
	ledgertest.Anchor(t, ledgertest.AnchorSuite{Forgets: true, New: func(t *testing.T, _ ...*ledgertest.AnchorLog) ledger.Anchor {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go drain(c)
			}
		}()
		return newSyslog(t, witness.SyslogConfig{Network: "tcp", Address: l.Addr().String()})
	}})
}
