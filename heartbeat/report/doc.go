// Package report carries an endpoint's heartbeats to the server.
//
//	r, err := report.New(report.Config{Server: "https://tomkit.example", Roots: roots, Credential: credential})
//	…
//	err = r.Run(ctx, collector)   // until ctx ends, or report.ErrRevoked
//
// [Enrol] turns a one-time token into the device's credential beforehand.
//
// # What holds
//
// TLS 1.2 or 1.3 only, verified against the given roots. No redirect is followed, no proxy taken from the environment,
// and plain HTTP refused, so the credential reaches the named server and nobody else. Answers are limited in size and
// read strictly; of a server's error only the status and a clipped title enter an error text, and never the credential.
//
// A sample that cannot be delivered waits in memory: the newest ones are kept, the oldest dropped, and they are sent
// oldest first. Retries are few, with jittered pauses that grow, and not before the Retry-After of the server. A
// sample the server refuses as invalid is dropped, so it blocks no later one. A refused credential (401) ends Run.
//
// Source: TOM 5.1, 3.1.1; RFC 9110 section 10.2.3, RFC 9457.
package report
