// Package seal encrypts single fields for storage with AES-256-GCM, bound to the row they belong to.
//
//	ring, err := seal.New(seal.Config{Active: seal.Key{Bytes: key}})
//	aad := seal.AAD("mfa/totp", tenantID, userID)
//	text, err := ring.Seal(secret, aad)        // $enc2$<key id>$<base64(nonce ‖ ciphertext ‖ tag)>
//	secret, err = ring.Open(text, aad)         // ErrOpen in any other row, for any other purpose
//
// # Formats
//
// New values are written as $enc2$<kid>$<base64>: standard base64 with padding of a random 12-byte nonce, the ciphertext
// and a 16-byte tag; kid names the key; the associated data are the caller's, normally [AAD]. The document's format,
// $enc$<base64> (TOM 1.2.1), is read if Config.ReadLegacy allows it: it has neither key id nor associated data, so one
// user's value fits into another's row. [Ring.NeedsReseal] says what to write anew.
//
// # Keys
//
// The ring seals with its active key and opens with that and the old ones. A key id defaults to one derived from the key.
// To rotate: make the new key active, keep the old one, reseal what NeedsReseal names, then drop the old one. Nonces are
// random: rotate before 2^32 values were sealed with one key (NIST SP 800-38D section 8.3). A ring counts and, at half of
// that, calls Config.Warn.
//
// [Ring.NewDataKey] gives each tenant a key of its own, sealed by the ring: rotating the ring then reseals one value per
// tenant, and deleting that value erases the tenant's data, copies included.
//
// # Streams
//
// [Ring.SealStream] seals data of any length, such as a backup, in chunks that are checked before their bytes are given out
// (STREAM, Hoang, Reyhanitabar, Rogaway, Vizár 2015). Each stream has a key of its own.
//
// # Security
//
// A value that was changed, cut, moved to another row or purpose, or sealed with another key is refused with one error
// that does not say which. Length is not hidden. Empty associated data are refused: a value bound to nothing is a
// value that fits everywhere.
//
// Sources: NIST SP 800-38D, RFC 5116, TOM 1.2.1 and 3.1.2. Standard library only.
package seal
