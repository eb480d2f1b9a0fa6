package kv_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

func Example() {
	ctx := context.Background()
	fake, err := vaulttest.Start(vaulttest.Config{Secrets: map[string]map[string]string{"database": {"password": "correct horse"}}})
	if err != nil {
		log.Fatal(err)
	}
	defer fake.Close()
	username, password := fake.AddUser("example", false, time.Time{})

	client, err := kv.New(kv.Config{Address: fake.URL(), Mount: fake.Instance(), Wire: wire.Config{Roots: fake.Roots()}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	session, err := client.Userpass(ctx, username, vault.NewSecret([]byte(password)))
	if err != nil {
		log.Fatal(err)
	}
	entry, err := session.Read(ctx, "database")
	if err != nil {
		log.Fatal(err)
	}
	value, _ := entry.Field("password")
	fmt.Println(value, value.Len(), entry.Number)
	entry.Wipe()
	fmt.Println(session.Revoke(ctx), len(fake.Tokens()))
	// Output:
	// [secret] 13 1
	// <nil> 0
}
