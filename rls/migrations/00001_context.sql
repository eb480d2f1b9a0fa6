-- +goose Up

-- The runner has made the schema already: its version table lives there.
REVOKE ALL ON SCHEMA tomkit FROM PUBLIC;
GRANT USAGE ON SCHEMA tomkit TO tomkit_app, tomkit_msp, tomkit_system, tomkit_migrator, tomkit_backup;
GRANT USAGE, CREATE ON SCHEMA tomkit TO tomkit_ledger;

-- Keys of signed contexts: for each key the two blocks derived from it, one for tenants' contexts and one for MSPs'. Nobody
-- but the owner reads them, dumps included, so a restored database needs its key installed again. Without statistics no
-- copy of a block gets into the catalogue.
CREATE TABLE tomkit.context_keys (
    id           text        PRIMARY KEY CHECK (id ~ '^[a-z0-9_-]{1,32}$'),
    tenant_block bytea       NOT NULL CHECK (octet_length(tenant_block) = 64),
    msp_block    bytea       NOT NULL CHECK (octet_length(msp_block) = 64),
    not_after    timestamptz NOT NULL DEFAULT 'infinity',
    created_at   timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE tomkit.context_keys ALTER tenant_block SET STATISTICS 0, ALTER msp_block SET STATISTICS 0;
REVOKE ALL ON tomkit.context_keys FROM PUBLIC, tomkit_backup;

-- tenant_context checks the context in app.tenant_id,
--
--     <64 hex of SHA-256(tenant_block || the rest)>.<uuid>.<unix expiry>
--
-- where the rest is all from the first dot on. It has one row with the id if the hash is that of a known key and neither
-- context nor key has expired, otherwise no row or one without an id. msp_context is the same with the other block.
--
-- One hash does what HMAC needs two for, since all messages have one length: the secret fills SHA-256's first block and
-- message and padding the second, which makes it the compression function under a secret state. To extend a message, one
-- would have to send its padding, and that has zero bytes, which no setting can hold.
--
-- It is a view because a policy's subquery over a view is planned once with the statement around it, while a function
-- pays for its setup in each transaction. A view is bound to functions, operators and table when it is made, so no
-- search_path and no temporary object reaches it; it reads the keys with its owner's rights and shows none of them. The
-- barrier and the OFFSETs keep the caller's conditions out and the order in: hash first, casts after it, so garbage is
-- no context and not an error. The setting is read once. Each function called costs as much as half a microsecond, most
-- of it for preparing the expression, so there are as few as the check allows, and no key id: the keys, mostly one, are
-- tried. CURRENT_TIMESTAMP is the start of the transaction.
CREATE VIEW tomkit.tenant_context WITH (security_barrier) AS
SELECT CASE WHEN LEAST(k.not_after, to_timestamp(split_part(k.context, '.', 3)::float8)) > CURRENT_TIMESTAMP
            THEN split_part(k.context, '.', 2)::uuid END AS id
FROM (SELECT not_after, tenant_block, current_setting('app.tenant_id', true) AS context FROM tomkit.context_keys OFFSET 0) k
WHERE split_part(k.context, '.', 1) = encode(sha256(k.tenant_block || substr(convert_to(k.context, 'UTF8'), 65)), 'hex')
OFFSET 0;

CREATE VIEW tomkit.msp_context WITH (security_barrier) AS
SELECT CASE WHEN LEAST(k.not_after, to_timestamp(split_part(k.context, '.', 3)::float8)) > CURRENT_TIMESTAMP
            THEN split_part(k.context, '.', 2)::uuid END AS id
FROM (SELECT not_after, msp_block, current_setting('app.tenant_id', true) AS context FROM tomkit.context_keys OFFSET 0) k
WHERE split_part(k.context, '.', 1) = encode(sha256(k.msp_block || substr(convert_to(k.context, 'UTF8'), 65)), 'hex')
OFFSET 0;

REVOKE ALL ON tomkit.tenant_context, tomkit.msp_context FROM PUBLIC;
GRANT SELECT ON tomkit.tenant_context TO tomkit_app;

-- set_context_mode writes the functions that read the context, for signed contexts or for bare ids. It is a function
-- because a database can be switched later. Functions use them; a policy on the request path uses the view itself. They
-- are plpgsql, which keeps its plans for the session; SQL does not.
-- +goose StatementBegin
CREATE FUNCTION tomkit.set_context_mode(plain boolean) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $fn$
DECLARE
    signed CONSTANT text := 'BEGIN RETURN (SELECT c.id FROM tomkit.%I c); END';
    head CONSTANT text := 'CREATE OR REPLACE FUNCTION tomkit.%I() RETURNS uuid STABLE PARALLEL SAFE ';
    me CONSTANT text := current_user;
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
        EXECUTE format(head || 'SECURITY DEFINER LANGUAGE plpgsql AS %L', 'current_tenant', format(signed, 'tenant_context'));
        EXECUTE format(head || 'SECURITY DEFINER LANGUAGE plpgsql AS %L', 'current_msp', format(signed, 'msp_context'));
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION tomkit.context_is_plain() RETURNS boolean IMMUTABLE PARALLEL SAFE '
                   'LANGUAGE sql AS %L', 'SELECT ' || plain);
    -- Tables protected earlier follow, each as its owner; the column a policy compares is the one it depends on.
    FOR t IN
        SELECT p.polrelid::regclass AS tbl, a.attname, c.relowner::regrole::text AS owner FROM pg_policy p
        JOIN pg_class c ON c.oid = p.polrelid
        JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
                        AND d.refobjid = p.polrelid AND d.refobjsubid > 0
        JOIN pg_attribute a ON a.attrelid = p.polrelid AND a.attnum = d.refobjsubid
        WHERE p.polname = 'tomkit_tenant'
        GROUP BY p.polrelid, a.attname, c.relowner
    LOOP
        PERFORM set_config('role', t.owner, true);
        EXECUTE format('ALTER POLICY tomkit_tenant ON %s USING (%I = %s) WITH CHECK (%2$I = %3$s)',
                       t.tbl, t.attname, tomkit.context_expression());
    END LOOP;
    PERFORM set_config('role', me, true);
END $fn$;
-- +goose StatementEnd

-- context_expression is what a tenant policy compares its column with. The scalar subquery makes it run once per
-- statement and not once per row; the bare form is cheap enough to stand for itself and then needs no function call.
-- +goose StatementBegin
CREATE FUNCTION tomkit.context_expression() RETURNS text LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RETURN CASE WHEN tomkit.context_is_plain()
        THEN 'NULLIF(pg_catalog.current_setting(''app.tenant_id'', true), '''')::pg_catalog.uuid'
        ELSE '(SELECT c.id FROM tomkit.tenant_context c)' END;
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
