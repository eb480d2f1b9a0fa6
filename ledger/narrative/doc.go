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
// # Rules
//
//   - The catalogue belongs to [Version]. A published sentence never changes; a better one is a new template.
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
