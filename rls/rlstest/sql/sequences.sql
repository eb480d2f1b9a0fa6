SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'rlstest_shadow')
  AND ($1::text[] IS NULL OR n.nspname = ANY ($1::text[]))
ORDER BY 1
