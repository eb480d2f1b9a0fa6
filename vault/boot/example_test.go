package boot_test

import (
	"context"
	"fmt"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

func ExampleRun() {
	fake, err := vaulttest.Start(vaulttest.Config{Secrets: map[string]map[string]string{"DB_PASSWORD": {"value": "example"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fake.Close()

	key, err := stackit.ParseKey(fake.KeyFile(), nil) // in production: stackit.ReadKey(path, …)
	if err != nil {
		fmt.Println(err)
		return
	}
	connection := wire.Config{Roots: fake.Roots()} // in production: x509.SystemCertPool()
	secrets, report, err := boot.Run(context.Background(), boot.Config{
		Stackit: stackit.Config{
			Key: key, Project: fake.Project(), Instance: fake.Instance(),
			API: fake.URL(), TokenEndpoint: fake.TokenEndpoint(), Wire: connection,
		},
		KV:       kv.Config{Wire: connection},
		Manifest: vault.Manifest{{Key: "DB_PASSWORD", Format: vault.Text}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer secrets.Wipe()
	password, _ := secrets.Secret("DB_PASSWORD")
	fmt.Println(password, report.Versions, len(fake.Users()), "users left")
	// Output: [secret] [{DB_PASSWORD 1}] 0 users left
}
