package legacy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Signed says which bytes a Dilithium3 signature covers.
type Signed uint8

// What signatures cover.
const (
	HexHash Signed = iota // current_hash as its 64 lower-case digits
	RawHash               // the 32 bytes of current_hash
)

func (s Signed) message(hash [32]byte) []byte {
	if s == RawHash {
		return hash[:]
	}
	return []byte(hex.EncodeToString(hash[:]))
}

// Config tunes Check and Import. Check needs Key or KeepUnverifiedUnsafe; Import needs the rest as well.
type Config struct {
	// Key is the tenant's Dilithium3 key, obtained by another way than the chain.
	Key *sign.Dilithium3PublicKey
	// KeepUnverifiedUnsafe imports signatures without a key to verify them.
	KeepUnverifiedUnsafe bool
	// Signed says what signatures cover. The zero value is HexHash.
	Signed Signed
	// Tenant names the tenant whose entries are taken; lines of others are passed over and counted. The zero UUID expects a
	// file of one tenant, and refuses the first line of another.
	Tenant uuid.UUID

	// Domain is the operator's domain, the first part of the export's origin.
	Domain string
	// Checkpoint and Stock sign the export's checkpoint. They belong to the importer, and to nothing else.
	Checkpoint *sign.CompositeKey
	Stock      *sign.Ed25519Key
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
	// Rand gives the export's log id. Nil means crypto/rand.Reader.
	Rand io.Reader
}

func (c *Config) check() error {
	if c.Key == nil && !c.KeepUnverifiedUnsafe {
		return fmt.Errorf("%w: no Dilithium3 key", ErrConfig)
	}
	if c.Signed > RawHash {
		return fmt.Errorf("%w: signatures over an unknown form", ErrConfig)
	}
	return nil
}

// unbound is what the document's formula leaves out.
var unbound = []string{"id", "tenant_id", "user_id", "entity_type", "details"}

// Check verifies a chain: form, links, times and signatures, to its end or to its first fault, which is a *LineError. The
// report is of what came before it.
func Check(ctx context.Context, chain io.Reader, cfg Config) (*Report, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := newScan(chain, &cfg)
	for {
		l, err := s.next(ctx)
		if errors.Is(err, io.EOF) {
			return s.done(), nil
		}
		if err == nil {
			err = s.verify(l)
		}
		if err != nil {
			return s.done(), err
		}
	}
}

// scan reads a chain as a stream.
type scan struct {
	cfg    *Config
	lines  *bufio.Reader
	digest interface {
		io.Writer
		Sum([]byte) []byte
	}
	chain  verify.Chain
	report *Report
	tenant *[16]byte

	number    uint64 // of the line read last
	seq       uint64 // of the entry read last
	entries   uint64
	canonical []byte // of the entry read last
}

func newScan(r io.Reader, cfg *Config) *scan {
	digest := sha256.New()
	s := &scan{cfg: cfg, digest: digest, lines: bufio.NewReaderSize(io.TeeReader(r, digest), MaxLine+2),
		report: &Report{Unbound: unbound, Findings: []Finding{}}}
	if cfg.Tenant != uuid.Nil {
		tenant := [16]byte(cfg.Tenant)
		s.expect(tenant)
	}
	if cfg.Key != nil {
		s.report.Key = cfg.Key.ID().String()
	}
	return s
}

func (s *scan) expect(tenant [16]byte) {
	s.tenant = &tenant
	s.chain.Expect(tenant)
	s.report.Tenant = uuid.UUID(tenant).String()
}

// next returns the next entry of the tenant, checked against the one before, or io.EOF.
func (s *scan) next(ctx context.Context) (*line, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		text, err := s.lines.ReadSlice('\n')
		switch {
		case err == io.EOF && len(text) == 0:
			return nil, io.EOF
		case err == io.EOF:
			s.number++
			return nil, s.fault(malformed("the last line has no newline: the file may be cut off"))
		case errors.Is(err, bufio.ErrBufferFull), err == nil && len(text)-1 > MaxLine:
			s.number++
			return nil, s.fault(malformed(fmt.Sprintf("a line over %d bytes", MaxLine)))
		case err != nil:
			return nil, fmt.Errorf("legacy: read: %w", err)
		}
		s.number++
		l, err := parseLine(bytes.TrimSuffix(text, []byte("\n")))
		if err != nil {
			return nil, s.fault(err)
		}
		if s.tenant == nil {
			s.expect(l.entry.Tenant)
		}
		if s.cfg.Tenant != uuid.Nil && l.entry.Tenant != *s.tenant {
			s.report.Skipped++
			continue
		}
		return l, s.link(l)
	}
}

// link checks an entry against the one before.
func (s *scan) link(l *line) error {
	s.seq = s.entries
	l.entry.Seq = s.seq
	s.canonical = l.entry.AppendRaw(s.canonical[:0])
	if err := s.chain.Check(s.canonical); err != nil {
		return s.fault(err)
	}
	// AppendRaw cuts overlong texts and the parser refuses them; what passed is the entry, whole.
	s.entries++
	return nil
}

func (s *scan) fault(err error) error {
	return &LineError{Line: s.number, Seq: s.entries, Err: err}
}

// verify checks an entry's signature and writes it into the report.
func (s *scan) verify(l *line) error {
	r, e := s.report, &l.entry
	switch {
	case l.signature == nil:
		r.Unsigned++
	case s.cfg.Key == nil:
		r.Signed++
	default:
		if err := s.cfg.Key.Verify(s.cfg.Signed.message(e.CurrentHash), l.signature); err != nil {
			return &LineError{Line: s.number, Seq: s.seq, Err: ErrSignature}
		}
		r.Signed++
		r.Verified++
	}
	switch l.fit {
	case fitsAsIs:
		r.Canonical++
	case fitsRewritten:
		r.Rewritten++
	case fitsAsText:
		r.Kept++
		r.find(s.seq, "details kept as text: "+l.reason)
	}
	r.Entries = s.entries
	if r.First == nil {
		first := e.CreatedAt
		r.First = &first
	}
	last := e.CreatedAt
	r.Last, r.Head = &last, hex.EncodeToString(e.CurrentHash[:])
	return nil
}

func (s *scan) done() *Report {
	s.report.Digest = hex.EncodeToString(s.digest.Sum(nil))
	return s.report
}
