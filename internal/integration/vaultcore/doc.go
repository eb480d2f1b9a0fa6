// Package vaultcore runs the contract of vault/vaulttest against a real Vault: HashiCorp's core 1.13.1 in memory, with userpass
// and a KV engine version 2. It is a release under the MPL whose parts exist as Go modules that fit together. The module is one
// of its own and no part of CI, since it takes minutes to compile; `make soak` runs it:
//
//	cd internal/integration/vaultcore && go test ./...
package vaultcore
