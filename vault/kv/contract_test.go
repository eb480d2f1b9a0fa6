package kv_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// TestTheContractHolds runs what foreign clients and a real Vault run too.
func TestTheContractHolds(t *testing.T) {
	f := setup(t)
	fake := vaulttest.New(t, vaulttest.Config{Now: f.clock.Now})
	require.NoError(t, vaulttest.Seed(t.Context(), vaulttest.HTTPClient(fake), fake.URL(), fake.Instance(), fake.RootToken()))
	client, err := kv.New(kv.Config{Address: fake.URL(), Mount: fake.Instance(), Wire: wire.Config{Roots: fake.Roots(), Now: f.clock.Now}})
	require.NoError(t, err)
	defer client.Close()
	username, password := fake.AddUser("contract", false, f.clock.Now())
	setting := vaulttest.Setting{Address: fake.URL(), Mount: fake.Instance(), Username: username, Password: password, Subject: vaulttest.Client(client)}
	for _, c := range vaulttest.Contract() {
		t.Run(c.Name, func(t *testing.T) { require.NoError(t, c.Run(t.Context(), setting)) })
	}
}
