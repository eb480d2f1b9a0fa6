// Package demo runs every control of tomkit against this machine's own telemetry, and then attacks it. It is what `tomkit demo`
// does: it composes the reference server with a private database, takes the part of two tenants, an administrator, an endpoint
// and an attacker, and reports for each check what was expected and what was seen.
package demo
