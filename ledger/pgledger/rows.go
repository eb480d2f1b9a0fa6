package pgledger

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// rows are the arguments of tomkit.ledger_append: one array per column.
type rows struct {
	ids                                        [][16]byte
	users                                      []*[16]byte
	actions, types, entities, details, stories []string
	previous, hashes                           []string
	times                                      []time.Time
	classes                                    []string
	signatures                                 [][]byte
	signatureKeys                              []*string
	leaves                                     []byte

	openSeqs               []int64
	openCommits, openSalts [][]byte
	openSubjects           [][16]byte
	openValues             []string
}

const appendSQL = `SELECT tomkit.ledger_append($1::uuid, $2::integer, $3::bigint, $4::text[], $5::bytea, $6::uuid[], $7::uuid[],
$8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::text[], $16::bytea[],
$17::text[], $18::bigint[], $19::bytea[], $20::bytea[], $21::uuid[], $22::text[])`

// queueAppend places entries behind h, queues the append and returns the head it leads to.
func (l *Log) queueAppend(b *pgx.Batch, k *keyring, h head, entries []*pending) (head, error) {
	first := h.size
	// Time never runs backwards in a log, whatever the clocks of several hosts say.
	at := verify.Timestamp(l.cfg.Now())
	if at.Before(h.at) {
		at = h.at
	}
	var r rows
	r.grow(len(entries))
	for _, e := range entries {
		e.receipt.LeafHash = e.place(h.size, h.hash, at)
		sig, key, err := k.signature(e)
		if err != nil {
			return h, fmt.Errorf("pgledger: append: sign: %w", err)
		}
		r.add(e, sig, key)
		h = head{size: h.size + 1, hash: e.entry.CurrentHash, at: at}
	}
	b.Queue(appendSQL, k.tenant, k.generation, int64(first), r.previous, k.admitAppend(first, r.leaves),
		r.ids, r.users, r.actions, r.types, r.entities, r.details, r.stories, r.hashes, r.times, r.classes, r.signatures,
		r.signatureKeys, r.openSeqs, r.openCommits, r.openSalts, r.openSubjects, r.openValues)
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

func (r *rows) grow(n int) {
	r.ids, r.users = make([][16]byte, 0, n), make([]*[16]byte, 0, n)
	texts := make([]string, 8*n)
	for i, dst := range []*[]string{&r.actions, &r.types, &r.entities, &r.details, &r.stories, &r.previous, &r.hashes, &r.classes} {
		*dst = texts[i*n : i*n : (i+1)*n]
	}
	r.times = make([]time.Time, 0, n)
	r.signatures, r.signatureKeys = make([][]byte, 0, n), make([]*string, 0, n)
	r.leaves = make([]byte, 0, 32*n)
}

func (r *rows) add(p *pending, sig []byte, key *string) {
	e := &p.entry
	r.ids, r.users = append(r.ids, e.ID), append(r.users, e.User)
	r.actions, r.types = append(r.actions, e.Action), append(r.types, e.EntityType)
	r.previous = append(r.previous, hex.EncodeToString(e.PreviousHash[:]))
	r.entities, r.details = append(r.entities, e.EntityID), append(r.details, string(e.Details))
	r.stories, r.hashes = append(r.stories, e.Narrative), append(r.hashes, hex.EncodeToString(e.CurrentHash[:]))
	r.times, r.classes = append(r.times, e.CreatedAt), append(r.classes, e.Class.String())
	r.signatures, r.signatureKeys = append(r.signatures, sig), append(r.signatureKeys, key)
	r.leaves = append(r.leaves, p.receipt.LeafHash[:]...)
	for i := range p.openings {
		o := &p.openings[i]
		r.openSeqs = append(r.openSeqs, int64(e.Seq))
		r.openCommits, r.openSalts = append(r.openCommits, o.Commitment[:]), append(r.openSalts, o.Salt[:])
		r.openSubjects, r.openValues = append(r.openSubjects, o.Subject), append(r.openValues, o.Value)
	}
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
