package witness

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pioneerdesk/tomkit/ledger"
)

// SyslogConfig says which log collector a [Syslog] writes to.
type SyslogConfig struct {
	// Name is the anchor's name: 1–64 bytes of [a-z0-9._-].
	Name string
	// Network is unixgram, unix, udp, tcp or tls; Address a path, or host and port.
	Network, Address string
	// TLS is used with network tls. Nil trusts the system's certificates and asks for TLS 1.3.
	TLS *tls.Config
	// Dial opens a connection. Nil means a net.Dialer. With network tls it opens the one TLS runs over.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Hostname is the HOSTNAME field. Empty means "-", the collector knows who sends.
	Hostname string
	// Enterprise is the private enterprise number in the name of the structured data. Zero means 32473, which RFC 5612 sets
	// aside for examples and nobody owns.
	Enterprise uint32
	// Timeout bounds connecting and writing. Zero means DefaultTimeout.
	Timeout time.Duration
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Syslog is an anchor that sends checkpoints to a log collector (RFC 5424), which keeps them out of reach of whoever owns the
// database: origin, size, root and the SHA-256 of the note. An auditor compares them with an export. It is safe for
// concurrent use.
//
// A collector cannot be asked, so Latest returns ledger.ErrNoMemory. It does not acknowledge either: over udp and unixgram
// a message may be lost, over tcp and tls the last one before a connection breaks.
type Syslog struct {
	cfg SyslogConfig

	mu   sync.Mutex
	conn net.Conn
}

var _ ledger.Anchor = (*Syslog)(nil)

// NewSyslog returns a Syslog, without connecting. The error wraps ErrConfig.
func NewSyslog(cfg SyslogConfig) (*Syslog, error) {
	switch cfg.Network {
	case "unixgram", "unix", "udp", "tcp", "tls":
	default:
		return nil, badConfig("network is not unixgram, unix, udp, tcp or tls")
	}
	switch {
	case !validName(cfg.Name):
		return nil, badConfig("name is not 1–64 bytes of [a-z0-9._-]")
	case cfg.Address == "":
		return nil, badConfig("no address")
	case cfg.Timeout < 0:
		return nil, badConfig("negative duration")
	case len(cfg.Hostname) > 255 || strings.ContainsFunc(cfg.Hostname, func(r rune) bool { return r < '!' || r > '~' }):
		return nil, badConfig("hostname is not printable ASCII")
	}
	cfg.Hostname, cfg.Enterprise, cfg.Timeout = or(cfg.Hostname, "-"), or(cfg.Enterprise, 32473), or(cfg.Timeout, DefaultTimeout)
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Network == "tls" {
		if cfg.TLS == nil {
			cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
		}
		if cfg.TLS = cfg.TLS.Clone(); cfg.TLS.ServerName == "" {
			host, _, err := net.SplitHostPort(cfg.Address)
			if err != nil {
				return nil, badConfig("address is not host and port")
			}
			cfg.TLS.ServerName = host
		}
	}
	return &Syslog{cfg: cfg}, nil
}

// Name returns the configured name.
func (a *Syslog) Name() string { return a.cfg.Name }

// Close closes the connection.
func (a *Syslog) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.drop()
}

// Submit sends a checkpoint. It has no memory, so it refuses nothing.
func (a *Syslog) Submit(ctx context.Context, s ledger.Submission) (ledger.Evidence, error) {
	note, cp, err := own(s.Checkpoint)
	if err != nil {
		return ledger.Evidence{}, err
	}
	msg := a.message(cp, note)
	a.mu.Lock()
	defer a.mu.Unlock()
	reused := a.conn != nil
	err = a.send(ctx, msg)
	if err != nil && reused && ctx.Err() == nil { // the collector may have closed the connection long ago
		err = a.send(ctx, msg)
	}
	return ledger.Evidence{}, err
}

// Latest returns ledger.ErrNoMemory.
func (a *Syslog) Latest(context.Context, string, []byte) (ledger.Memory, error) {
	return ledger.Memory{}, fmt.Errorf("%w: %s only takes messages", ledger.ErrNoMemory, a.cfg.Name)
}

// message is a record of RFC 5424: facility log audit (13), severity notice (5).
func (a *Syslog) message(cp checkpoint, note []byte) []byte {
	return fmt.Appendf(nil, `<109>1 %s %s tomkit - checkpoint [checkpoint@%d origin="%s" size="%d" root="%s" sha256="%x"]`,
		a.cfg.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), a.cfg.Hostname, a.cfg.Enterprise, escape(cp.origin), cp.size,
		base64.StdEncoding.EncodeToString(cp.root[:]), sha256.Sum256(note))
}

// escape writes a parameter's value as RFC 5424 §6.3.3 asks.
func escape(v string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(v) }

func (a *Syslog) send(ctx context.Context, msg []byte) error {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return err
	}
	stream := a.cfg.Network != "udp" && a.cfg.Network != "unixgram"
	if a.conn != nil && stream && hungUp(a.conn) {
		a.drop()
	}
	if a.conn == nil {
		conn, err := a.dial(ctx)
		if err != nil {
			return a.failed(ctx)
		}
		a.conn = conn
	}
	// On a stream the length stands before the message (RFC 6587 §3.4.1, RFC 5425 §4.3).
	if stream {
		msg = append([]byte(strconv.Itoa(len(msg))+" "), msg...)
	}
	deadline, _ := ctx.Deadline()
	conn := a.conn
	conn.SetWriteDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(msg); err != nil {
		a.drop()
		return a.failed(ctx)
	}
	return nil
}

func (a *Syslog) dial(ctx context.Context) (net.Conn, error) {
	if a.cfg.Network != "tls" {
		return a.cfg.Dial(ctx, a.cfg.Network, a.cfg.Address)
	}
	raw, err := a.cfg.Dial(ctx, "tcp", a.cfg.Address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, a.cfg.TLS)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// hungUp reports whether the collector closed a connection, on which writing would seem to work once more. It never sends.
func hungUp(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	return !errors.As(err, &timeout) || !timeout.Timeout()
}

func (a *Syslog) drop() error {
	if a.conn == nil {
		return nil
	}
	err := a.conn.Close()
	a.conn = nil
	return err
}

// failed is the caller's own end, or that the collector was not reached.
func (a *Syslog) failed(ctx context.Context) error {
	if err := context.Cause(ctx); err == context.Canceled {
		return err
	}
	return fmt.Errorf("%w: %s", ErrUnreachable, a.cfg.Name)
}
