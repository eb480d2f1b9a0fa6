package narrative_test

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/narrative"
	"github.com/pioneerdesk/tomkit/ledger/record"
)

func Example() {
	known := map[[32]byte]string{}
	bound, err := narrative.Bind(record.Narrative{Template: "mfa_enabled", Args: map[string]any{
		"user":   record.Personal{Subject: uuid.MustParse("0d4a3a52-5d1e-4d0f-8f4f-0e2b6a3c9d11"), Value: "admin@klinikum.de"},
		"method": "TOTP",
		"at":     time.Date(2026, 3, 9, 14, 23, 1, 0, time.UTC),
	}}, func(p record.Personal) ([32]byte, error) {
		c := sha256.Sum256([]byte("32 random bytes" + p.Value)) // a ledger salts and stores this
		known[c] = p.Value
		return c, nil
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(narrative.Readable(bound.Text, func(c [32]byte) (string, bool) { v, ok := known[c]; return v, ok }))
	clear(known) // Art. 17 GDPR
	fmt.Println(narrative.Readable(bound.Text, func(c [32]byte) (string, bool) { v, ok := known[c]; return v, ok }))
	// Output:
	// Benutzer admin@klinikum.de hat am 2026-03-09T14:23:01Z den zweiten Faktor TOTP aktiviert.
	// Benutzer [personenbezogener Wert gelöscht] hat am 2026-03-09T14:23:01Z den zweiten Faktor TOTP aktiviert.
}
