// Package pgauthn is authn's store on PostgreSQL, and the administration of users, roles, factors and sessions.
//
//	store, err := pgauthn.New(pgauthn.Config{DB: db, Record: ledger, Seal: ring, Passwords: hasher, Codes: verifier})
//	flow, err := authn.New(authn.Config{Store: store, Passwords: hasher, Codes: verifier, Seal: ring, Tokens: issuer})
//
// Every table is under forced row-level security, begins its keys with the tenant and refers to other tables by
// (tenant_id, id). A method opens the scope of the tenant it is given; its twin with the suffix Tx works inside the
// caller's transaction, in that transaction's tenant. A change and its ledger entry commit together: the entry is handed
// to [Recorder] inside the transaction, and if that fails the change does not happen.
//
// Tables: tenant_auth, roles, policies, users, user_passwords, user_totp, step_tokens, sessions, sign_in_failures.
// Secrets at rest: passwords as hashes, TOTP secrets sealed for their tenant and user, step tokens as hashes. E-mail
// addresses and display names are personal data and plain; they fall under the tenant's policies and go with the user's
// row. The MSP login cannot read passwords, factors, step tokens and counters; the backup login can read everything,
// which is why secrets are sealed with a key that is not in the database.
//
// [Store.MigrateSecrets] brings TOTP secrets of older forms to the present one; run it at every start. [Store.Sweep]
// removes what is long over.
//
// Sources: TOM 1.2.1 to 1.2.3, 1.3.1, 2.1, 2.2.
package pgauthn
