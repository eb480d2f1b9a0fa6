// Command issue-tokens issues an access token, verifies it, and shows that a changed one is refused before its claims are read.
package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn/token"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	seed := make([]byte, token.SeedSize) // in production: from the vault
	if _, err := rand.Read(seed); err != nil {
		return err
	}
	key, err := token.NewKey(seed)
	if err != nil {
		return err
	}
	issuer, err := token.NewIssuer(key, token.IssuerConfig{Issuer: "https://id.example", Audience: "shop"})
	if err != nil {
		return err
	}
	verifier, err := token.NewVerifier([]token.PublicKey{key.Public()}, token.VerifierConfig{Issuer: "https://id.example", Audience: "shop"})
	if err != nil {
		return err
	}
	raw, _, err := issuer.Issue(token.Claims{
		Subject: uuid.New(), Tenant: uuid.New(), Session: uuid.New(), Role: "technician", Policies: []string{"monitoring:read"},
		Methods: []string{"pwd", "otp"}, AuthTime: time.Now(),
	})
	if err != nil {
		return err
	}
	claims, err := verifier.Verify(raw)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "role:", claims.Role, "policies:", claims.Policies, "valid for:", claims.Expires.Sub(claims.IssuedAt))
	changed := []byte(raw)
	changed[len(changed)/2] ^= 1
	_, err = verifier.Verify(string(changed))
	fmt.Fprintln(out, "changed:", err)
	return nil
}
