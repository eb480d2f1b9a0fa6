-- Statements that delete a tenant's rows where no foreign key does: protected tables without a cascading one to tenants, as
-- far as this login may delete there. The tenant column is the one the tenant policy depends on.
SELECT pg_catalog.format('DELETE FROM %I.%I WHERE %I = $1', n.nspname, c.relname, a.attname)
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::regclass AND d.objid = p.oid
                           AND d.refobjid = c.oid AND d.refobjsubid > 0
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE p.polname = 'tomkit_tenant'
  AND c.oid <> ALL (ARRAY['tomkit.tenants', 'tomkit.msps', 'tomkit.operators']::pg_catalog.regclass[])
  AND pg_catalog.has_table_privilege(c.oid, 'DELETE')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint f
                  WHERE f.contype = 'f' AND f.conrelid = c.oid AND f.confrelid = 'tomkit.tenants'::pg_catalog.regclass
                    AND f.confdeltype = 'c' AND f.conkey = ARRAY[a.attnum])
GROUP BY n.nspname, c.relname, a.attname
ORDER BY 1
