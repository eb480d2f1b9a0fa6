// Package server is the reference server: it composes the controls of tomkit behind one HTTPS API and maps their errors to problem
// documents. With nothing configured it starts a private PostgreSQL, makes its own logins, and presents a certificate of a throw-away
// authority; in production it refuses all three.
//
// Every route names the permission it demands or the reason why it is public; a route without either is not registered. Every audited
// change commits together with its ledger entry.
package server
