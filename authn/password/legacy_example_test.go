package password_test

import (
	"context"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/scrypt"

	"github.com/pioneerdesk/tomkit/authn/password"
)

// fusion is the port of a proprietary format: $fusion$<salt>$<base64 of scrypt over SHA-512 of the password>. A real port
// (such as one of "Trinity Hash Fusion", whose algorithm is not public) has its own steps in place of derive; what must stay
// is a strict parser with fixed costs, constant-time comparison, and errors that quote nothing.
type fusion struct{}

func (fusion) Prefix() string { return "$fusion$" }

func (fusion) Verify(stored, given string) (bool, error) {
	salt, encoded, ok := strings.Cut(strings.TrimPrefix(stored, "$fusion$"), "$")
	want, err := base64.RawStdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(salt) != 16 || len(want) != 32 {
		return false, password.ErrFormat
	}
	have, err := fusionDerive(given, salt)
	if err != nil {
		return false, password.ErrFormat
	}
	return subtle.ConstantTimeCompare(have, want) == 1, nil
}

func fusionDerive(given, salt string) ([]byte, error) {
	inner := sha512.Sum512([]byte(given))
	return scrypt.Key(inner[:], []byte(salt), 1<<10, 8, 1, 32)
}

// A product that comes with passwords in a format of its own keeps them: the port verifies, and the first sign-in moves the
// user to Argon2id.
func ExampleLegacy() {
	ctx := context.Background()
	h, err := password.New(password.Config{Legacy: []password.Legacy{fusion{}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	tag, _ := fusionDerive("Sommer1999", "0123456789abcdef")
	stored := "$fusion$0123456789abcdef$" + base64.RawStdEncoding.EncodeToString(tag)

	res, err := h.Verify(ctx, stored, "Sommer1999")
	fmt.Println("legacy:", res.NeedsRehash, err)
	if res.NeedsRehash {
		// In SQL: UPDATE … SET hash = $new WHERE id = $id AND hash = $old
		stored, _ = h.Hash(ctx, "Sommer1999")
	}
	res, err = h.Verify(ctx, stored, "Sommer1999")
	fmt.Println(stored[:10], res.NeedsRehash, err)
	// Output:
	// legacy: true <nil>
	// $argon2id$ false <nil>
}
