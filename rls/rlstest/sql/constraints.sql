SELECT k.conrelid, k.conname, k.contype::text,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (num, pos)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.pos),
       k.confrelid,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (num, pos)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.pos),
       k.condeferrable, k.condeferred, coalesce(pg_get_expr(k.conbin, k.conrelid), ''), pg_get_constraintdef(k.oid),
       k.contype = 'f' AND EXISTS (SELECT FROM pg_constraint up WHERE up.oid = k.conparentid AND up.conrelid = k.conrelid)
FROM pg_constraint k
WHERE k.conrelid = ANY ($1::oid[]) AND k.contype IN ('c', 'f', 'p', 'u', 'x')
ORDER BY k.conrelid, k.contype, k.conname
