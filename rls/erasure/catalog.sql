-- Every table of the database that may hold tenants' rows, with what is needed to know before touching it. Partitions and
-- inheritance children are read through their parents. A tenant column is one that the tenant policy compares, that
-- references tomkit.tenants, or that is called tenant_id.
SELECT n.nspname, c.relname, c.relkind::text,
       coalesce(t.columns, '{}') AS tenant_columns,
       has_table_privilege('tomkit_system', c.oid, 'SELECT')
           AND (NOT c.relrowsecurity OR EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tomkit_system')) AS readable,
       has_table_privilege('tomkit_system', c.oid, 'DELETE') AS system_delete,
       has_table_privilege('tomkit_app', c.oid, 'DELETE') AS app_delete,
       col.names, col.types, col.nullable, col.app_select, col.app_update, col.system_update
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY a.attnum) AS names,
           array_agg(pg_catalog.format_type(a.atttypid, NULL) ORDER BY a.attnum) AS types,
           array_agg(NOT a.attnotnull ORDER BY a.attnum) AS nullable,
           array_agg(has_column_privilege('tomkit_app', c.oid, a.attnum, 'SELECT') ORDER BY a.attnum) AS app_select,
           array_agg(has_column_privilege('tomkit_app', c.oid, a.attnum, 'UPDATE') ORDER BY a.attnum) AS app_update,
           array_agg(has_column_privilege('tomkit_system', c.oid, a.attnum, 'UPDATE') ORDER BY a.attnum) AS system_update
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) col
CROSS JOIN LATERAL (
    SELECT array_agg(x.attname ORDER BY x.rank, x.attnum) AS columns
    FROM (
        SELECT a.attname::text, a.attnum, min(r.rank) AS rank
        FROM pg_catalog.pg_attribute a
        JOIN (
            SELECT d.refobjsubid AS attnum, 1 AS rank FROM pg_catalog.pg_policy p
            JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = p.oid
            WHERE p.polrelid = c.oid AND p.polname = 'tomkit_tenant' AND d.refobjid = c.oid AND d.refobjsubid > 0
            UNION ALL
            SELECT y.attnum, 2 FROM pg_catalog.pg_attribute y WHERE y.attrelid = c.oid AND y.attname = 'tenant_id'
            UNION ALL
            SELECT k.conkey[1], 3 FROM pg_catalog.pg_constraint k
            WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid = to_regclass('tomkit.tenants')
              AND cardinality(k.conkey) = 1
        ) r ON r.attnum = a.attnum
        WHERE a.attrelid = c.oid AND NOT a.attisdropped
        GROUP BY a.attname, a.attnum) x) t
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)
ORDER BY n.nspname, c.relname
