-- What the login may not see is not in the view.
SELECT s.name, COALESCE(s.setting, '') FROM pg_catalog.pg_settings s
WHERE s.name IN ('row_security', 'log_statement', 'log_min_duration_statement', 'log_parameter_max_length', 'log_min_duration_sample',
                 'log_parameter_max_length_on_error', 'password_encryption', 'ssl', 'listen_addresses', 'lo_compat_privileges',
                 'session_preload_libraries', 'local_preload_libraries', 'session_replication_role')
