SELECT pg_catalog.count(*) FROM (SELECT FROM pg_catalog.pg_largeobject_metadata LIMIT 1000) l
