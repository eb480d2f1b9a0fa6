-- +goose Up

-- Triggers say no where a grant is missing anyway. ENABLE ALWAYS keeps them on under session_replication_role = replica.

-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'ledger: % of % is refused: the ledger only grows', TG_OP, TG_TABLE_NAME USING ERRCODE = 'TKL05';
END $$;
-- +goose StatementEnd

-- Rows come in through the definer functions only: there the current user is the owner and the session a working login.
-- A head moves forward only. The conditions stand in the triggers, so that a good write pays no function call.
-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['audit_logs', 'ledger_heads', 'ledger_logs', 'ledger_keys', 'ledger_openings', 'ledger_tiles',
                             'ledger_checkpoints'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tomkit.%I EXECUTE FUNCTION tomkit.ledger_refuse()', t);
        EXECUTE format('CREATE TRIGGER refuse_delete BEFORE DELETE ON tomkit.%I FOR EACH ROW EXECUTE FUNCTION tomkit.ledger_refuse()', t);
        EXECUTE format('CREATE TRIGGER refuse_direct BEFORE INSERT ON tomkit.%I '
            'WHEN (current_user <> ''tomkit_ledger'' OR session_user NOT IN (''tomkit_app'', ''tomkit_system'')) '
            'EXECUTE FUNCTION tomkit.ledger_refuse()', t);
        IF t = 'ledger_heads' THEN
            EXECUTE format('CREATE TRIGGER refuse_update BEFORE UPDATE ON tomkit.%I FOR EACH ROW '
                'WHEN (current_user <> ''tomkit_ledger'' OR session_user NOT IN (''tomkit_app'', ''tomkit_system'') '
                'OR NEW.tenant_id <> OLD.tenant_id OR NEW.size <= OLD.size OR NEW.last_at < OLD.last_at) '
                'EXECUTE FUNCTION tomkit.ledger_refuse()', t);
        ELSE
            EXECUTE format('CREATE TRIGGER refuse_update BEFORE UPDATE ON tomkit.%I FOR EACH ROW EXECUTE FUNCTION tomkit.ledger_refuse()', t);
            EXECUTE format('REVOKE UPDATE ON tomkit.%I FROM tomkit_ledger', t);
        END IF;
        EXECUTE format('ALTER TABLE tomkit.%I ENABLE ALWAYS TRIGGER refuse_truncate', t);
        EXECUTE format('ALTER TABLE tomkit.%I ENABLE ALWAYS TRIGGER refuse_delete', t);
        EXECUTE format('ALTER TABLE tomkit.%I ENABLE ALWAYS TRIGGER refuse_direct', t);
        EXECUTE format('ALTER TABLE tomkit.%I ENABLE ALWAYS TRIGGER refuse_update', t);
        EXECUTE format('REVOKE DELETE, TRUNCATE, REFERENCES ON tomkit.%I FROM tomkit_ledger', t);
    END LOOP;
END $$;
-- +goose StatementEnd

-- Row-level security as everywhere, for reading alone; nothing of the keys' and logs' tables is for a login. The owner
-- is bound too (FORCE): the definer functions may read, add rows and move heads, and that is all they may.
-- +goose StatementBegin
DO $$
DECLARE
    t        text;
    readable text[];
BEGIN
    FOREACH t IN ARRAY ARRAY['audit_logs', 'ledger_heads', 'ledger_logs', 'ledger_keys', 'ledger_openings', 'ledger_tiles',
                             'ledger_checkpoints'] LOOP
        readable := CASE t
            WHEN 'ledger_logs' THEN tomkit.on_columns('SELECT', 'tenant_id', 'epoch', 'origin', 'created_at')
            WHEN 'ledger_keys' THEN tomkit.on_columns('SELECT', 'tenant_id', 'purpose', 'valid_from', 'key_id', 'public_key', 'created_at')
            ELSE '{SELECT}' END;
        PERFORM tomkit.protect(format('tomkit.%I', t)::regclass, readable, msp_privileges => readable, system_privileges => readable);
        EXECUTE format('CREATE POLICY ledger_read ON tomkit.%I FOR SELECT TO tomkit_ledger USING (true)', t);
        EXECUTE format('CREATE POLICY ledger_add ON tomkit.%I FOR INSERT TO tomkit_ledger WITH CHECK (true)', t);
    END LOOP;
    CREATE POLICY ledger_move ON tomkit.ledger_heads FOR UPDATE TO tomkit_ledger USING (true);
END $$;
-- +goose StatementEnd
