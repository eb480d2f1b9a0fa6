package pgledger

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// pending is an entry on its way: everything is known but its place, its time and its hashes.
type pending struct {
	entry    verify.Entry
	input    []byte // of the leaf hash: 0x00 ‖ canonical form, with zeros where place sets the rest
	cuts     [cutBytes]byte
	openings []ledger.Opening
	receipt  ledger.Receipt // set when committed
	// also queues what belongs into the same transaction, behind the append: seq and hashes of entry are known then, and k
	// is the keyring it was written with. It is called again when a stale head is retried.
	also func(b *pgx.Batch, k *keyring) error

	state atomic.Int32 // see batcher.go
	err   error
	done  chan struct{}
}

// prepare checks an event from outside and renders it. Errors wrap ledger.ErrInvalid or ledger.ErrTooLarge.
func (l *Log) prepare(ev record.Event) (*pending, error) {
	switch ev.Action {
	case openedAction, verify.RotationAction, verify.RecoveryAction, verify.ClosingAction, verify.RedactionAction, approvalAction, purgeAction:
		return nil, fmt.Errorf("%w: in this action a log speaks about itself", ledger.ErrInvalid)
	}
	return l.compose(ev)
}

// compose renders ev, also where a log speaks about itself: verifiers believe what it says about its keys, its gaps, its end
// and what was erased, and the database what the operator's log says about a removal, so nobody else may say it.
func (l *Log) compose(ev record.Event) (*pending, error) {
	if ev.Tenant == uuid.Nil {
		return nil, fmt.Errorf("%w: no tenant", ledger.ErrInvalid)
	}
	id, err := uuid.NewV7FromReader(l.cfg.Rand) // ordered by time, so that neighbours in the log are neighbours in the index
	if err != nil {
		return nil, fmt.Errorf("pgledger: prepare: randomness: %w", err)
	}
	if _, taken := ev.Details[narrative.Member]; taken {
		return nil, fmt.Errorf("%w: details: member %s belongs to the ledger", ledger.ErrInvalid, narrative.Member)
	}
	p := &pending{}
	b := binder{rand: l.cfg.Rand}
	details, err := b.object(ev.Details, 1)
	if err != nil {
		return nil, refused(err)
	}
	sentence, err := narrative.Bind(ev.Narrative, b.commit)
	if err != nil {
		return nil, refused(err)
	}
	details[narrative.Member] = sentence.Form
	p.entry = verify.Entry{
		ID: id, Tenant: ev.Tenant, Action: ev.Action, EntityType: ev.EntityType, EntityID: ev.EntityID,
		Narrative: sentence.Text, CreatedAt: time.Unix(0, 0), Scheme: verify.SchemeBound,
	}
	if ev.Actor.Valid {
		actor := [16]byte(ev.Actor.UUID)
		p.entry.User = &actor
	}
	if ev.Critical {
		p.entry.Class = verify.Critical
	}
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	if *scratch, err = verify.AppendDetails((*scratch)[:0], details); err != nil {
		return nil, refused(err)
	}
	p.entry.Details = *scratch
	if err := p.encode(); err != nil {
		return nil, refused(err)
	}
	if n := len(p.canonical()); n > verify.MaxEntry {
		return nil, fmt.Errorf("%w: entry: %d bytes, limit %d", ledger.ErrTooLarge, n, verify.MaxEntry)
	}
	if err := refusePersonalText(&ev, b.openings); err != nil {
		return nil, err
	}
	p.openings = b.openings
	return p, nil
}

// share is how many events of a batch are worth another goroutine.
const share = 64

// prepareAll prepares events of one tenant, on as many processors as there are.
func (l *Log) prepareAll(events []record.Event) ([]*pending, error) {
	entries := make([]*pending, len(events))
	size := max(share, (len(events)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var group errgroup.Group
	for start := 0; start < len(events); start += size {
		group.Go(func() (err error) {
			for i := start; i < min(start+size, len(events)); i++ {
				if events[i].Tenant != events[0].Tenant {
					return fmt.Errorf("%w: a batch of several tenants", ledger.ErrInvalid)
				}
				if entries[i], err = l.prepare(events[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return entries, group.Wait()
}

// refused gives an error of a formatting room the sentinel callers of a ledger branch on.
func refused(err error) error {
	switch {
	case errors.Is(err, ledger.ErrInvalid), errors.Is(err, ledger.ErrTooLarge):
		return err
	case errors.Is(err, verify.ErrTooLarge), errors.Is(err, narrative.ErrTooLarge):
		return fmt.Errorf("%w: %w", ledger.ErrTooLarge, err)
	case errors.Is(err, verify.ErrMalformed), errors.Is(err, narrative.ErrArgument), errors.Is(err, narrative.ErrUnknownTemplate):
		return fmt.Errorf("%w: %w", ledger.ErrInvalid, err)
	}
	return err
}

// binder replaces personal values by commitments and keeps the openings.
type binder struct {
	rand     io.Reader
	openings []ledger.Opening
}

func (b *binder) commit(p record.Personal) ([32]byte, error) {
	if len(p.Value) > verify.MaxPersonal {
		return [32]byte{}, fmt.Errorf("%w: personal value: %d bytes, limit %d", ledger.ErrTooLarge, len(p.Value), verify.MaxPersonal)
	}
	if !utf8.ValidString(p.Value) || strings.IndexByte(p.Value, 0) >= 0 {
		return [32]byte{}, fmt.Errorf("%w: personal value is not UTF-8 or holds U+0000", ledger.ErrInvalid)
	}
	o := ledger.Opening{Subject: p.Subject, Value: p.Value}
	if _, err := io.ReadFull(b.rand, o.Salt[:]); err != nil {
		return [32]byte{}, fmt.Errorf("pgledger: prepare: randomness: %w", err)
	}
	o.Commitment = verify.Commitment(o.Salt, o.Value)
	b.openings = append(b.openings, o)
	return o.Commitment, nil
}

func (b *binder) object(m map[string]any, depth int) (map[string]any, error) {
	if depth > verify.MaxDepth {
		return nil, fmt.Errorf("%w: details: nested too deeply", ledger.ErrInvalid)
	}
	if looksCommitted(m) {
		return nil, fmt.Errorf("%w: details: an object of the form of a commitment", ledger.ErrInvalid)
	}
	bound := make(map[string]any, len(m))
	for k, v := range m {
		var err error
		if bound[k], err = b.value(v, depth); err != nil {
			return nil, err
		}
	}
	return bound, nil
}

func (b *binder) value(v any, depth int) (any, error) {
	switch x := v.(type) {
	case record.Personal:
		c, err := b.commit(x)
		return map[string]any{"c": hex.EncodeToString(c[:])}, err
	case map[string]any:
		return b.object(x, depth+1)
	case []any:
		if depth >= verify.MaxDepth {
			return nil, fmt.Errorf("%w: details: nested too deeply", ledger.ErrInvalid)
		}
		list := make([]any, len(x))
		for i := range x {
			var err error
			if list[i], err = b.value(x[i], depth+1); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return v, nil // the canonical form refuses other types
}

// looksCommitted reports whether m reads like the commitment to a personal value, which only the ledger may write.
func looksCommitted(m map[string]any) bool {
	c, ok := m["c"].(string)
	if len(m) != 1 || !ok || len(c) != 64 {
		return false
	}
	_, err := hex.DecodeString(c)
	return err == nil
}

// Offsets behind the 0x00 of a leaf hash in the canonical form, version 1 (ledger/verify): version, seq, id, tenant, user
// flag, [user], class, scheme, microseconds, previous hash, current hash, texts. A test compares place with
// verify.Entry.Canonical.
const (
	offsetSeq    = 1 + 1
	offsetID     = offsetSeq + 8
	offsetUser   = offsetID + 16 + 16
	offsetMicros = offsetUser + 1 + 2 // without user
	offsetAction = offsetMicros + 8 + 32 + 32 + 2
)

// cutBytes is the size of an entry's cuts: where its five texts begin, for ledger_append.
const cutBytes = 5 * 2

// scratches are buffers for details, which are copied into the canonical form.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

// canonical is the canonical form.
func (p *pending) canonical() []byte { return p.input[1:] }

// encode renders the entry and notes where its texts begin, counted from 1 as SQL does.
func (p *pending) encode() (err error) {
	e := &p.entry
	size := offsetAction + 16 + len(e.Action) + 2 + len(e.EntityType) + 2 + len(e.EntityID) + 2 + len(e.Narrative) + 4 + len(e.Details)
	if p.input, err = e.AppendCanonical(make([]byte, 1, min(size, 1+verify.MaxEntry))); err != nil {
		return err
	}
	e.Details = p.input[len(p.input)-len(e.Details):]
	place := offsetAction + 1
	if e.User != nil {
		place += 16
	}
	for i, step := range [...]int{0, len(e.Action) + 2, len(e.EntityType) + 2, len(e.EntityID) + 2, len(e.Narrative) + 4} {
		place += step
		binary.BigEndian.PutUint16(p.cuts[2*i:], uint16(place))
	}
	return nil
}

// place makes the entry follow prev and returns its leaf hash. It costs two hashes and no parsing, since it runs while
// the log is held.
func (p *pending) place(seq uint64, prev [32]byte, at time.Time) [32]byte {
	e := &p.entry
	e.Seq, e.PreviousHash, e.CreatedAt = seq, prev, at
	e.CurrentHash = verify.ChainHash(prev, e.Action, e.EntityID, e.Narrative, at)
	i := offsetMicros
	if e.User != nil {
		i += 16
	}
	binary.BigEndian.PutUint64(p.input[offsetSeq:], seq)
	binary.BigEndian.PutUint64(p.input[i:], uint64(at.UnixMicro()))
	copy(p.input[i+8:], e.PreviousHash[:])
	copy(p.input[i+40:], e.CurrentHash[:])
	return verify.LeafHash(p.canonical())
}
