package pgledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// purposeDoor names the key that admits calls of the append and publish functions. It signs nothing anybody sees.
const purposeDoor = "door"

// keyring is the secret and the public side of one tenant's log. It is immutable.
type keyring struct {
	tenant     uuid.UUID
	epoch      int
	generation int // counts the log's sets of keys
	origin     string
	door       [32]byte
	entry      *sign.CompositeKey
	checkpoint *sign.CompositeKey
	stock      *sign.Ed25519Key
	history    *verify.KeyHistory
}

// associated binds a sealed key to its purpose and tenant.
func associated(purpose string, tenant uuid.UUID) []byte {
	return append(append([]byte("ledger/"+purpose), 0), tenant[:]...)
}

// newKeyring makes the keys of a new log.
func (l *Log) newKeyring(tenant uuid.UUID) (*keyring, error) {
	k := &keyring{tenant: tenant, epoch: 1, generation: 1}
	var logID [16]byte
	for _, b := range [][]byte{logID[:], k.door[:]} {
		if _, err := io.ReadFull(l.cfg.Rand, b); err != nil {
			return nil, fmt.Errorf("pgledger: new log: randomness: %w", err)
		}
	}
	k.origin = verify.FormatOrigin(l.cfg.Domain, logID, 1)
	return k, l.signingKeys(k, 0)
}

// signingKeys makes one key for each purpose, valid from a position on.
func (l *Log) signingKeys(k *keyring, from uint64) (err error) {
	if k.entry, err = sign.NewCompositeKey(l.cfg.Rand); err != nil {
		return err
	}
	if k.checkpoint, err = sign.NewCompositeKey(l.cfg.Rand); err != nil {
		return err
	}
	if k.stock, err = sign.NewEd25519Key(l.cfg.Rand); err != nil {
		return err
	}
	k.history = &verify.KeyHistory{Origin: k.origin, Keys: []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: k.checkpoint.Public(), From: from},
		{Purpose: verify.PurposeStock, Ed25519: k.stock.Public(), From: from},
		{Purpose: verify.PurposeEntry, Composite: k.entry.Public(), From: from},
	}}
	return nil
}

// sealedKeys are new keys as the tables take them.
type sealedKeys struct {
	door                 string
	purposes, ids, seals []string
	publics              [][]byte
}

// sealed seals the keys of a keyring that was just made.
func (l *Log) sealed(k *keyring) (*sealedKeys, error) {
	seal := func(purpose string, secret []byte) (string, error) {
		sealed, err := l.cfg.Sealer.Seal(secret, associated(purpose, k.tenant))
		clear(secret)
		if err != nil {
			return "", fmt.Errorf("pgledger: new keys: seal: %w", err)
		}
		return sealed, nil
	}
	seeds := map[verify.Purpose][]byte{
		verify.PurposeCheckpoint: k.checkpoint.Seed(), verify.PurposeStock: k.stock.Seed(), verify.PurposeEntry: k.entry.Seed(),
	}
	out := &sealedKeys{}
	for i := range k.history.Keys {
		key := &k.history.Keys[i]
		sealed, err := seal(string(key.Purpose), seeds[key.Purpose])
		if err != nil {
			return nil, err
		}
		public := []byte(nil)
		if key.Composite != nil {
			public = key.Composite.Bytes()
		} else {
			public = key.Ed25519.Bytes()
		}
		out.purposes, out.ids = append(out.purposes, string(key.Purpose)), append(out.ids, key.ID().String())
		out.publics, out.seals = append(out.publics, public), append(out.seals, sealed)
	}
	var err error
	out.door, err = seal(purposeDoor, append([]byte(nil), k.door[:]...))
	return out, err
}

// queueCreate queues the statement that stores a new log.
func (l *Log) queueCreate(b *pgx.Batch, k *keyring) error {
	s, err := l.sealed(k)
	if err != nil {
		return err
	}
	inner, outer := pads(k.door)
	b.Queue(`SELECT tomkit.ledger_create($1::uuid, $2::text, $3::bytea, $4::bytea, $5::text, $6::text[], $7::text[], $8::bytea[], $9::text[])`,
		k.tenant, k.origin, inner, outer, s.door, s.purposes, s.ids, s.publics, s.seals)
	return nil
}

// pads returns the two HMAC blocks of a key (RFC 2104 §2): PostgreSQL has sha256() but no HMAC.
func pads(key [32]byte) (inner, outer []byte) {
	inner, outer = make([]byte, sha256.BlockSize), make([]byte, sha256.BlockSize)
	copy(inner, key[:])
	copy(outer, key[:])
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	return inner, outer
}

// admit returns the code that lets a checkpoint in.
func (k *keyring) admit(purpose string, number uint64, rest ...[]byte) []byte {
	mac := hmac.New(sha256.New, k.door[:])
	mac.Write([]byte("tomkit/ledger/" + purpose + "/v1\x00"))
	mac.Write(k.tenant[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, number))
	for _, b := range rest {
		mac.Write(b)
	}
	return mac.Sum(nil)
}

// sealedKeyring is a keyring as the database returns it.
type sealedKeyring struct {
	epoch      int
	generation int
	origin     string
	door       string
	purposes   []string
	publics    [][]byte
	seals      []string
	validFrom  []int64
	// compromised are the ids of keys that got into wrong hands.
	compromised []string
}

// open decrypts a stored keyring. Of each purpose the newest key signs.
func (l *Log) open(tenant uuid.UUID, s *sealedKeyring) (*keyring, error) {
	k := &keyring{tenant: tenant, epoch: s.epoch, generation: s.generation, origin: s.origin}
	door, err := l.unseal(purposeDoor, tenant, s.door)
	if err != nil || len(door) != len(k.door) {
		return nil, fmt.Errorf("pgledger: open log: door key: %w", errOr(err))
	}
	copy(k.door[:], door)
	if k.history, err = publicHistory(s); err != nil {
		return nil, err
	}
	for i, purpose := range s.purposes {
		if k.history.Keys[i].Until != 0 {
			continue
		}
		seed, err := l.unseal(purpose, tenant, s.seals[i])
		if err != nil {
			return nil, fmt.Errorf("pgledger: open log: %s key: %w", purpose, err)
		}
		if err := k.adopt(verify.Purpose(purpose), seed); err != nil {
			return nil, fmt.Errorf("pgledger: open log: %s key: %w", purpose, err)
		}
		clear(seed)
	}
	return k, k.complete()
}

func (l *Log) unseal(purpose string, tenant uuid.UUID, sealed string) ([]byte, error) {
	return l.cfg.Sealer.Open(sealed, associated(purpose, tenant))
}

func (k *keyring) adopt(purpose verify.Purpose, seed []byte) (err error) {
	switch purpose {
	case verify.PurposeCheckpoint:
		k.checkpoint, err = sign.ParseCompositeKey(seed)
	case verify.PurposeStock:
		k.stock, err = sign.ParseEd25519Key(seed)
	case verify.PurposeEntry:
		k.entry, err = sign.ParseCompositeKey(seed)
	}
	return err
}

// signsFrom is the smallest size whose checkpoint the keys may sign: smaller ones belong to the keys before.
func (k *keyring) signsFrom() (from uint64) {
	for i := range k.history.Keys {
		if key := &k.history.Keys[i]; key.Until == 0 && key.Purpose != verify.PurposeEntry {
			from = max(from, key.From)
		}
	}
	return from
}

// complete reports whether the secret keys are there and belong to the public ones.
func (k *keyring) complete() error {
	if k.checkpoint == nil || k.stock == nil || k.entry == nil {
		return fmt.Errorf("pgledger: open log: %w", errKeys)
	}
	for i := range k.history.Keys {
		key := &k.history.Keys[i]
		fits := key.Until != 0
		switch key.Purpose {
		case verify.PurposeCheckpoint:
			fits = fits || key.Composite.Equal(k.checkpoint.Public())
		case verify.PurposeStock:
			fits = fits || key.Ed25519.Equal(k.stock.Public())
		case verify.PurposeEntry:
			fits = fits || key.Composite.Equal(k.entry.Public())
		}
		if !fits {
			return fmt.Errorf("pgledger: open log: %w", errKeys)
		}
	}
	return nil
}

// publicHistory is the key history of rows sorted by purpose and valid_from.
func publicHistory(s *sealedKeyring) (*verify.KeyHistory, error) {
	h := &verify.KeyHistory{Origin: s.origin}
	for i, purpose := range s.purposes {
		key := verify.Key{Purpose: verify.Purpose(purpose), From: uint64(s.validFrom[i])}
		var err error
		if key.Purpose == verify.PurposeStock {
			key.Ed25519, err = sign.ParseEd25519PublicKey(s.publics[i])
		} else {
			key.Composite, err = sign.ParseCompositePublicKey(s.publics[i])
		}
		if err != nil {
			return nil, fmt.Errorf("pgledger: open log: %s key: %w", purpose, err)
		}
		if n := len(h.Keys); n > 0 && h.Keys[n-1].Purpose == key.Purpose {
			h.Keys[n-1].Until = key.From
		}
		key.Compromised = slices.Contains(s.compromised, key.ID().String())
		h.Keys = append(h.Keys, key)
	}
	return h, nil
}
