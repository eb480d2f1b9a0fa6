SELECT s.setrole, s.setdatabase, pg_catalog.unnest(s.setconfig) FROM pg_catalog.pg_db_role_setting s
WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
ORDER BY 1, 2, 3
