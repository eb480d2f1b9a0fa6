package stackit_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

func Example() {
	ctx := context.Background()
	fake, err := vaulttest.Start(vaulttest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer fake.Close()

	key, err := stackit.ParseKey(fake.KeyFile(), nil) // a program reads it with ReadKey
	if err != nil {
		log.Fatal(err)
	}
	client, err := stackit.New(stackit.Config{
		Key: key, Project: fake.Project(), Instance: fake.Instance(), API: fake.URL(), Wire: wire.Config{Roots: fake.Roots()},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	mine := stackit.NewDescription(time.Now(), "host")
	user, err := client.CreateUser(ctx, mine)
	if err != nil {
		log.Fatal(err)
	}
	_, ours := user.Boot()
	fmt.Println(ours, user.Write, user.Password)
	fmt.Println(client.DeleteUser(ctx, user), len(fake.Users()))
	// Output:
	// true false [secret]
	// <nil> 0
}

func ExampleKey_Expiry() {
	key := &stackit.Key{ValidUntil: time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC)}
	urgency, left := key.Expiry(time.Date(2026, 3, 25, 0, 0, 0, 0, time.UTC))
	fmt.Println(urgency == stackit.Warning, left)
	// Output: true 144h0m0s
}
