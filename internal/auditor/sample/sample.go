// Package sample makes the logs that the tests of the auditor's rooms verify: an invented hospital's, with sentences, persons, erased
// values, changed keys, a declared gap and a witness. Its keys are made from fixed seeds and protect nothing.
package sample

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Options say what happens to a log beside the ordinary. A position of zero means that it does not happen.
type Options struct {
	Rotation uint64                // position of a change of all keys
	Recovery uint64                // position of the first entry after a restore, which declares 40 entries lost
	Closing  bool                  // the last entry closes the log
	Witness  bool                  // a witness cosigns every checkpoint
	Plain    bool                  // no entry is critical
	Foreign  bool                  // the keys are those of somebody else
	Edit     func(e *verify.Entry) // changes an entry before it is chained, hashed and signed
}

// Tenant is the tenant of every sample.
var Tenant = uuid.MustParse("6b1f0012-9441-4c01-a021-010203040506")

// Log is a log and everything that is needed to export it.
type Log struct {
	Keys    *verify.KeyHistory
	Witness *sign.WitnessPublicKey
	Entries [][]byte
	Stamps  []Stamp

	options    Options
	id         [16]byte
	witness    *sign.WitnessKey
	epochs     []uint64 // first position of each epoch
	periods    []period
	signatures []verify.EntrySignature
	openings   []verify.Opening
	redactions []verify.Redaction
	erased     map[uint64]*verify.Erasure
	times      []time.Time
	leaves     [][32]byte
	random     *rand.Rand
}

// period is a stretch of the log under the same keys.
type period struct {
	from                 uint64
	checkpoint, critical *sign.CompositeKey
	stock                *sign.Ed25519Key
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newPeriod(from uint64, foreign bool) period {
	shift := byte(from % 29)
	if foreign {
		shift += 30
	}
	seed := func(n byte) []byte { return bytes.Repeat([]byte{60*n + shift}, 64) }
	return period{from, must(sign.ParseCompositeKey(seed(1))), must(sign.ParseCompositeKey(seed(2))), must(sign.ParseEd25519Key(seed(3)[:32]))}
}

func (p *period) keys() []verify.Key {
	return []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: p.checkpoint.Public(), From: p.from},
		{Purpose: verify.PurposeStock, Ed25519: p.stock.Public(), From: p.from},
		{Purpose: verify.PurposeEntry, Composite: p.critical.Public(), From: p.from},
	}
}

// New makes a log of n entries.
func New(n int, o Options) *Log {
	l := &Log{options: o, id: [16]byte{0xa1, 0xb2, 0xc3}, epochs: []uint64{0}, random: rand.New(rand.NewPCG(1, 2)), erased: map[uint64]*verify.Erasure{}}
	l.Keys = &verify.KeyHistory{}
	l.begin(0)
	if o.Witness {
		name, seed := "witness.example/w1", byte(7)
		if o.Foreign {
			name, seed = "witness.example/w2", 8
		}
		l.witness = must(sign.NewWitnessKey(name, bytes.NewReader(bytes.Repeat([]byte{seed}, 256))))
		l.Witness = l.witness.Public()
	}
	at := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	var previous [32]byte
	for seq := range uint64(n) {
		at = at.Add(l.pause(at))
		e := l.entry(seq, uint64(n), at)
		e.PreviousHash = previous
		if o.Edit != nil {
			o.Edit(e)
		}
		previous = verify.ChainHash(previous, e.Action, e.EntityID, e.Narrative, e.CreatedAt)
		e.CurrentHash = previous
		l.append(e)
	}
	l.Keys.Origin = l.origin(uint64(n))
	return l
}

// begin starts a period of keys.
func (l *Log) begin(from uint64) {
	for i := range l.Keys.Keys {
		if l.Keys.Keys[i].Until == 0 && from > 0 {
			l.Keys.Keys[i].Until = from
		}
	}
	l.periods = append(l.periods, newPeriod(from, l.options.Foreign))
	l.Keys.Keys = append(l.Keys.Keys, l.periods[len(l.periods)-1].keys()...)
}

func (l *Log) period(at uint64) *period {
	for i := len(l.periods) - 1; ; i-- {
		if l.periods[i].from <= at {
			return &l.periods[i]
		}
	}
}

func (l *Log) epoch(size uint64) (epoch uint64) {
	for i, first := range l.epochs {
		if size > first {
			epoch = uint64(i)
		}
	}
	return epoch
}

func (l *Log) origin(size uint64) string {
	return verify.FormatOrigin("audit.example", l.id, l.epoch(size))
}

// pause is how long nothing happens: little by day, long by night and at week-ends.
func (l *Log) pause(at time.Time) time.Duration {
	d := time.Duration(l.random.ExpFloat64() * float64(4*time.Minute))
	if at.Hour() >= 18 || at.Hour() < 5 {
		d *= 6
	}
	if at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
		d *= 4
	}
	return d.Truncate(time.Microsecond)
}

func (l *Log) append(e *verify.Entry) {
	b := must(e.Canonical())
	l.Entries = append(l.Entries, b)
	l.leaves = append(l.leaves, verify.LeafHash(b))
	l.times = append(l.times, e.CreatedAt)
	if e.Class == verify.Critical {
		key := l.period(e.Seq).critical
		l.signatures = append(l.signatures, verify.EntrySignature{Seq: e.Seq, Key: key.Public().ID(), Sig: must(key.Sign(sign.ContextEntry, b))})
	}
	if e.Action == verify.RotationAction {
		l.begin(e.Seq + 1)
	}
}

// narrated is what an entry says.
type narrated struct {
	sentence record.Narrative
	entity   [2]string
	details  map[string]any
	critical bool
}

func (l *Log) entry(seq, n uint64, at time.Time) *verify.Entry {
	what := l.happening(seq, n, at)
	e := &verify.Entry{Seq: seq, Tenant: Tenant, Action: what.sentence.Template, EntityType: what.entity[0], EntityID: what.entity[1],
		Scheme: verify.SchemeBound, CreatedAt: at}
	binary.BigEndian.PutUint64(e.ID[8:], seq+1)
	e.ID[6], e.ID[8] = 0x70, e.ID[8]|0x80
	if seq%4 != 0 {
		e.User = &[16]byte{0x0d, 0x4a, 6: 0x40, 8: 0x80, 15: byte(seq % 9)}
	}
	if what.critical && !l.options.Plain {
		e.Class = verify.Critical
	}
	bound := must(narrative.Bind(what.sentence, func(p record.Personal) ([32]byte, error) { return l.commit(seq, n, p.Value), nil }))
	details := map[string]any{narrative.Member: bound.Form}
	for name, v := range what.details {
		details[name] = v
	}
	e.Details, e.Narrative = must(verify.CanonicalDetails(details)), bound.Text
	return e
}

// commit commits to a personal value; every eleventh is erased at three quarters of the log.
func (l *Log) commit(seq, n uint64, value string) [32]byte {
	salt := sha256.Sum256(fmt.Appendf(nil, "%d %s", seq, value))
	c := verify.Commitment(salt, value)
	erasure := n * 3 / 4
	if seq%11 == 5 && seq < erasure {
		if l.erased[erasure] == nil {
			l.erased[erasure] = verify.NewErasure()
		}
		l.erased[erasure].Add(seq, c)
		l.redactions = append(l.redactions, verify.Redaction{Seq: seq, Commitment: c, Entry: erasure})
		return c
	}
	l.openings = append(l.openings, verify.Opening{Seq: seq, Commitment: c, Salt: salt, Value: value})
	return c
}
