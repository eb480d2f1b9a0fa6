package authn_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/authntest"
	"github.com/pioneerdesk/tomkit/authn/password"
	"github.com/pioneerdesk/tomkit/authn/token"
	"github.com/pioneerdesk/tomkit/authn/totp"
	"github.com/pioneerdesk/tomkit/vault/seal"
)

// A sign-in with password and TOTP. In production the store is authn/pgauthn's.
func Example() {
	ctx := context.Background()
	hasher, _ := password.New(password.Config{})
	codes, _ := totp.New(totp.Config{})
	ring, _ := seal.New(seal.Config{Active: seal.Key{Bytes: bytes.Repeat([]byte{1}, 32)}}) // from the vault
	key, _ := token.NewKey(bytes.Repeat([]byte{2}, 32))                                    // from the vault
	issuer, _ := token.NewIssuer(key, token.IssuerConfig{Issuer: "https://tomkit.example", Audience: "tomkit"})
	store := authntest.NewMemory()
	flow, err := authn.New(authn.Config{Store: store, Passwords: hasher, Codes: codes, Seal: ring, Tokens: issuer})
	if err != nil {
		fmt.Println(err)
		return
	}

	// Somebody with an authenticator app.
	hash, _ := hasher.Hash(ctx, "correct horse battery staple")
	secret, _ := codes.NewSecret()
	tenant := store.AddTenant(nil)
	user := authntest.User{Email: "ada@klinikum.example", PasswordHash: hash, Role: "Technician"}
	user.Secret = func(id uuid.UUID) string {
		sealed, _ := ring.Seal(secret, authn.SecretAAD(tenant, id))
		return sealed
	}
	store.AddUser(nil, tenant, user)

	binding := authn.BindTo("a random nonce the server set as a cookie", "User-Agent")
	state, err := flow.Password(ctx, authn.PasswordRequest{
		Tenant: tenant, Email: "Ada@klinikum.example", Password: "correct horse battery staple", Binding: binding,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	switch s := state.(type) {
	case *authn.Challenge:
		fmt.Println("answer with", s.Factors)
		code, _ := codes.Code(secret, time.Now())
		granted, err := flow.TOTP(ctx, authn.CodeRequest{StepToken: s.StepToken.Reveal(), Code: code, Binding: binding})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(granted.Session.Role, "signed in by", granted.Session.AMR)
		_, err = flow.TOTP(ctx, authn.CodeRequest{StepToken: s.StepToken.Reveal(), Code: code, Binding: binding})
		fmt.Println(err)
	case *authn.Enrolment:
		fmt.Println("enrol with", s.Factors)
	case *authn.Granted:
		fmt.Println("no second factor required")
	}
	// Output:
	// answer with [totp]
	// Technician signed in by [pwd otp]
	// authn: step token: not valid
}
