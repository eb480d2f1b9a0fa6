SELECT t.tgrelid, t.tgname::text, t.tgfoid FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal AND t.tgparentid = 0 ORDER BY 1, 2
