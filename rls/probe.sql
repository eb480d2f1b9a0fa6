-- What the login is, what it can become, what it owns.
WITH RECURSIVE reach(oid) AS (
    SELECT roleid FROM pg_catalog.pg_auth_members m
    JOIN pg_catalog.pg_roles s ON s.oid = m.member WHERE s.rolname = session_user
  UNION
    SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN reach ON m.member = reach.oid
)
SELECT pg_catalog.current_setting('server_version_num')::int,
       session_user::text,
       current_user::text,
       r.rolsuper,
       r.rolbypassrls,
       r.rolcreaterole,
       r.rolreplication,
       COALESCE((SELECT pg_catalog.array_agg(p.rolname::text ORDER BY p.rolname)
                 FROM reach JOIN pg_catalog.pg_roles p USING (oid)), '{}'),
       COALESCE((SELECT pg_catalog.array_agg(o.name) FROM (
                   SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
                   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                     AND c.relpersistence <> 't'
                   ORDER BY 1 LIMIT 5) o), '{}')
FROM pg_catalog.pg_roles r
WHERE r.rolname = session_user
