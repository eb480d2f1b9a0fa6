SELECT i.indrelid, pg_catalog.format('%I.%I', n.nspname, c.relname), i.indisunique, i.indisprimary, i.indisexclusion, i.indisvalid,
       i.indpred IS NOT NULL, (i.indkey::int2[])[0:i.indnkeyatts - 1]
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
ORDER BY 1, 2
