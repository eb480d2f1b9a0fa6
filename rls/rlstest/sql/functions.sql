SELECT n.nspname, p.proname, n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
       ARRAY(SELECT format_type(a.typ, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY a (typ, pos) ORDER BY a.pos)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND p.prokind = 'f' AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'rlstest_shadow')
  AND ($2::text[] IS NULL OR n.nspname = ANY ($2::text[]))
  AND has_function_privilege($1::name, p.oid, 'EXECUTE') AND has_schema_privilege($1::name, n.oid, 'USAGE')
ORDER BY n.nspname, p.proname, p.oid
