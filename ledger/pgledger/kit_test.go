package pgledger_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
)

// sealer is AES-256-GCM with a key of the test, the shape of vault/seal.
type sealer struct{ aead cipher.AEAD }

func newSealer() sealer {
	block, err := aes.NewCipher([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return sealer{aead}
}

func (s sealer) Seal(plaintext, aad []byte) (string, error) {
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce)
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plaintext, aad)), nil
}

func (s sealer) Open(sealed string, aad []byte) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, err
	}
	n := s.aead.NonceSize()
	return s.aead.Open(nil, b[:n], b[n:], aad)
}

// kit is a database with a log on it. Tenants need no rows: the ledger has no foreign key to them.
type kit struct {
	pg  *pgtest.DB
	db  *rls.DB
	log *pgledger.Log
}

func config() pgledger.Config {
	return pgledger.Config{Domain: "log.example.org", Sealer: newSealer()}
}

func newKit(t testing.TB) kit {
	t.Helper()
	pg := pgtest.New(t, rls.Migrations(), pgledger.Migrations())
	k := kit{pg: pg, db: pg.Open(t)}
	k.log = k.open(t, config())
	return k
}

// open opens another log on the same database, as another process would.
func (k kit) open(t testing.TB, cfg pgledger.Config) *pgledger.Log {
	t.Helper()
	log, err := pgledger.Open(t.Context(), k.db, cfg)
	require.NoError(t, err)
	t.Cleanup(log.Close)
	return log
}

// login is an ordinary event.
func login(tenant uuid.UUID, n int) record.Event {
	user := uuid.New()
	return record.Event{
		Tenant: tenant, Actor: uuid.NullUUID{UUID: user, Valid: true},
		Action: "login", EntityType: "user", EntityID: user.String(),
		Details: map[string]any{"n": n, "address": record.Personal{Subject: user, Value: "192.0.2.7"}},
		Narrative: record.Narrative{Template: "login", Args: map[string]any{
			"user": record.Personal{Subject: user, Value: fmt.Sprintf("nutzer%d@klinikum.de", n)}, "at": time.Now(), "method": "Passwort und TOTP"}},
	}
}

// system is an event without a person.
func system(tenant uuid.UUID, n int) record.Event {
	return record.Event{
		Tenant: tenant, Action: "device_enrolled", EntityType: "device", EntityID: fmt.Sprintf("device-%d", n),
		Details:   map[string]any{"n": n},
		Narrative: record.Narrative{Template: "device_enrolled", Args: map[string]any{"device": fmt.Sprintf("ward-%d", n), "at": time.Now()}},
	}
}

// approval is a critical event.
func approval(tenant uuid.UUID, n int) record.Event {
	user := uuid.New()
	return record.Event{
		Tenant: tenant, Actor: uuid.NullUUID{UUID: user, Valid: true}, Critical: true,
		Action: "remediation_approved", EntityType: "remediation", EntityID: fmt.Sprintf("r-%d", n),
		Narrative: record.Narrative{Template: "remediation_approved", Args: map[string]any{
			"user": record.Personal{Subject: user, Value: "admin@klinikum.de"}, "script": "Firewall-Regel für Port 445", "count": 12, "at": time.Now()}},
	}
}

// fill appends n entries in one batch; with the opening entry the log then has n+1, if it was empty.
func (k kit) fill(t testing.TB, tenant uuid.UUID, n int) {
	t.Helper()
	var events []record.Event
	for i := range n {
		switch i % 5 {
		case 3:
			events = append(events, approval(tenant, i))
		case 4:
			events = append(events, system(tenant, i))
		default:
			events = append(events, login(tenant, i))
		}
	}
	_, err := k.log.AppendBatch(context.Background(), events)
	require.NoError(t, err)
}
