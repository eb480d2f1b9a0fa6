package pgledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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
	b.Queue(appendSQL, k.tenant, k.generation, int64(first), at, r.code(k), r.inputs, r.cuts, r.signatures, r.key, r.openings)
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

const recordSQL = `SELECT tomkit.ledger_record($1::uuid, $2::integer, $3::timestamptz, $4::bytea, $5::bytea, $6::bytea[])`

// errPlace means that the database made other hashes than this process would have: one of the two is wrong.
var errPlace = errors.New("pgledger: append: the database's hash is another one")

// queueRecord queues an entry whose place the database finds, and notes the place when the answer comes.
func (l *Log) queueRecord(b *pgx.Batch, k *keyring, p *part, e *pending) {
	at := verify.Timestamp(l.cfg.Now())
	openings := e.packOpenings([][]byte{}, 0)
	mac := k.mac("record")
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro())))
	sum := arraySum(openings)
	mac.Write(sum[:])
	mac.Write(e.input)
	b.Queue(recordSQL, k.tenant, k.generation, at, mac.Sum(nil), e.input, openings).QueryRow(func(row pgx.Row) error {
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

// code returns what lets the rows in. Their positions are in the leaves.
func (r *rows) code(k *keyring) []byte {
	mac := k.mac("append")
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(r.inputs))))
	mac.Write(r.leaves)
	mac.Write(r.cuts)
	for _, list := range [][][]byte{r.signatures, r.openings} {
		sum := arraySum(list)
		mac.Write(sum[:])
	}
	mac.Write([]byte(r.key))
	return mac.Sum(nil)
}

// mac begins a code under the door key.
func (k *keyring) mac(purpose string) hash.Hash {
	mac := hmac.New(sha256.New, k.door[:])
	mac.Write([]byte("tomkit/ledger/" + purpose + "/v1\x00"))
	mac.Write(k.tenant[:])
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(k.generation)))
	return mac
}

// arraySum is SHA-256 over what PostgreSQL's array_send makes of a bytea[]: dimensions, whether there are NULLs, element
// type, and for each dimension its length and lower bound; then each element behind its length, -1 for NULL. A test
// compares it with the server's.
func arraySum(list [][]byte) [32]byte {
	const bytea = 17 // the type's OID
	if len(list) == 0 {
		return sha256.Sum256([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, bytea})
	}
	nulls := uint32(0)
	for _, e := range list {
		if e == nil {
			nulls = 1
		}
	}
	b := make([]byte, 0, 20)
	for _, n := range []uint32{1, nulls, bytea, uint32(len(list)), 1} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	sum := sha256.New()
	sum.Write(b)
	for _, e := range list {
		n := uint32(len(e))
		if e == nil {
			n = 1<<32 - 1
		}
		sum.Write(binary.BigEndian.AppendUint32(b[:0], n))
		sum.Write(e)
	}
	return [32]byte(sum.Sum(nil))
}

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
	return l.prepare(record.Event{
		Tenant: k.tenant, Actor: uuid.NullUUID{}, Action: "ledger_opened", EntityType: "ledger", EntityID: id, Critical: true,
		Details: map[string]any{"origin": k.origin, "keys": keys},
		Narrative: record.Narrative{Template: "ledger_opened", Args: map[string]any{
			"log": id, "keys": listed, "at": l.cfg.Now()}},
	})
}
