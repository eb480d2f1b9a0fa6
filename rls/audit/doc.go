// Package audit reads PostgreSQL's catalogues and finds what lets one tenant see, change or guess rows of another: roles that
// requests can become, tables and policies that do not isolate, privileges, keys, views and functions that go past policies,
// ways out of the database, settings and versions.
//
// The call most people need audits the database behind a connection, whatever its login:
//
//	report, err := audit.Run(ctx, conn, audit.Options{})
//	for _, f := range report.AtLeast(audit.Error) {
//		fmt.Println(f.Rule, f.Object, f.SQL)
//	}
//
// [Gate] makes the same a condition of rls.Open: a database with a fatal finding is refused. The program `tomkit audit` prints
// reports as text, JSON, SARIF 2.1.0 and Markdown, in English and German.
//
// # How it judges
//
// One pipeline of queries copies the catalogues; the rules are functions over that copy. Names do not matter: a policy is judged
// by its expression. It is split into tokens and read as a tree, and each tree is one of four things for a session that may set
// every setting:
//
//   - closed: the session is not the one the expression asks for (session_user, pg_has_role);
//   - bound: the tenant column equals something that differs by session and names no column of the row;
//   - unclear: a function or a subquery decides;
//   - open: everything else.
//
// A conjunction is as narrow as its narrowest part, a disjunction as wide as its widest, and restrictive policies narrow
// permissive ones. What is not understood is unclear, and reported, never taken for a condition.
//
// A table holds tenants' rows if it has a tenant column ([Options].TenantColumns), if its policies compare some column with the
// context, if it refers to such a table and is under row-level security, or if it is a child of one.
//
// # Exceptions
//
// Logins that must pass row-level security (migrations, dumps) are findings with an accepted reason, not silence. Products
// accept findings by rule, object and reason; an exception that meets no finding is reported itself.
//
// # Security notes
//
// The audit writes nothing and reads no table. Reports name roles, objects and expressions and hold no rows. Expressions, names
// and reasons are stripped of control characters where a terminal or a document shows them.
//
// # Limits
//
// A function is judged by its owner, its search path and who may call it, not by what its body does. A function in a policy is
// taken for the context if the tenant column is compared with its result. In subqueries with a FROM, calls are read and
// conditions are not. A login other than the superuser does not see pg_hba.conf and some settings; those rules then find
// nothing. The catalogues are read without a common snapshot: schema changes under way may show half.
//
// References such as R07 are the numbers under which the project keeps PostgreSQL behaviours it has verified by experiment.
//
// Sources: TOM 2.1 (tenant isolation); PostgreSQL 15 manual, chapters 5.7 to 5.9, 22, 38, 41.5 and 53; release notes of 15.3, 16.5 and
// 17.6 and the advisory CVE-2026-120154 for the versions of RLS712; SARIF 2.1.0 (OASIS Standard).
package audit
