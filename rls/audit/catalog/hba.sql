SELECT h.line_number, h.type, COALESCE(pg_catalog.array_to_string(h.database, ','), ''), COALESCE(pg_catalog.array_to_string(h.user_name, ','), ''),
       COALESCE(h.address, ''), h.auth_method
FROM pg_catalog.pg_hba_file_rules h WHERE h.error IS NULL ORDER BY h.line_number
