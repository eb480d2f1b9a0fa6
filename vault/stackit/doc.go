// Package stackit manages the users of a STACKIT Secrets Manager instance: a boot makes one that may only read, logs in
// with it (package kv) and deletes it.
//
//	key, err := stackit.ReadKey("/run/credentials/app/service-account.json", "")
//	client, err := stackit.New(stackit.Config{Key: key, Project: project, Instance: instance, Wire: wire.Config{Roots: roots}})
//	place, err := client.Instance(ctx)            // address and mount of the Vault
//	mine := stackit.NewDescription(time.Now(), hostname)
//	user, err := client.CreateUser(ctx, mine)     // after an error: FindUsers(ctx, mine), then DeleteUser
//	err = client.DeleteUser(ctx, user)            // after its token was revoked
//	swept, err := client.Sweep(ctx, 15*time.Minute, mine)
//
// # Key flow
//
// A service account proves itself with a JWT signed by its RSA key (RS512), exchanged for an access token. The assertion is
// made anew for each exchange, with an id of its own, and valid for ten minutes at most. The access token is kept until
// shortly before its end and dropped when the API does not accept it. Nothing is retried here; errors are [*wire.Error] and
// say whether that is worth it.
//
// # Whose users
//
// The service chooses names and tells no time of creation, so the description carries both: onelog-boot-, the time, a hash of
// the host and a random part ([Description]). [Client.DeleteUser] and [Client.Sweep] refuse to touch a user whose description
// is not of exactly this form. CreateUser refuses an answer that is about another user or one that may write.
//
// Two facts that the name "ephemeral" hides: a user made here may read every secret of the instance until it is deleted,
// and deleting it does not end the tokens it got.
//
// # The key
//
// A key file must be a regular file of this user or root, mode 0600 or stricter, at most 64 KiB, not a link. RSA keys have
// 2,048 to 8,192 bits and must belong to the public key beside them. [Key.Expiry] says how urgent a replacement is. The
// private part cannot be printed; it cannot be zeroed either, since crypto/rsa holds it in numbers of its own.
//
// Sources: STACKIT's OpenAPI document 1.4.3 of the Secrets Manager, RFC 7519, RFC 7523, TOM 3.2. Standard library only.
package stackit
