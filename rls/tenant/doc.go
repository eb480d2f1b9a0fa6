// Package tenant keeps who is who in an installation: one operator runs it, MSPs serve tenants, and every row of every
// protected table belongs to a tenant.
//
// The call most people need finds the tenant of a sign-in, before there is a scope:
//
//	id, err := tenant.BySlug(ctx, db.Anonymous(), "kreisklinik-nord")
//
// It gives out the id of an active tenant and nothing else. Changes are made in a System scope:
//
//	err := db.System(ctx, "tenant_create", func(ctx context.Context, tx *rls.Tx) error {
//		id, err = tenant.Create(ctx, tx, msp, tenant.New{Slug: "kreisklinik-nord", Name: "Kreisklinik Nord"})
//		return err
//	})
//
// The hierarchy is data with constraints: a tenant always has an MSP and an MSP always the operator. The operator is
// itself an MSP and a tenant under its own id, which is where its log and its staff live.
//
// Security: the three tables are under row-level security like all others. A tenant reads its own row, an MSP its own
// and its tenants', and neither changes any. Deleting a tenant deletes its rows in all tables that refer to it.
package tenant
