SELECT r.ev_class, r.rulename::text FROM pg_catalog.pg_rewrite r WHERE r.rulename <> '_RETURN' AND r.ev_class >= 16384
ORDER BY 1, 2
