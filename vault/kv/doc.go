// Package kv reads secrets from a Vault-compatible server: it logs in, reads a KV engine version 2, and ends its token.
//
//	client, err := kv.New(kv.Config{Address: instance.Address, Mount: instance.Mount, Wire: wire.Config{Roots: roots}})
//	session, err := client.Userpass(ctx, user.Username, user.Password)
//	entry, err := session.Read(ctx, "database")
//	password, ok := entry.Field("password")       // a vault.Secret
//	entry.Wipe()
//	err = session.Revoke(ctx)                     // deleting the user does not end the token
//
// # Errors
//
// All errors of calls are [*wire.Error], except [ErrPath], [ErrTooMany] and [*DeletedError]. Refused logins are wire.ErrAuth
// whatever the status; 503, 472 and 473 are wire.ErrSealed; a token that has ended is wire.ErrPermission, as the server does
// not tell the two apart. [wire.Error.Retryable] says what is worth another try; nothing is retried here.
//
// # Security
//
// The connection is that of package wire: no environment, no proxy, no redirects (a standby node that points to the active
// one is an error), caps on everything. Values must be strings, at most 1 MiB together; a secret with a number or an
// object in it is refused as a whole. Paths are checked before they are sent and names in lists before they are used.
// Neither errors nor logs hold what the server sent. Tokens and values are [vault.Secret].
//
// # Limits
//
// There is no writing, no response wrapping, no login by other methods and no renewal in the background. Token and password
// pass through net/http, which keeps header lines as strings that cannot be zeroed.
//
// Sources: the HTTP API of HashiCorp Vault 1.13 and OpenBao, TOM 3.2. Standard library only.
package kv
