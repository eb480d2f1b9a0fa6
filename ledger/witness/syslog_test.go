package witness_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

func newSyslog(t testing.TB, cfg witness.SyslogConfig) *witness.Syslog {
	t.Helper()
	cfg.Name = "collector"
	a, err := witness.NewSyslog(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	return a
}

// rfc5424 is the grammar of RFC 5424 §6 for a message of one structured element and no text.
var rfc5424 = regexp.MustCompile(`^<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) \[([!#-<>-\\^-~]{1,32})((?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")+)\]$`)

func requireMessage(t *testing.T, l *ledgertest.AnchorLog, size int, message string) {
	t.Helper()
	m := rfc5424.FindStringSubmatch(message)
	require.NotNil(t, m, message)
	require.Equal(t, []string{"109", "2026-03-01T08:00:00.000001Z", "-", "tomkit", "-", "checkpoint", "checkpoint@32473"}, m[1:8])
	root := l.Root(size)
	require.Equal(t, fmt.Sprintf(` origin="%s" size="%d" root="%s" sha256="`, l.Origin, size, base64.StdEncoding.EncodeToString(root[:])), m[8][:len(m[8])-65])
	require.LessOrEqual(t, len(message), 480, "what every collector takes in one datagram")
}

func TestMessagesAreRFC5424OnEveryTransport(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	now := func() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 1234, time.FixedZone("", 3600)) }
	cert, roots := selfSigned(t)
	for _, network := range []string{"udp", "unixgram", "tcp", "unix", "tls"} {
		t.Run(network, func(t *testing.T) {
			cfg := witness.SyslogConfig{Network: network, Now: now}
			var next func() string
			switch network {
			case "udp", "unixgram":
				address := "127.0.0.1:0"
				if network == "unixgram" {
					address = filepath.Join(t.TempDir(), "s")
				}
				c, err := net.ListenPacket(network, address)
				require.NoError(t, err)
				t.Cleanup(func() { c.Close() })
				cfg.Address = c.LocalAddr().String()
				next = func() string {
					b := make([]byte, 4096)
					n, _, err := c.ReadFrom(b)
					require.NoError(t, err)
					return string(b[:n])
				}
			default:
				var listener net.Listener
				var err error
				switch network {
				case "unix":
					listener, err = net.Listen("unix", filepath.Join(t.TempDir(), "s"))
				case "tls":
					listener, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
					cfg.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
				default:
					listener, err = net.Listen("tcp", "127.0.0.1:0")
				}
				require.NoError(t, err)
				t.Cleanup(func() { listener.Close() })
				cfg.Address = listener.Addr().String()
				next = counted(t, listener)
			}
			a := newSyslog(t, cfg)
			done := make(chan []string)
			go func() { done <- []string{next(), next()} }()
			for _, size := range []int{4, 9} {
				_, err := a.Submit(t.Context(), l.Submission(t, size))
				require.NoError(t, err)
			}
			got := <-done
			requireMessage(t, l, 4, got[0])
			requireMessage(t, l, 9, got[1])
		})
	}
}

// counted returns a reader of messages with their length in front, over as many connections as it takes.
func counted(t *testing.T, l net.Listener) func() string {
	var conn net.Conn
	var r *bufio.Reader
	return func() string {
		for {
			if r == nil {
				c, err := l.Accept()
				if err != nil {
					return err.Error()
				}
				conn, r = c, bufio.NewReader(c)
				t.Cleanup(func() { c.Close() })
			}
			text, err := r.ReadString(' ')
			if err != nil {
				conn.Close()
				r = nil
				continue
			}
			n, err := strconv.Atoi(strings.TrimSuffix(text, " "))
			if err != nil {
				return err.Error()
			}
			b := make([]byte, n)
			_, _ = io.ReadFull(r, b)
			return string(b)
		}
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTheHashIsOfTheNoteThatWasSigned(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer c.Close()
	a := newSyslog(t, witness.SyslogConfig{Network: "udp", Address: c.LocalAddr().String(), Hostname: "log1", Enterprise: 99})
	sub := l.Submission(t, 9)
	_, err = a.Submit(t.Context(), sub)
	require.NoError(t, err)
	b := make([]byte, 4096)
	n, _, err := c.ReadFrom(b)
	require.NoError(t, err)
	require.Contains(t, string(b[:n]), fmt.Sprintf(`sha256="%x"]`, sha256.Sum256(sub.Checkpoint)))
	require.Contains(t, string(b[:n]), " log1 tomkit - checkpoint [checkpoint@99 ")
}

func TestACollectorThatHungUpIsCalledAgain(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	a := newSyslog(t, witness.SyslogConfig{Network: "tcp", Address: listener.Addr().String()})
	arrived := make(chan string)
	go func() {
		for { // one message for each connection
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			text, _ := bufio.NewReader(conn).ReadString(']')
			conn.Close()
			arrived <- text
		}
	}()
	for range 3 {
		for got := false; !got; { // what is written before the end of the old connection arrived here is lost
			_, err := a.Submit(t.Context(), l.Submission(t, 9))
			require.NoError(t, err)
			select {
			case text := <-arrived:
				require.Contains(t, text, "checkpoint@32473")
				got = true
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	listener.Close()
	require.NoError(t, a.Close())
	_, err = a.Submit(t.Context(), l.Submission(t, 9))
	require.ErrorIs(t, err, witness.ErrUnreachable)
}

func TestACollectorThatTakesNothingIsLeft(t *testing.T) {
	l := ledgertest.NewAnchorLog(t, 1, 9)
	ours, theirs := net.Pipe()
	defer theirs.Close()
	a := newSyslog(t, witness.SyslogConfig{Network: "tcp", Address: "x:1", Dial: func(context.Context, string, string) (net.Conn, error) { return ours, nil }})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := a.Submit(ctx, l.Submission(t, 9))
	require.ErrorIs(t, err, context.Canceled)

	stranger, _ := selfSigned(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{stranger}})
	require.NoError(t, err)
	defer listener.Close()
	go counted(t, listener)()
	_, roots := selfSigned(t)
	a = newSyslog(t, witness.SyslogConfig{Network: "tls", Address: listener.Addr().String(), TLS: &tls.Config{RootCAs: roots}})
	_, err = a.Submit(t.Context(), l.Submission(t, 9))
	require.ErrorIs(t, err, witness.ErrUnreachable, "a collector with another certificate")
}

func TestSyslogConfigurationsThatAreRefused(t *testing.T) {
	for name, cfg := range map[string]witness.SyslogConfig{
		"no name":       {Network: "udp", Address: "x:1"},
		"no network":    {Name: "a", Address: "x:1"},
		"a network":     {Name: "a", Network: "ip", Address: "x:1"},
		"no address":    {Name: "a", Network: "udp"},
		"no port":       {Name: "a", Network: "tls", Address: "x"},
		"host of words": {Name: "a", Network: "udp", Address: "x:1", Hostname: "a b"},
		"negative":      {Name: "a", Network: "udp", Address: "x:1", Timeout: -1},
	} {
		_, err := witness.NewSyslog(cfg)
		require.ErrorIs(t, err, witness.ErrConfig, name)
	}
}
