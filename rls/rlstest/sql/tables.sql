SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relispartition, c.relrowsecurity,
       has_table_privilege($1::name, c.oid, 'SELECT'), has_table_privilege($1::name, c.oid, 'INSERT'),
       has_table_privilege($1::name, c.oid, 'UPDATE'), has_table_privilege($1::name, c.oid, 'DELETE'),
       EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal),
       CASE WHEN c.relkind = 'p' THEN ( -- a lone default partition takes everything and has no constraint
                SELECT CASE WHEN bool_and(pg_get_partition_constraintdef(t.relid) IS NOT NULL)
                            THEN array_agg(pg_get_partition_constraintdef(t.relid)) ELSE '{}' END
                FROM pg_partition_tree(c.oid) t WHERE t.isleaf)
            WHEN c.relispartition THEN array_remove(ARRAY[pg_get_partition_constraintdef(c.oid)], NULL)
            ELSE '{}' END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'rlstest_shadow') AND n.nspname !~ '^pg_(toast|temp)'
  AND ($2::text[] IS NULL OR n.nspname = ANY ($2::text[]))
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
