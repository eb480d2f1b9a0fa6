// Package heartbeat receives the telemetry of endpoints and decides who is online.
//
// An endpoint measures a [Sample] and sends it as JSON. The server parses it with [ParseSample], adds who sent it and
// when it arrived, and hands the [Beat] to an [Acceptor]:
//
//	sample, err := heartbeat.ParseSample(body)
//	…
//	err = acceptor.Accept(ctx, heartbeat.Beat{Tenant: tenant, Device: device, ReceivedAt: now, Sample: sample})
//
// A nil error means the beat is durable, or a newer one of the same device already is. [Committer] is the Acceptor
// that collects concurrent callers into one transaction of a [Sink]; heartbeat/pgsink is the sink for PostgreSQL.
//
// # What holds
//
// The server's receive time decides; the device's clock is stored and never compared. A late, older beat never
// replaces a newer one. A beat that cannot be stored (deleted tenant, unknown device) never delays another one.
// Nobody is told "accepted" before the storage has committed. Every queue is bounded: when it is full, Accept answers
// [ErrOverloaded] at once, with the time to wait.
//
// # Wire form
//
// All parsers of this package are strict: names are compared bytewise, unknown and repeated names, null, invalid UTF-8,
// trailing bytes and oversized input are refused with an [InvalidError] that names the field and never its content.
// Text is limited in bytes and to printable characters, so neither control nor bidirectional formatting characters
// reach a console. The wire types of enrolment and reporting live here, shared by server and agent.
//
// # Compatibility
//
// The wire form carries its version (field "v", [WireVersion]). Fields are only added together with a new version.
//
// Source: TOM 5.1.
package heartbeat
