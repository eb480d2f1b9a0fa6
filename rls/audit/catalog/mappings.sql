SELECT m.srvname::text, m.umuser FROM pg_catalog.pg_user_mappings m ORDER BY 1, 2
