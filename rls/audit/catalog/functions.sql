SELECT p.oid, pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)), p.proowner,
       p.prosecdef, p.proleakproof, l.lanname::text, l.lanpltrusted, p.prorettype = 'pg_catalog.trigger'::regtype,
       COALESCE(p.proconfig, '{}'), p.prosqlbody IS NOT NULL, CASE WHEN p.prosecdef THEN p.prosrc ELSE '' END,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
               WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
ORDER BY 2
