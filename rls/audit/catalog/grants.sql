-- Everything that somebody other than the owner holds. Grantee 0 is PUBLIC.
SELECT 'relation', c.oid, 0::int2, a.grantee, a.privilege_type, a.is_grantable
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN pg_catalog.aclexplode(c.relacl) a
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND a.grantee <> c.relowner
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
UNION ALL
SELECT 'relation', t.attrelid, t.attnum, a.grantee, a.privilege_type, a.is_grantable
FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_class c ON c.oid = t.attrelid
CROSS JOIN pg_catalog.aclexplode(t.attacl) a
WHERE t.attacl IS NOT NULL AND c.oid >= 16384 AND a.grantee <> c.relowner
UNION ALL
SELECT 'schema', n.oid, 0::int2, a.grantee, a.privilege_type, a.is_grantable
FROM pg_catalog.pg_namespace n CROSS JOIN pg_catalog.aclexplode(n.nspacl) a WHERE a.grantee <> n.nspowner
UNION ALL
SELECT 'database', d.oid, 0::int2, a.grantee, a.privilege_type, a.is_grantable
FROM pg_catalog.pg_database d CROSS JOIN pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
WHERE d.datname = pg_catalog.current_database() AND a.grantee <> d.datdba
UNION ALL
SELECT 'function', p.oid, 0::int2, a.grantee, a.privilege_type, a.is_grantable
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
CROSS JOIN pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND a.grantee <> p.proowner
UNION ALL
SELECT 'server', s.oid, 0::int2, a.grantee, a.privilege_type, a.is_grantable
FROM pg_catalog.pg_foreign_server s CROSS JOIN pg_catalog.aclexplode(s.srvacl) a WHERE a.grantee <> s.srvowner
