-- +goose Up

-- Triggers say no where a grant is missing anyway. ENABLE ALWAYS keeps them on under session_replication_role = replica.

-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'ledger: % of % is refused: the ledger only grows', TG_OP, TG_TABLE_NAME USING ERRCODE = 'TKL05';
END $$;
-- +goose StatementEnd

-- Two deletions are right: of a personal value whose redaction is recorded, by ledger_erase; and of everything of a closed
-- log that was kept long enough, by ledger_purge.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_refuse_delete() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_user = 'tomkit_ledger' THEN
        IF session_user = 'tomkit_migrator' AND EXISTS (
            SELECT FROM tomkit.ledger_closings c WHERE c.tenant_id = OLD.tenant_id AND c.keep_until <= clock_timestamp()) THEN
            RETURN OLD;
        END IF;
        IF TG_TABLE_NAME = 'ledger_openings' AND session_user IN ('tomkit_app', 'tomkit_system') THEN
            IF EXISTS (SELECT FROM tomkit.ledger_redactions r
                       WHERE r.tenant_id = OLD.tenant_id AND r.seq = OLD.seq AND r.commitment = OLD.commitment) THEN
                RETURN OLD;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION 'ledger: DELETE of % is refused: the ledger only grows', TG_TABLE_NAME USING ERRCODE = 'TKL05';
END $$;
-- +goose StatementEnd

-- Rows come in and change through the definer functions only: there the current user is the owner and the session a working
-- login. These two triggers see every append, so they are functions without settings of their own: PostgreSQL parses and plans
-- the condition of a trigger anew for each statement, which costs ten times the call. Operators are named with their schema as
-- far as a caller's search_path could reach them; behind the first condition it is that of a definer function.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_refuse_stranger() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF current_user OPERATOR(pg_catalog.<>) 'tomkit_ledger'::pg_catalog.name
       OR session_user OPERATOR(pg_catalog.<>) 'tomkit_app'::pg_catalog.name
          AND session_user OPERATOR(pg_catalog.<>) 'tomkit_system'::pg_catalog.name THEN
        RAISE EXCEPTION 'ledger: % of % is refused: the ledger only grows', TG_OP, TG_TABLE_NAME USING ERRCODE = 'TKL05';
    END IF;
    RETURN NULL; -- which a trigger of the statement is asked for in vain
END $$;
-- +goose StatementEnd

-- A head moves forward only, and its door key changes with its generation.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_refuse_backward() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF current_user OPERATOR(pg_catalog.<>) 'tomkit_ledger'::pg_catalog.name
       OR session_user OPERATOR(pg_catalog.<>) 'tomkit_app'::pg_catalog.name
          AND session_user OPERATOR(pg_catalog.<>) 'tomkit_system'::pg_catalog.name
       OR OLD.closed_at IS NOT NULL OR NEW.tenant_id <> OLD.tenant_id OR NEW.size < OLD.size OR NEW.last_at < OLD.last_at
       OR NEW.size = OLD.size AND (NEW.head_hash <> OLD.head_hash OR NEW.previous_hash <> OLD.previous_hash)
       OR NEW.generation < OLD.generation OR NEW.generation = OLD.generation AND NEW.door_inner <> OLD.door_inner THEN
        IF OLD.closed_at IS NOT NULL THEN
            RAISE EXCEPTION 'ledger: the log is closed' USING ERRCODE = 'TKL08';
        END IF;
        RAISE EXCEPTION 'ledger: UPDATE of % is refused: the ledger only grows', TG_TABLE_NAME USING ERRCODE = 'TKL05';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- A key loses its private half, gets it sealed anew, or is marked as compromised; nothing else changes.
-- +goose StatementBegin
DO $$
DECLARE
    t        text;
    stranger text := 'current_user <> ''tomkit_ledger'' OR session_user NOT IN (''tomkit_app'', ''tomkit_system'')';
    purger   text := 'current_user <> ''tomkit_ledger'' OR session_user NOT IN (''tomkit_app'', ''tomkit_system'', ''tomkit_migrator'')';
    changes  text := stranger || ' OR OLD.compromised AND NOT NEW.compromised'
                ' OR OLD.sealed = '''' AND NEW.sealed <> '''''
                ' OR ROW (NEW.tenant_id, NEW.purpose, NEW.valid_from, NEW.key_id, NEW.public_key, NEW.created_at)'
                ' IS DISTINCT FROM ROW (OLD.tenant_id, OLD.purpose, OLD.valid_from, OLD.key_id, OLD.public_key, OLD.created_at)';
BEGIN
    FOREACH t IN ARRAY ARRAY['audit_logs', 'ledger_heads', 'ledger_logs', 'ledger_keys', 'ledger_openings', 'ledger_tiles',
                             'ledger_checkpoints', 'ledger_redactions', 'ledger_evidence', 'ledger_closings'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON tomkit.%I EXECUTE FUNCTION tomkit.ledger_refuse()', t);
        EXECUTE format('CREATE TRIGGER refuse_delete BEFORE DELETE ON tomkit.%I WHEN (%s) EXECUTE FUNCTION tomkit.ledger_refuse()', t, purger);
        EXECUTE format('CREATE TRIGGER refuse_delete_row BEFORE DELETE ON tomkit.%I FOR EACH ROW EXECUTE FUNCTION tomkit.ledger_refuse_delete()', t);
        EXECUTE format('CREATE TRIGGER refuse_direct BEFORE INSERT ON tomkit.%I EXECUTE FUNCTION tomkit.ledger_refuse_stranger()', t);
        EXECUTE format('CREATE TRIGGER refuse_update BEFORE UPDATE ON tomkit.%I FOR EACH ROW %s', t, CASE t
            WHEN 'ledger_heads' THEN 'EXECUTE FUNCTION tomkit.ledger_refuse_backward()'
            WHEN 'ledger_keys' THEN format('WHEN (%s) EXECUTE FUNCTION tomkit.ledger_refuse()', changes)
            ELSE 'EXECUTE FUNCTION tomkit.ledger_refuse()' END);
        EXECUTE format('ALTER TABLE tomkit.%I ENABLE ALWAYS TRIGGER refuse_truncate', t);
        EXECUTE format('ALTER TABLE tomkit.%I ENABLE ALWAYS TRIGGER refuse_delete', t);
        EXECUTE format('ALTER TABLE tomkit.%I ENABLE ALWAYS TRIGGER refuse_delete_row', t);
        EXECUTE format('ALTER TABLE tomkit.%I ENABLE ALWAYS TRIGGER refuse_direct', t);
        EXECUTE format('ALTER TABLE tomkit.%I ENABLE ALWAYS TRIGGER refuse_update', t);
        EXECUTE format('REVOKE UPDATE, TRUNCATE, REFERENCES ON tomkit.%I FROM tomkit_ledger', t);
    END LOOP;
    GRANT UPDATE (size, previous_hash, head_hash, last_at, generation, closed_at, door_inner, door_outer, door_sealed)
        ON tomkit.ledger_heads TO tomkit_ledger;
    GRANT UPDATE (sealed, compromised) ON tomkit.ledger_keys TO tomkit_ledger;
END $$;
-- +goose StatementEnd

-- Row-level security as everywhere, for reading alone; private halves and door keys are for no login. The owner
-- is bound too (FORCE): what the definer functions may do is what these policies, the grants and the triggers all allow.
-- +goose StatementBegin
DO $$
DECLARE
    t        text;
    readable text[];
BEGIN
    FOREACH t IN ARRAY ARRAY['audit_logs', 'ledger_heads', 'ledger_logs', 'ledger_keys', 'ledger_openings', 'ledger_tiles',
                             'ledger_checkpoints', 'ledger_redactions', 'ledger_evidence', 'ledger_closings'] LOOP
        readable := CASE t
            WHEN 'ledger_heads' THEN tomkit.on_columns('SELECT', 'tenant_id', 'size', 'previous_hash', 'head_hash', 'last_at', 'generation', 'closed_at')
            WHEN 'ledger_keys' THEN tomkit.on_columns('SELECT', 'tenant_id', 'purpose', 'valid_from', 'key_id', 'public_key', 'created_at', 'compromised')
            ELSE '{SELECT}' END;
        PERFORM tomkit.protect(format('tomkit.%I', t)::regclass, readable, msp_privileges => readable, system_privileges => readable);
        EXECUTE format('CREATE POLICY ledger_read ON tomkit.%I FOR SELECT TO tomkit_ledger USING (true)', t);
        EXECUTE format('CREATE POLICY ledger_add ON tomkit.%I FOR INSERT TO tomkit_ledger WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY ledger_remove ON tomkit.%I FOR DELETE TO tomkit_ledger USING (true)', t);
    END LOOP;
    CREATE POLICY ledger_move ON tomkit.ledger_heads FOR UPDATE TO tomkit_ledger USING (true);
    CREATE POLICY ledger_reseal ON tomkit.ledger_keys FOR UPDATE TO tomkit_ledger USING (true);
END $$;
-- +goose StatementEnd
