// Package tenant keeps who is who in an installation: one operator runs it, MSPs serve tenants, and every row of every
// protected table belongs to a tenant.
//
// The call most people need finds the tenant of a sign-in, before there is a scope:
//
//	id, err := tenant.BySlug(ctx, db.Anonymous(), "kreisklinik-nord")
//
// or, where each tenant has names of its own,
//
//	id, err := tenant.ByHost(ctx, db.Anonymous(), request.Host)
//
// Both give out the id of an active tenant with an active MSP and nothing else. Changes are made in a System scope:
//
//	err := db.System(ctx, "tenant_create", func(ctx context.Context, tx *rls.Tx) error {
//		id, err = tenant.Create(ctx, tx, msp, tenant.New{Slug: "kreisklinik-nord", Name: "Kreisklinik Nord"})
//		return err
//	})
//
// The hierarchy is data with constraints: a tenant always has an MSP and an MSP always the operator. The operator is
// itself an MSP and a tenant under its own id, which is where its log and its staff live; it can be neither suspended nor
// moved nor deleted.
//
// # Suspension
//
// A suspended tenant is unknown to [BySlug] and [ByHost], and so are all tenants of a suspended MSP, which itself sees
// none of them. Data stays, and so do scopes that are asked for by id: who admits requests by other means than these two
// functions asks whether the tenant is active. An MSP goes on seeing its suspended tenants; somebody must look after them.
//
// # Deletion
//
// rls/erasure deletes a tenant with all its rows but the ledger's, and proves it. An MSP with tenants cannot be deleted: [Move]
// them first.
//
// # Security
//
// The tables are under row-level security like all others. A tenant reads its own rows, an MSP its own and its tenants',
// and neither changes any. Slugs and hosts are unique in the whole installation; since requests cannot write them, they
// cannot find out which are taken.
//
// Sources: TOM 2.2; RFC 1035 §2.3.4 and RFC 5891 §4.2.3.1 (host names); RFC 9110 §7.2 (Host).
package tenant
