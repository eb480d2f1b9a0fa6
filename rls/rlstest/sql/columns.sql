WITH RECURSIVE base AS ( -- each column's type, and below a domain what it stands for
    SELECT a.attrelid, a.attnum, a.atttypid AS typid, a.atttypmod AS typmod, 0 AS depth
    FROM pg_attribute a WHERE a.attrelid = ANY ($2::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
    SELECT b.attrelid, b.attnum, t.typbasetype, t.typtypmod, b.depth + 1
    FROM base b JOIN pg_type t ON t.oid = b.typid WHERE t.typtype = 'd'
)
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), format_type(b.typid, b.typmod), t.typcategory::text, t.typtype::text,
       CASE WHEN t.typcategory = 'A' THEN format_type(t.typelem, NULL) ELSE '' END,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),
       a.attnotnull OR EXISTS (SELECT FROM base d JOIN pg_type dt ON dt.oid = d.typid
                               WHERE d.attrelid = a.attrelid AND d.attnum = a.attnum AND dt.typnotnull),
       coalesce(pg_get_expr(f.adbin, f.adrelid), ''), a.attidentity::text, a.attgenerated::text,
       ARRAY(SELECT pg_get_expr(k.conbin, 0) FROM base d JOIN pg_constraint k ON k.contypid = d.typid
             WHERE d.attrelid = a.attrelid AND d.attnum = a.attnum AND k.contype = 'c'),
       has_column_privilege($1::name, a.attrelid, a.attnum, 'SELECT'),
       CASE WHEN c.relkind IN ('r', 'p') THEN has_column_privilege($1::name, a.attrelid, a.attnum, 'INSERT') ELSE false END,
       CASE WHEN c.relkind IN ('r', 'p') THEN has_column_privilege($1::name, a.attrelid, a.attnum, 'UPDATE') ELSE false END
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN LATERAL (SELECT * FROM base b WHERE b.attrelid = a.attrelid AND b.attnum = a.attnum ORDER BY b.depth DESC LIMIT 1) b ON true
JOIN pg_type t ON t.oid = b.typid
LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
WHERE a.attrelid = ANY ($2::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
