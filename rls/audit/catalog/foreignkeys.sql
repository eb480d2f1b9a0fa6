SELECT k.conname::text, k.conrelid, k.confrelid, k.conkey, k.confkey, k.convalidated, k.confdeltype::text
FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conrelid, k.conname
