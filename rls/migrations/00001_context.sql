-- +goose Up

-- The runner has made the schema already: its version table lives there.
REVOKE ALL ON SCHEMA tomkit FROM PUBLIC;
GRANT USAGE ON SCHEMA tomkit TO tomkit_app, tomkit_msp, tomkit_system, tomkit_migrator, tomkit_backup;
GRANT USAGE, CREATE ON SCHEMA tomkit TO tomkit_ledger;

-- Keys of signed contexts: the two blocks HMAC needs. Nobody but the owner reads them, dumps included, so a restored
-- database needs its key installed again.
CREATE TABLE tomkit.context_keys (
    id         text        PRIMARY KEY CHECK (id ~ '^[a-z0-9_-]{1,32}$'),
    inner_pad  bytea       NOT NULL CHECK (octet_length(inner_pad) = 64),
    outer_pad  bytea       NOT NULL CHECK (octet_length(outer_pad) = 64),
    not_after  timestamptz NOT NULL DEFAULT 'infinity',
    created_at timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON tomkit.context_keys FROM PUBLIC, tomkit_backup;

-- set_context_mode writes the functions that read the context, for signed contexts or for bare ids. It is a function
-- because a database can be switched later.
--
-- The signed form is qualified down to types and operators, so neither a search_path nor a temporary object reaches it;
-- a SET clause would do the same for a microsecond and a half per call. plpgsql, because it keeps its plans for the
-- session, which a function in SQL does not. CASE, because only it promises that nothing is cast before the MAC is
-- checked, so garbage is no context and not an error. Each function called costs half a microsecond, most of it for
-- preparing the expression anew in each transaction, so there are as few as the check allows. CURRENT_TIMESTAMP is the
-- start of the transaction.
-- +goose StatementBegin
CREATE FUNCTION tomkit.set_context_mode(plain boolean) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $fn$
DECLARE
    signed CONSTANT text := $body$
DECLARE
    -- 1.<kind>.<uuid>.<unix expiry>.<key id>.<64 hex>
    ctx CONSTANT pg_catalog.text := pg_catalog.current_setting('app.tenant_id', true);
    i pg_catalog.bytea;
    o pg_catalog.bytea;
BEGIN
    SELECT k.inner_pad, k.outer_pad INTO i, o FROM tomkit.context_keys k
    WHERE k.id OPERATOR(pg_catalog.=) pg_catalog.split_part(ctx, '.', 5)
      AND k.not_after OPERATOR(pg_catalog.>) CURRENT_TIMESTAMP;
    RETURN CASE
        WHEN pg_catalog.left(ctx, 4) OPERATOR(pg_catalog.=) '1.%s.'
         AND pg_catalog.right(ctx, 64) OPERATOR(pg_catalog.=) pg_catalog.encode(pg_catalog.sha256(
                 o OPERATOR(pg_catalog.||) pg_catalog.sha256(
                 i OPERATOR(pg_catalog.||) pg_catalog.convert_to(pg_catalog.left(ctx, -65), 'UTF8'))), 'hex')
        THEN CASE
            WHEN pg_catalog.to_timestamp(pg_catalog.split_part(ctx, '.', 4)::pg_catalog.float8)
                 OPERATOR(pg_catalog.>) CURRENT_TIMESTAMP
            THEN pg_catalog.substr(ctx, 5, 36)::pg_catalog.uuid
        END
    END;
END $body$;
    head CONSTANT text := 'CREATE OR REPLACE FUNCTION tomkit.%I() RETURNS uuid STABLE PARALLEL SAFE ';
    t record;
BEGIN
    IF plain THEN
        EXECUTE format(head || 'SECURITY INVOKER LANGUAGE sql AS %L', 'current_tenant',
            'SELECT CASE WHEN pg_catalog.left(pg_catalog.current_setting(''app.tenant_id'', true), 2) OPERATOR(pg_catalog.<>) ''m:'''
            ' THEN NULLIF(pg_catalog.current_setting(''app.tenant_id'', true), '''')::pg_catalog.uuid END');
        EXECUTE format(head || 'SECURITY INVOKER LANGUAGE sql AS %L', 'current_msp',
            'SELECT CASE WHEN pg_catalog.left(pg_catalog.current_setting(''app.tenant_id'', true), 2) OPERATOR(pg_catalog.=) ''m:'''
            ' THEN pg_catalog.substr(pg_catalog.current_setting(''app.tenant_id'', true), 3)::pg_catalog.uuid END');
    ELSE
        EXECUTE format(head || 'SECURITY DEFINER LANGUAGE plpgsql AS %L', 'current_tenant', format(signed, 't'));
        EXECUTE format(head || 'SECURITY DEFINER LANGUAGE plpgsql AS %L', 'current_msp', format(signed, 'm'));
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION tomkit.context_is_plain() RETURNS boolean IMMUTABLE PARALLEL SAFE '
                   'LANGUAGE sql AS %L', 'SELECT ' || plain);
    -- Tables protected earlier follow; the column a policy compares is the one it depends on.
    FOR t IN
        SELECT p.polrelid::regclass AS tbl, a.attname FROM pg_policy p
        JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
                        AND d.refobjid = p.polrelid AND d.refobjsubid > 0
        JOIN pg_attribute a ON a.attrelid = p.polrelid AND a.attnum = d.refobjsubid
        WHERE p.polname = 'tomkit_tenant'
        GROUP BY p.polrelid, a.attname
    LOOP
        EXECUTE format('ALTER POLICY tomkit_tenant ON %s USING (%I = %s) WITH CHECK (%2$I = %3$s)',
                       t.tbl, t.attname, tomkit.context_expression());
    END LOOP;
END $fn$;
-- +goose StatementEnd

-- context_expression is what a tenant policy compares its column with. The scalar subquery makes it run once per
-- statement and not once per row; the bare form is cheap enough to stand for itself and then needs no function call.
-- +goose StatementBegin
CREATE FUNCTION tomkit.context_expression() RETURNS text LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RETURN CASE WHEN tomkit.context_is_plain()
        THEN 'NULLIF(pg_catalog.current_setting(''app.tenant_id'', true), '''')::pg_catalog.uuid'
        ELSE '(SELECT tomkit.current_tenant())' END;
END $$;
-- +goose StatementEnd

SELECT tomkit.set_context_mode(false);

-- visible_tenants lists the tenants an MSP context may read. Without tenants there are none; rls/tenant replaces it.
-- +goose StatementBegin
CREATE FUNCTION tomkit.visible_tenants() RETURNS uuid[]
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT '{}'::pg_catalog.uuid[] $$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION tomkit.set_context_mode(boolean), tomkit.context_expression(), tomkit.context_is_plain(),
    tomkit.current_tenant(), tomkit.current_msp(), tomkit.visible_tenants() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tomkit.context_is_plain(), tomkit.current_tenant(), tomkit.current_msp()
    TO tomkit_app, tomkit_msp, tomkit_system, tomkit_ledger;
GRANT EXECUTE ON FUNCTION tomkit.context_expression() TO tomkit_ledger, tomkit_migrator;
GRANT EXECUTE ON FUNCTION tomkit.visible_tenants() TO tomkit_msp, tomkit_ledger;
