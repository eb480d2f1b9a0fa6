SELECT s.oid, s.srvname::text, s.srvowner FROM pg_catalog.pg_foreign_server s ORDER BY 2
