// Package wire is how the vault's clients talk: JSON over TLS to one server that is not trusted with more than it must be.
// It is for [github.com/pioneerdesk/tomkit/vault/kv] and [github.com/pioneerdesk/tomkit/vault/stackit], and for whoever reads
// their errors:
//
//	var e *wire.Error
//	if errors.As(err, &e) && e.Retryable() {
//		wait(max(pause, e.RetryAfter()))
//	}
//
// # What a server cannot do
//
// It cannot send the client elsewhere (redirects are refused, with them the token would leave), cannot make it wait
// longer than Config.Timeout or read more than Config.MaxBody, cannot send compressed, deep or endless documents, cannot
// say one thing to this reader and another to the next (names given twice, text behind the document, half surrogate
// pairs and wrong types are refused), and cannot write into a log: errors consist of fixed words, a status and an
// id that was made here.
//
// # What the environment cannot do
//
// There is no proxy, address, token or trust from environment variables. TLS is 1.2 or later with authenticated
// ciphers, certificates lead to Config.Roots and, if there are pins, through one of them. Plain http needs a switch whose
// name says unsafe.
//
// # Memory
//
// Bodies of answers are read into buffers that are zeroed when they grow and by [Response.Wipe]; strings are decoded
// without Go strings; bodies of requests are zeroed after they were sent. Not in reach are the buffers of net/http and
// crypto/tls and the header lines, tokens among them, which net/http holds as strings.
//
// Sources: RFC 9110, RFC 8259, RFC 7469 section 2.1.1 (the form of pins), TOM 3.2. Standard library only.
package wire
