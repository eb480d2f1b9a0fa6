SELECT n.oid, n.nspname::text, n.nspowner FROM pg_catalog.pg_namespace n
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)' ORDER BY n.nspname
