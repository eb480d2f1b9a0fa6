SELECT p.pubname::text, p.puballtables, 0::oid, false FROM pg_catalog.pg_publication p WHERE p.puballtables
UNION ALL
SELECT p.pubname::text, false, r.prrelid, r.prqual IS NOT NULL
FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
UNION ALL
SELECT p.pubname::text, false, c.oid, false
FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_namespace s ON s.pnpubid = p.oid
JOIN pg_catalog.pg_class c ON c.relnamespace = s.pnnspid AND c.relkind IN ('r', 'p')
ORDER BY 1, 3
