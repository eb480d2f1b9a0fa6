// Package narrative is the catalogue of German sentences that ledger entries carry (TOM 3.3, "NIS2-Forensik-Narrative").
//
// A caller never writes a sentence. It names a [Template] and gives typed arguments in a [record.Narrative]; [Bind] turns
// them into the bound text, the bytes that are hashed and stored:
//
//	Benutzer {c:5f0c…} hat sich am 2026-03-09T14:23:01Z mit Passwort und TOTP angemeldet.
//
// A personal value appears there only as {c:<64 hex digits>}, its salted commitment. [Readable] gives the sentence for
// people, with the values whose openings are still there; an erased one says so:
//
//	Benutzer [personenbezogener Wert gelöscht] hat sich am 2026-03-09T14:23:01Z mit Passwort und TOTP angemeldet.
//
// # Form
//
// A sentence alone does not say where an argument ends: whoever chooses the name of a script chooses how the sentence may be
// read. So the entry's details bind the arguments as well, as the member "narrative":
//
//	{"a":{"at":"2026-03-09T14:23:01Z","method":"Passwort und TOTP","user":{"c":"5f0c…"}},"t":"login","v":1}
//
// with t the template, v the version of the catalogue that added it, and a the arguments as they stand in the sentence: texts
// escaped, times as RFC 3339, counts as integers, a personal value as its commitment. From it anybody renders the bound text
// again, byte for byte, in any later version: [Check] does, and says so where the two differ. The form costs about 110 bytes,
// and 75 for each personal value.
//
// # Rules
//
//   - The catalogue belongs to [Version]. A published sentence never changes; a better one is a new template of the next version.
//     So the sentence of an old entry stays renderable for good, and a program knows from v what it cannot know yet.
//   - Every argument of a template must be given, none may be given beyond them, and each must have its [Kind].
//   - Rendering is deterministic: text in Unicode normal form C, times in UTC with whole seconds (RFC 3339), integers in decimal.
//   - Arguments are data. A control, format or bidi character, a line separator, a brace, a backslash and an invalid byte are
//     written as an escape (\u202e, \u007b, \\, \xff), so that no value can break the line, reorder the text or forge a {c:…}.
//     The escaped set is listed in [Escape] and does not depend on the Unicode version of the program.
//   - The bound text has at most [MaxBytes] bytes, a personal value at most [MaxPersonal].
//
// # Security
//
// Kind [Person] accepts a [record.Personal] and nothing else: a sentence about a person cannot be recorded with the name in
// plain, unerasable text by mistake. Errors name the template and the argument, never a value.
package narrative
