package pgauthn_test

import (
	"context"
	"fmt"
	"os"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/password"
	"github.com/pioneerdesk/tomkit/authn/pgauthn"
	"github.com/pioneerdesk/tomkit/authn/token"
	"github.com/pioneerdesk/tomkit/authn/totp"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

// The store, its first user, and the sign-in over it. It needs a database; see internal/pgtest for tests.
func Example() {
	ctx := context.Background()
	key := []byte(os.Getenv("DEVELOPMENT_KEY")) // in production from the vault
	db, err := rls.Open(ctx, rls.Config{AppURL: os.Getenv("TOMKIT_DATABASE_URL"), ContextKey: rls.ContextKey{ID: "k1", Key: key}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	var ledger pgauthn.Recorder // ledger/pgledger
	hasher, _ := password.New(password.Config{})
	codes, _ := totp.New(totp.Config{})
	ring, _ := seal.New(seal.Config{Active: seal.Key{Bytes: key}})
	signer, _ := token.NewKey(key)
	issuer, _ := token.NewIssuer(signer, token.IssuerConfig{Issuer: "https://tomkit.example", Audience: "tomkit"})

	store, err := pgauthn.New(pgauthn.Config{DB: db, Record: ledger, Seal: ring, Passwords: hasher, Codes: codes})
	if err != nil {
		fmt.Println(err)
		return
	}
	tenant := uuid.MustParse("6f1c3f4e-7a55-4c6e-9d0f-2f3f4b1b9d11") // from its slug
	_ = store.DefineRole(ctx, pgauthn.By{}, tenant, "Tenant-Admin", []string{"*:*"})
	_, _ = store.CreateUser(ctx, pgauthn.By{}, tenant, pgauthn.NewUser{
		Email: "admin@klinikum.example", Password: "to be changed soon", Role: "Tenant-Admin",
	})
	flow, err := authn.New(authn.Config{Store: store, Passwords: hasher, Codes: codes, Seal: ring, Tokens: issuer})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(flow != nil)
}
