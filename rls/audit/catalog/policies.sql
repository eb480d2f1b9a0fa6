SELECT p.polrelid, p.polname::text, p.polpermissive, p.polcmd::text, p.polroles,
       COALESCE(pg_catalog.pg_get_expr(p.polqual, p.polrelid), ''), COALESCE(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), '')
FROM pg_catalog.pg_policy p ORDER BY p.polrelid, p.polname
