// Package pgsink keeps heartbeats in PostgreSQL: the newest beat of each device, a thinned history, and a count of what
// could not be stored.
//
//	sink, err := pgsink.New(db, pgsink.Config{})
//	…
//	go sink.Run(ctx)               // commits in groups until ctx ends
//	err = sink.Accept(ctx, beat)   // nil: committed
//	list, err := pgsink.Current(ctx, db.Tenant(tenant), pgsink.Page{})
//
// # What holds
//
// Accept returns nil after COMMIT, never before. An upsert guarded by last_seen makes the stored beat monotonic, so
// writing twice is harmless and a lost connection is simply tried again. Rows are written in key order, so concurrent
// writers, also of other processes, do not deadlock.
//
// Beats of deleted tenants and unknown devices end as dead letters and do not delay the rest of their batch: tenants are
// looked up in the same statement, everything else is found by halving the batch. A tenant or device that is being
// deleted in a transaction still open costs a batch a bounded wait, and its own beats the answer
// [heartbeat.ErrUnavailable]; the others are stored.
//
// Writing is system work: it runs as rls.RoleSystem under [Reason]. Requests may read their own tenant's rows and
// nothing else, which row-level security enforces. A last_seen ahead of the database's clock by more than
// [MaxAhead] is stored as that limit, so a server with a wrong clock cannot keep a device online.
//
// A foreign key from tomkit.heartbeats (tenant_id, device_id) to a table of devices may be added by the schema that owns
// them; its violation means an unknown device. The history follows its device's heartbeat when that is deleted.
//
// Source: TOM 5.1.
package pgsink
