-- Grants on what PostgreSQL brings along: functions that reach the server's files, and the view of running statements.
SELECT pg_catalog.format('%s(%s)', p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)), a.grantee
FROM pg_catalog.pg_proc p CROSS JOIN pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND a.grantee <> p.proowner AND p.proname IN
  ('pg_read_file', 'pg_read_binary_file', 'pg_ls_dir', 'pg_stat_file', 'lo_import', 'lo_export', 'pg_hba_file_rules')
UNION ALL
SELECT c.relname::text, a.grantee FROM pg_catalog.pg_class c CROSS JOIN pg_catalog.aclexplode(c.relacl) a
WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relname IN ('pg_stat_activity', 'pg_authid', 'pg_statistic', 'pg_largeobject')
  AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
ORDER BY 1, 2
