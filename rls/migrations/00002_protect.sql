-- +goose Up

-- protect puts a table under row-level security. It may be called again at any time, with other privileges too, and runs
-- with the rights of its caller, who must own the table.
--
-- Four policies, one per role, so that none needs an OR: an OR in front of the tenant's equality makes every index led
-- by the tenant useless.
--   tomkit_tenant     tomkit_app: rows of the context's tenant, for reading and writing
--   tomkit_msp        tomkit_msp: rows of the MSP's tenants, for reading
--   tomkit_system     tomkit_system: everything while app.bypass_rls is on; other logins may set it to no avail. In a
--                     subquery it is asked once, before the first row, and does not mislead the planner's row counts
--   tomkit_migration  the owner while migrations run, see below
--
-- FORCE binds the owner too. A migration would then move no rows, and adding a foreign key would validate nothing. So
-- the owner sees rows if the runner says so in tomkit.migration and the login is a member of the owner: a definer
-- function called by any other login is as blind as before.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protect(
    tbl            regclass,
    app_privileges text[] DEFAULT '{SELECT,INSERT,UPDATE,DELETE}',
    tenant_column  name   DEFAULT 'tenant_id'
) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    known CONSTANT text[] := '{SELECT,INSERT,UPDATE,DELETE}';
    rel   record;
    col   record;
    what  text;
    child regclass;
    mine  text;
BEGIN
    SELECT c.oid, c.relkind, r.rolname AS owner, c.relispartition INTO rel
    FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = tbl;
    IF rel.relkind NOT IN ('r', 'p') THEN
        RAISE EXCEPTION 'rls: protect: % is not a table', tbl USING ERRCODE = 'wrong_object_type';
    END IF;
    IF rel.relispartition THEN
        RAISE EXCEPTION 'rls: protect: % is a partition', tbl
            USING ERRCODE = 'wrong_object_type', HINT = 'Protect the partitioned table; its partitions are closed with it.';
    END IF;
    SELECT a.attnum, a.atttypid, a.attnotnull INTO col
    FROM pg_attribute a WHERE a.attrelid = tbl AND a.attname = tenant_column AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND OR col.atttypid <> 'uuid'::regtype OR NOT col.attnotnull THEN
        RAISE EXCEPTION 'rls: protect: % has no column % of type uuid NOT NULL', tbl, quote_ident(tenant_column)
            USING ERRCODE = 'invalid_table_definition';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = tbl AND i.indkey[0] = col.attnum
                   AND i.indpred IS NULL AND (i.indisvalid OR rel.relkind = 'p')) THEN
        RAISE EXCEPTION 'rls: protect: % has no index led by %', tbl, quote_ident(tenant_column)
            USING ERRCODE = 'invalid_table_definition', HINT = 'Begin the primary key with the tenant column.';
    END IF;
    IF app_privileges IS NULL OR NOT app_privileges <@ known THEN
        RAISE EXCEPTION 'rls: protect: privileges must be among %', known USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Permissive policies add up, so a foreign one for the same readers would undo ours.
    SELECT p.polname INTO what FROM pg_policy p
    WHERE p.polrelid = tbl AND p.polpermissive
      AND p.polname NOT IN ('tomkit_tenant', 'tomkit_msp', 'tomkit_system', 'tomkit_migration')
      AND p.polroles && ARRAY[0::oid, 'tomkit_app'::regrole, 'tomkit_msp'::regrole]
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'rls: protect: % has the permissive policy %', tbl, quote_ident(what)
            USING ERRCODE = 'invalid_table_definition', HINT = 'Drop it, or make it AS RESTRICTIVE.';
    END IF;

    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tbl);
    FOR what IN SELECT p.polname FROM pg_policy p WHERE p.polrelid = tbl
                AND p.polname IN ('tomkit_tenant', 'tomkit_msp', 'tomkit_system', 'tomkit_migration') LOOP
        EXECUTE format('DROP POLICY %I ON %s', what, tbl);
    END LOOP;
    mine := format('%I = %s', tenant_column, tomkit.context_expression());
    EXECUTE format('CREATE POLICY tomkit_tenant ON %s TO tomkit_app USING (%s) WITH CHECK (%2$s)', tbl, mine);
    EXECUTE format('CREATE POLICY tomkit_msp ON %s FOR SELECT TO tomkit_msp USING (%I = ANY ((SELECT tomkit.visible_tenants())::pg_catalog.uuid[]))',
                   tbl, tenant_column);
    EXECUTE format('CREATE POLICY tomkit_system ON %s TO tomkit_system USING (%s) WITH CHECK (%2$s)',
                   tbl, '(SELECT pg_catalog.current_setting(''app.bypass_rls'', true) = ''on'')');
    EXECUTE format('CREATE POLICY tomkit_migration ON %s TO %I USING (%s) WITH CHECK (%3$s)', tbl, rel.owner,
        format('pg_catalog.current_setting(''tomkit.migration'', true) = ''on'' AND session_user <> %L'
               ' AND (SELECT pg_catalog.pg_has_role(session_user, %1$L, ''MEMBER''))', rel.owner));

    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, tomkit_app, tomkit_msp, tomkit_system, tomkit_backup', tbl);
    IF app_privileges <> '{}' THEN
        EXECUTE format('GRANT %s ON %s TO tomkit_app', array_to_string(app_privileges, ', '), tbl);
    END IF;
    EXECUTE format('GRANT SELECT ON %s TO tomkit_msp, tomkit_backup', tbl);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tomkit_system', tbl);
    FOR what IN -- sequences of serial columns; identity columns need no grant
        SELECT d.objid::regclass FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        WHERE d.classid = 'pg_class'::regclass AND d.refobjid = tbl AND d.deptype = 'a'
    LOOP
        EXECUTE format('REVOKE ALL ON SEQUENCE %s FROM PUBLIC, tomkit_app, tomkit_msp', what);
        IF 'INSERT' = ANY (app_privileges) THEN
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO tomkit_app', what);
        END IF;
        EXECUTE format('GRANT USAGE ON SEQUENCE %s TO tomkit_system', what);
    END LOOP;
    -- Partitions and children have no policies, so whoever names one directly must find the door shut.
    FOR child IN
        WITH RECURSIVE tree(oid) AS (
            SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = tbl
          UNION
            SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)
        SELECT tree.oid FROM tree JOIN pg_class c USING (oid) WHERE c.relkind IN ('r', 'p')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', child);
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, tomkit_app, tomkit_msp, tomkit_system', child);
        EXECUTE format('GRANT SELECT ON %s TO tomkit_backup', child);
    END LOOP;
END $$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION tomkit.protect(regclass, text[], name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tomkit.protect(regclass, text[], name) TO tomkit_ledger, tomkit_migrator;
