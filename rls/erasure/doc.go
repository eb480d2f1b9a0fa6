// Package erasure keeps personal data no longer than its purpose needs, and gives persons their data or removes it: purpose
// limitation, retention, erasure and export, for any product's tables.
//
// Everything follows a [Register]: the record of processing activities (Art. 30 GDPR) as data. It says for each category
// what the data is for, on what legal basis, how long it is kept, in which tables it is, by which column its age counts, and
// which columns name a person. [Check] holds it against the database: a tenant table that nobody thought of is an error.
//
//	e, err := erasure.New(erasure.Config{DB: db, Record: ledger, Register: &register})
//	report, err := e.Plan(ctx)                                  // dry run
//	report, err = e.Apply(ctx)                                  // delete and anonymise what has expired
//	rows, err := e.ExportPerson(ctx, w, tenant, person, by)     // Art. 15, 20
//	result, err := e.ErasePerson(ctx, tenant, person, by)       // Art. 17
//	job, err := e.DeleteTenant(ctx, erasure.Deletion{…})        // Art. 17, the whole tenant
//
// [Runner] applies retention periodically; every process may run one.
//
// # Retention
//
// A row expires when its time is at or before one [Period] ago; a row without a time does not age. A tenant may have a period
// of its own within the category's bounds ([Eraser.Override]). Holds ([Eraser.PlaceHold]) win over everything: over
// retention, over a person's erasure, over a tenant's deletion, and also over foreign keys that would take held rows along.
// Rows that others reference without a cascade stay until those are gone.
//
// A transaction is one tenant's batches and one entry with numbers: the two are committed together, so what cannot be
// recorded stays. A run of up to Config.BatchRows × Config.Batches rows in a tenant makes one entry, a longer one one for each
// transaction.
//
// # Deletion of a tenant
//
// A durable job suspends the tenant, deletes its rows, has outside stores emptied ([Purger]), and is done when a search over
// every tenant column of the database finds nothing ([Eraser.ProveErased]). Each step is idempotent and committed with the
// job, so a crash anywhere is resumed. The ledger stays: its rows prove what was done, and it has an end of life of its own.
//
// # Security
//
// Names of tables and columns are looked up in the catalog and quoted; nothing of a register reaches a statement
// otherwise. Erasure and export of a person run in the tenant's scope. Retention and the deletion of tenants run on the
// system login; each of their statements names its tenant. Reports, entries and errors hold numbers, names of tables and ids.
//
// # Limits
//
// What is in no declared column is not found: a name in a free text, an id inside JSON. A foreign key to the people's table is
// noticed if it is not declared, a bare id is not. Backups, logs and exports already handed out are not reached. Tables need
// rls.Protect. Rows are not overwritten on disk; PostgreSQL's vacuum frees them.
//
// Sources: Regulation (EU) 2016/679 (GDPR), Art. 5(1)(b) and (e), 15, 17, 20, 30; TOM 8.2; ISO 8601 (durations).
package erasure
