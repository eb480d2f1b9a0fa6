-- PostgreSQL 16 says for each membership whether it inherits and whether SET ROLE may use it; before, the member decided.
SELECT m.roleid, m.member, m.admin_option,
       COALESCE((pg_catalog.to_jsonb(m) ->> 'inherit_option')::boolean, r.rolinherit),
       COALESCE((pg_catalog.to_jsonb(m) ->> 'set_option')::boolean, true)
FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.member
