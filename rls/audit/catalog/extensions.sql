SELECT e.extname::text FROM pg_catalog.pg_extension e ORDER BY 1
