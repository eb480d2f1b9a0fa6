SELECT pg_catalog.current_setting('server_version_num')::int, session_user::text, current_user::text,
       d.oid, d.datname::text, d.datdba, pg_catalog.has_table_privilege('pg_catalog.pg_hba_file_rules', 'SELECT')
         AND pg_catalog.has_function_privilege('pg_catalog.pg_hba_file_rules()', 'EXECUTE')
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
