-- Rows deleted on this connection that PostgreSQL has not added to its statistics yet, this transaction's among them.
SELECT pg_catalog.format('%I.%I', n.nspname, r.relname), pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid))::bigint
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_class r ON r.oid = coalesce(pg_catalog.pg_partition_root(c.oid), c.oid)
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
WHERE c.relkind = 'r' AND pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) > 0
GROUP BY 1
