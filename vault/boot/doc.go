// Package boot loads a program's secrets at start with a login that exists for seconds:
//
//	secrets, report, err := boot.Run(ctx, boot.Config{Stackit: stackit.Config{…}, KV: kv.Config{…}})
//	if err != nil { … }      // do not start
//
// [FromEnvironment] makes the Config from variables such as TOMKIT_VAULT_KEY_FILE.
//
// The five steps of TOM 3.2: prove who we are to the management plane with the service account's key; have it make a
// read-only user for this boot alone; log in as that user and read the manifest's secrets into memory; revoke the token and
// delete the user; hand over. There is no step that writes to disk.
//
// # Failure
//
// A first try and three more, after 2, 4 and 8 s, where waiting can help: no answer, 408, 429, 5xx, a sealed Vault. A refused
// credential, a missing secret, a certificate that proves nothing end the boot at once. Every try makes at most one user and
// removes it again, also when ctx is cancelled (SIGTERM) or a panic passes: cleaning up has a deadline of its own. A user
// whose creation was not confirmed is looked for by its description. If a user or token cannot be removed, the boot fails
// with [ErrLeftover] and no further user is made. Users of boots that died are deleted by the next one, after
// Config.OrphanAge; users of others are never touched. A token whose answer got lost on the way is known to nobody and
// ends with its life, 15 min at STACKIT.
//
// # Restart loops
//
// A boot that fails after it made a user returns no sooner than Config.MinInterval after that, and a boot waits where a user
// of a boot of the same host is younger: a supervisor that restarts at once does not fill the instance with users.
//
// # What is told
//
// [Event] and [Report] hold names, versions, durations and errors of fixed words, never a value or a hash of one.
//
// Sources: TOM 3.2; the packages stackit and kv for the wire.
package boot
