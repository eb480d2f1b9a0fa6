SELECT 'setting ' || name || ' = ' || coalesce(setting, '') FROM pg_catalog.pg_settings
    WHERE source IN ('session', 'interactive') AND name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable')
UNION ALL SELECT 'cursor ' || name FROM pg_catalog.pg_cursors WHERE is_holdable
UNION ALL SELECT 'prepared statement ' || name FROM pg_catalog.pg_prepared_statements WHERE from_sql
UNION ALL SELECT 'listens to ' || c FROM pg_catalog.pg_listening_channels() c
UNION ALL SELECT 'advisory lock' FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()
UNION ALL SELECT 'temporary schema' WHERE pg_catalog.pg_my_temp_schema() <> 0
UNION ALL SELECT 'setting app.bypass_rls' WHERE pg_catalog.current_setting('app.bypass_rls', true) <> ''
ORDER BY 1
