package pgledger

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// rows are the arguments of tomkit.ledger_append.
type rows struct {
	leaves     []byte   // 32 bytes each
	inputs     [][]byte // of the leaf hashes
	cuts       []byte
	signatures [][]byte // nil for entries of class normal; empty if there are no others
	key        string   // of the signatures
	openings   [][]byte
}

const appendSQL = `SELECT tomkit.ledger_append($1::uuid, $2::integer, $3::bigint, $4::timestamptz, $5::bytea, $6::bytea[], $7::bytea,
$8::bytea[], $9::text, $10::bytea[])`

// queueAppend places entries behind h, queues the append and returns the head it leads to.
func (l *Log) queueAppend(b *pgx.Batch, k *keyring, h head, entries []*pending) (head, error) {
	first := h.size
	at := l.now(h)
	r := rows{
		leaves: make([]byte, 0, 32*len(entries)), inputs: make([][]byte, 0, len(entries)),
		cuts: make([]byte, 0, cutBytes*len(entries)), signatures: [][]byte{}, openings: [][]byte{},
	}
	for i, e := range entries {
		e.receipt.LeafHash = e.place(h.size, h.hash, at)
		if err := r.add(k, e, i, len(entries)); err != nil {
			return h, err
		}
		h = head{size: h.size + 1, hash: e.entry.CurrentHash, at: at}
	}
	b.Queue(appendSQL, [16]byte(k.tenant), k.generation, int64(first), at, r.code(k), pgtype.FlatArray[[]byte](r.inputs), r.cuts,
		pgtype.FlatArray[[]byte](r.signatures), r.key, pgtype.FlatArray[[]byte](r.openings))
	for _, e := range entries {
		if e.also == nil {
			continue
		}
		if err := e.also(b, k); err != nil {
			return h, err
		}
	}
	return h, nil
}

// now is the time of entries behind h. Time never runs backwards in a log, whatever the clocks of several hosts say.
func (l *Log) now(h head) time.Time {
	at := verify.Timestamp(l.cfg.Now())
	if at.Before(h.at) {
		return h.at
	}
	return at
}

// add adds the i-th of n entries.
func (r *rows) add(k *keyring, p *pending, i, n int) error {
	r.leaves = append(r.leaves, p.receipt.LeafHash[:]...)
	r.inputs = append(r.inputs, p.input)
	r.cuts = append(r.cuts, p.cuts[:]...)
	if p.entry.Class == verify.Critical {
		if len(r.signatures) == 0 {
			r.signatures, r.key = make([][]byte, n), k.entry.Public().ID().String()
		}
		var err error
		if r.signatures[i], err = k.entry.Sign(sign.ContextEntry, p.canonical()); err != nil {
			return fmt.Errorf("pgledger: append: sign: %w", err)
		}
	}
	r.openings = p.packOpenings(r.openings, i)
	return nil
}

// packOpenings appends the openings of the i-th entry of a call.
func (p *pending) packOpenings(list [][]byte, i int) [][]byte {
	for j := range p.openings {
		o := &p.openings[j]
		b := make([]byte, 0, 2+32+32+16+len(o.Value))
		b = binary.BigEndian.AppendUint16(b, uint16(i))
		b = append(append(append(b, o.Commitment[:]...), o.Salt[:]...), o.Subject[:]...)
		list = append(list, append(b, o.Value...))
	}
	return list
}

const appendOneSQL = `SELECT tomkit.ledger_append_one($1::uuid, $2::integer, $3::timestamptz, $4::bytea, $5::bytea, $6::bytea, $7::uuid,
$8::uuid, $9::text, $10::text, $11::text, $12::json, $13::text, $14::bytea[])`

// errPlace means that the database made other hashes than this process would have: one of the two is wrong.
var errPlace = errors.New("pgledger: append: the database's hash is another one")

// queueRecord queues an entry whose place the database finds, and notes the place when the answer comes.
func (l *Log) queueRecord(b *pgx.Batch, k *keyring, p *part, e *pending) {
	queueOne(b, k, verify.Timestamp(l.cfg.Now()), e).QueryRow(func(row pgx.Row) error {
		var place []byte
		if err := row.Scan(&place); err != nil {
			return err
		}
		if len(place) != 8+8+32+32 {
			return errPlace
		}
		at := time.UnixMicro(int64(binary.BigEndian.Uint64(place[8:]))).UTC()
		e.receipt.LeafHash = e.place(binary.BigEndian.Uint64(place), [32]byte(place[16:]), at)
		if e.entry.CurrentHash != [32]byte(place[48:]) {
			return errPlace
		}
		p.next = head{size: e.entry.Seq + 1, hash: e.entry.CurrentHash, at: at}
		return nil
	})
}

// queueOne queues the statement. The tenant goes as an array: as a UUID it would go the way of a driver.Valuer, through text.
func queueOne(b *pgx.Batch, k *keyring, at time.Time, e *pending) *pgx.QueuedQuery {
	openings := e.packOpenings([][]byte{}, 0)
	x := &e.entry
	micros := offsetMicros
	if x.User != nil {
		micros += len(x.User)
	}
	front, back := e.input[offsetID:micros], e.input[micros+8+32+32:]
	return b.Queue(appendOneSQL, [16]byte(k.tenant), k.generation, at, k.recordCode(at, front, back, x, openings), front, back, x.ID, x.User,
		x.Action, x.EntityType, x.EntityID, x.Details, x.Narrative, openings)
}

const openedAction = "ledger_opened"

// opening is the first entry of a new log: it names the log and its keys.
func (l *Log) opening(k *keyring) (*pending, error) {
	keys := map[string]any{}
	listed := ""
	for i := range k.history.Keys {
		key := &k.history.Keys[i]
		keys[string(key.Purpose)] = key.ID().String()
		if i > 0 {
			listed += ", "
		}
		listed += string(key.Purpose) + " " + key.ID().String()
	}
	_, logID, _, err := verify.ParseOrigin(k.origin)
	if err != nil {
		return nil, err
	}
	id := hex.EncodeToString(logID[:])
	return l.compose(record.Event{
		Tenant: k.tenant, Actor: uuid.NullUUID{}, Action: openedAction, EntityType: "ledger", EntityID: id, Critical: true,
		Details: map[string]any{"origin": k.origin, "keys": keys},
		Narrative: record.Narrative{Template: "ledger_opened", Args: map[string]any{
			"log": id, "keys": listed, "at": l.cfg.Now()}},
	})
}
