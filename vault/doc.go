// Package vault holds secrets in memory and loads them at start, all or none.
//
// The call most people need loads the secrets of a manifest from a source and refuses to go on without them:
//
//	secrets, err := vault.DefaultManifest().Load(ctx, source)
//	if err != nil { … }                               // *ManifestError names keys, never values; do not start
//	seed, _ := secrets.Secret(vault.JWTSeed)
//	key, err := token.NewKey(seed.Reveal())
//
// # Secret
//
// A [Secret] shows a fixed mark wherever it is printed, logged or encoded: fmt with every verb, slog as text and JSON,
// wrapped errors, panics, JSON, XML, YAML, text, templates; binary encoders and gob get an error. It cannot be compared
// with == ([Secret.Equal] compares in constant time) and cannot be decoded into. Its bytes are held by a function value, so
// printers that walk unexported fields by reflection find nothing either. [Secret.Reveal] is the only way to the bytes:
// grep for it to see every use.
//
// # Source
//
// A [Source] fetches values by name; a [Manifest] says which names are needed, in which form, and decodes them. A missing,
// empty or ill-formed value is an error. [DevelopmentFileUnsafe] keeps random keys in a 0600 file and [DevelopmentEnvironmentUnsafe]
// reads the environment; both refuse to work in production, where secrets come from a secrets manager.
//
// # While running
//
// [Live] refreshes secrets without a restart: readers see one whole [Snapshot], and an old one is wiped behind its last reader.
//
// # Memory
//
// What [Manifest.Load] returns is guarded ([NewGuardedSecret]): off the Go heap, out of core dumps, locked in memory where the
// system allows it. [HardenProcess] switches core dumps and foreign readers off for the whole process. Built with
// GOEXPERIMENT=runtimesecret, decoding also erases its stack and heap. A test scans the memory of a process after a wipe and
// finds no copy.
//
// # What is not promised
//
// Go copies memory as it likes. [Secret.Wipe] zeroes the bytes the Secret holds; copies made by Reveal are the caller's to
// wipe, a superuser reads all memory, and so does a debugger without HardenProcess. Values never reach a disk through this
// package, except in the development file.
//
// Sources: TOM 3.2. Standard library only.
package vault
