SELECT r.rolname::text, COALESCE(n.nspname::text, ''), d.defaclobjtype::text, a.grantee, a.privilege_type
FROM pg_catalog.pg_default_acl d JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
CROSS JOIN pg_catalog.aclexplode(d.defaclacl) a
WHERE d.defaclobjtype IN ('r', 'S', 'n') AND a.grantee <> d.defaclrole
ORDER BY 1, 2, 3, 4, 5
