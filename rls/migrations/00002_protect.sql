-- +goose Up

-- tomkit.protect puts a table under row-level security. It is made of parts, which all read the catalogue and change
-- nothing but the last:
--   protection            what is wanted, as one value
--   protection_problems   why the table cannot be protected as it is
--   protection_notes      what protecting it cannot put right
--   protection_plan       the statements between what is and what is wanted, in order; none if there is no difference
--   protect               refuses because of the first problem, or runs the plan
-- All run with the rights of their caller; running the plan takes the table's owner.
--
-- Four policies, one per role, so that none needs an OR: an OR in front of the tenant's equality makes every index led
-- by the tenant useless.
--   tomkit_tenant     tomkit_app: rows of the context's tenant, for reading and writing
--   tomkit_msp        tomkit_msp: rows of the MSP's tenants, for reading; absent if the MSP may read nothing
--   tomkit_system     tomkit_system: everything while app.bypass_rls is on; other logins may set it to no avail. In a
--                     subquery it is asked once, before the first row, and does not mislead the planner's row counts
--   tomkit_migration  the owner while migrations run, see below
--
-- FORCE binds the owner too. A migration would then move no rows, and adding a foreign key would validate nothing. So
-- the owner sees rows if the runner says so in tomkit.migration and the login is a member of the owner: a definer
-- function called by any other login is as blind as before.

CREATE TYPE tomkit.protection AS (
    tbl            regclass,
    tree           regclass[], -- the table, its partitions and its children of all levels
    app            text[],  -- privileges of tomkit_app
    tenant_column  name,
    msp            text[],  -- privileges of tomkit_msp
    system         text[],  -- privileges of tomkit_system
    across_tenants name[],  -- unique, exclusion and foreign keys that may span tenants
    msp_itself     boolean  -- the tenant column holds MSPs, and an MSP reads its own row
);

-- object is the column, key, policy or relation at fault, fix the SQL that cures it.
CREATE TYPE tomkit.protection_finding AS (code text, object text, fact text, fix text);

-- protection_tree is a table with its partitions and children of all levels.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_tree(root regclass) RETURNS regclass[] LANGUAGE plpgsql STABLE SET search_path = '' AS $$
BEGIN
    RETURN ARRAY(
        WITH RECURSIVE tree(oid) AS (
            SELECT root::oid
          UNION
            SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)
        SELECT c.oid::regclass FROM tree JOIN pg_class c USING (oid) WHERE c.relkind IN ('r', 'p', 'f') ORDER BY c.oid);
END $$;
-- +goose StatementEnd

-- on_columns narrows a privilege: app_privileges => '{SELECT}' || tomkit.on_columns('UPDATE', 'state', 'seen_at').
-- +goose StatementBegin
CREATE FUNCTION tomkit.on_columns(privilege text, VARIADIC columns name[]) RETURNS text[] LANGUAGE plpgsql IMMUTABLE SET search_path = '' AS $$
BEGIN
    RETURN ARRAY(SELECT format('%s ("%s")', privilege, replace(c, '"', '""')) FROM unnest(columns) c);
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION tomkit.protection(
    tbl               regclass,
    app_privileges    text[]  DEFAULT '{SELECT,INSERT,UPDATE,DELETE}',
    tenant_column     name    DEFAULT 'tenant_id',
    msp_privileges    text[]  DEFAULT '{SELECT}',
    system_privileges text[]  DEFAULT '{SELECT,INSERT,UPDATE,DELETE}',
    across_tenants    name[]  DEFAULT '{}',
    msp_itself        boolean DEFAULT false
) RETURNS tomkit.protection LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
    columns  CONSTANT name[] := ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = tbl AND a.attnum > 0 AND NOT a.attisdropped);
    readable CONSTANT text[] := '{SELECT}' || tomkit.on_columns('SELECT', VARIADIC columns);
    writable CONSTANT text[] := readable || '{INSERT,UPDATE,DELETE}' || tomkit.on_columns('INSERT', VARIADIC columns)
                                || tomkit.on_columns('UPDATE', VARIADIC columns);
BEGIN
    IF NOT coalesce(app_privileges <@ writable AND system_privileges <@ writable AND msp_privileges <@ readable, false) THEN
        RAISE EXCEPTION 'rls: protect: privileges must be among SELECT, INSERT, UPDATE, DELETE, or the first three on a column; an MSP reads only'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF tbl IS NULL OR tenant_column IS NULL OR across_tenants IS NULL OR msp_itself IS NULL THEN
        RAISE EXCEPTION 'rls: protect: an argument is NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    RETURN ROW(tbl, tomkit.protection_tree(tbl), app_privileges, tenant_column, msp_privileges, system_privileges, across_tenants, msp_itself)::tomkit.protection;
END $$;
-- +goose StatementEnd

-- Checks.

-- protection_shape finds what makes all further questions pointless.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_shape(want tomkit.protection) RETURNS SETOF tomkit.protection_finding
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
    rel    record;
    col    record;
    parent regclass;
    named  text := quote_ident(want.tenant_column);
BEGIN
    SELECT c.relkind, c.relowner::regrole AS owner INTO rel FROM pg_class c WHERE c.oid = want.tbl;
    SELECT i.inhparent INTO parent FROM pg_inherits i WHERE i.inhrelid = want.tbl ORDER BY i.inhseqno LIMIT 1;
    SELECT a.attnum, a.atttypid, a.attnotnull INTO col
    FROM pg_attribute a WHERE a.attrelid = want.tbl AND a.attname = want.tenant_column AND a.attnum > 0 AND NOT a.attisdropped;
    IF coalesce(rel.relkind NOT IN ('r', 'p'), true) THEN
        RETURN NEXT ('not_a_table', want.tbl, 'is not a table', '')::tomkit.protection_finding;
    ELSIF parent IS NOT NULL THEN
        RETURN NEXT ('partition', want.tbl, format('is closed and protected with %s', parent), format('SELECT tomkit.protect(%L);', parent))::tomkit.protection_finding;
    ELSIF col IS NULL THEN
        RETURN NEXT ('no_tenant_column', named, format('has no column %s', named), format('ALTER TABLE %s ADD COLUMN %s uuid NOT NULL;', want.tbl, named))::tomkit.protection_finding;
    ELSIF col.atttypid <> 'uuid'::regtype OR NOT col.attnotnull THEN
        RETURN NEXT ('tenant_column_type', named, format('has a column %s that is not uuid NOT NULL', named), format(
            'ALTER TABLE %s ALTER COLUMN %s TYPE uuid USING %2$s::text::uuid, ALTER COLUMN %2$s SET NOT NULL;', want.tbl, named))::tomkit.protection_finding;
    ELSIF NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = want.tbl AND i.indkey[0] = col.attnum
                      AND i.indpred IS NULL AND (i.indisvalid OR rel.relkind = 'p')) THEN
        RETURN NEXT ('no_tenant_index', named, format('has no index led by %s', named), format('CREATE INDEX ON %s (%s);', want.tbl, named))::tomkit.protection_finding;
    ELSIF pg_has_role('tomkit_app', rel.owner, 'MEMBER') OR pg_has_role('tomkit_msp', rel.owner, 'MEMBER')
          OR pg_has_role('tomkit_system', rel.owner, 'MEMBER') THEN
        RETURN NEXT ('owned_by_login', rel.owner, format('belongs to %s, which could take the policies off', rel.owner),
                     format('ALTER TABLE %s OWNER TO tomkit_owner;', want.tbl))::tomkit.protection_finding;
    END IF;
END $$;
-- +goose StatementEnd

-- protection_policy_column is the column that the policy of a protected table compares.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_policy_column(tbl regclass) RETURNS TABLE (attnum smallint, attname name)
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.attnum, a.attname FROM pg_policy p
    JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refobjid = p.polrelid AND d.refobjsubid > 0
    JOIN pg_attribute a ON a.attrelid = p.polrelid AND a.attnum = d.refobjsubid
    WHERE p.polrelid = tbl AND p.polname = 'tomkit_tenant'
    LIMIT 1;
END $$;
-- +goose StatementEnd

-- protection_tenant_column says in which column a relation holds the tenant: the wanted one in the table's own tree, the
-- policy's in a table protected before. In any other table it is the column of that name, unless it is a key on its own,
-- as an id is; then known is false.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_tenant_column(want tomkit.protection, other regclass)
RETURNS TABLE (attnum smallint, attname name, known boolean) LANGUAGE plpgsql STABLE SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.attnum, a.attname, f.known FROM (
        SELECT want.tenant_column AS col, true AS known, 1 AS first WHERE other = ANY (want.tree)
      UNION ALL
        SELECT p.attname, true, 2 FROM tomkit.protection_policy_column(other) p
      UNION ALL
        SELECT want.tenant_column, false, 3
    ) f
    JOIN pg_attribute a ON a.attrelid = other AND a.attname = f.col AND a.atttypid = 'uuid'::regtype AND NOT a.attisdropped
    WHERE f.known OR NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = other AND i.indisunique AND i.indnkeyatts = 1
                                 AND i.indkey[0] = a.attnum)
    ORDER BY f.first LIMIT 1;
END $$;
-- +goose StatementEnd

-- protection_foreign_keys finds keys between tenant tables, to and from this one, that do not pair tenant with tenant.
-- PostgreSQL checks keys without policies: such a key tells whether another tenant's row exists, and cascades into it.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_foreign_keys(want tomkit.protection) RETURNS SETOF tomkit.protection_finding
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH k AS MATERIALIZED (
        SELECT * FROM pg_constraint c
        WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conname <> ALL (want.across_tenants)
          AND (c.conrelid = ANY (want.tree) OR c.confrelid = ANY (want.tree))
    ), col AS MATERIALIZED (
        SELECT r.oid AS rel, t.* FROM (SELECT conrelid FROM k UNION SELECT confrelid FROM k) r (oid)
        CROSS JOIN tomkit.protection_tenant_column(want, r.oid) t)
    SELECT 'cross_tenant_key', quote_ident(k.conname), format('has the foreign key %I of %s, which links across tenants', k.conname, k.conrelid::regclass),
        CASE WHEN cols.referencing IS NULL THEN '' ELSE format('ALTER TABLE %s ADD UNIQUE (%I, %s); ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %5$I FOREIGN KEY (%I, %s) REFERENCES %1$s (%2$I, %3$s)%8$s;',
               k.confrelid::regclass, parent.attname, cols.referenced, k.conrelid::regclass, k.conname, child.attname, cols.referencing,
               CASE k.confdeltype WHEN 'c' THEN ' ON DELETE CASCADE' WHEN 'r' THEN ' ON DELETE RESTRICT'
                    WHEN 'n' THEN format(' ON DELETE SET NULL (%s)', cols.referencing)
                    WHEN 'd' THEN format(' ON DELETE SET DEFAULT (%s)', cols.referencing) ELSE '' END) END
    FROM k
    JOIN col child ON child.rel = k.conrelid
    JOIN col parent ON parent.rel = k.confrelid
    CROSS JOIN LATERAL (
        SELECT bool_or((p.c = child.attnum OR NOT child.known) AND (p.f = parent.attnum OR NOT parent.known)) AS paired,
               string_agg(quote_ident(a.attname), ', ' ORDER BY p.n) FILTER (WHERE p.c <> child.attnum AND p.f <> parent.attnum) AS referencing,
               string_agg(quote_ident(b.attname), ', ' ORDER BY p.n) FILTER (WHERE p.c <> child.attnum AND p.f <> parent.attnum) AS referenced
        FROM ROWS FROM (unnest(k.conkey), unnest(k.confkey)) WITH ORDINALITY p(c, f, n)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.c
        JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = p.f) cols
    WHERE NOT cols.paired
    ORDER BY k.oid;
END $$;
-- +goose StatementEnd

-- protection_unique_keys finds unique and exclusion keys that do not hold per tenant: a conflict, or its absence, tells
-- of another tenant's row. A key of random ids tells nothing to whoever does not know the id; it must be named.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_unique_keys(want tomkit.protection) RETURNS SETOF tomkit.protection_finding
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT 'global_unique', quote_ident(c.relname), format('has the key %I, which is unique across tenants', c.relname),
        CASE WHEN k.oid IS NULL THEN format('DROP INDEX %s; %s;', i.indexrelid::regclass,
                 regexp_replace(pg_get_indexdef(i.indexrelid), '( USING \w+ \()', format('\1%I, ', want.tenant_column)))
             ELSE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s;', i.indrelid::regclass, c.relname,
                 regexp_replace(pg_get_constraintdef(k.oid), '\(', format(CASE k.contype WHEN 'x' THEN '(%I WITH =, ' ELSE '(%I, ' END, want.tenant_column)))
             END
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid AND c.relname <> ALL (want.across_tenants)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = want.tenant_column
    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
    WHERE i.indrelid = ANY (want.tree) AND (i.indisunique OR i.indisexclusion)
      AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
      AND NOT EXISTS (SELECT FROM generate_series(0, i.indnkeyatts - 1) n WHERE i.indkey[n] = a.attnum
                      AND (k.contype IS DISTINCT FROM 'x' OR EXISTS (SELECT FROM pg_operator o WHERE o.oid = k.conexclop[n + 1] AND o.oprname = '=')))
    ORDER BY i.indexrelid;
END $$;
-- +goose StatementEnd

-- protection_readers lists views and materialized views over the table, directly or through another.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_readers(tree regclass[]) RETURNS SETOF pg_class LANGUAGE plpgsql STABLE SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE reader(oid) AS (
        SELECT t::oid FROM unnest(tree) t
      UNION
        SELECT r.ev_class FROM reader JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = reader.oid
        JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid)
    SELECT c.* FROM reader JOIN pg_class c USING (oid) WHERE c.relkind IN ('v', 'm') ORDER BY c.oid;
END $$;
-- +goose StatementEnd

-- protection_held lists what the runtime roles, dumps and PUBLIC may do with a relation, as GRANT writes it, and who said so.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_held(rel regclass) RETURNS TABLE (grantee text, privilege text, grantor oid, by_owner boolean)
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT CASE h.grantee WHEN 0 THEN 'PUBLIC' ELSE h.grantee::regrole::text END,
           h.privilege || CASE WHEN h.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END,
           h.grantor, h.grantor = c.relowner
    FROM pg_class c
    CROSS JOIN LATERAL (
        SELECT a.*, a.privilege_type AS privilege FROM aclexplode(c.relacl) a
      UNION ALL
        SELECT a.*, (tomkit.on_columns(a.privilege_type, t.attname))[1] FROM pg_attribute t, aclexplode(t.attacl) a
        WHERE t.attrelid = c.oid AND NOT t.attisdropped) h
    WHERE c.oid = rel AND (h.grantee = 0 OR h.grantee::regrole::text IN ('tomkit_app', 'tomkit_msp', 'tomkit_system', 'tomkit_backup'));
END $$;
-- +goose StatementEnd

-- protection_open_defaults lists default privileges that would open a new partition: its creator is the owner or a
-- member of it.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_open_defaults(tbl regclass) RETURNS TABLE (object text, fix text)
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT d.defaclrole::regrole::text, format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s REVOKE ALL ON TABLES FROM %s;', d.defaclrole::regrole,
               coalesce(' IN SCHEMA ' || quote_ident(n.nspname), ''),
               string_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ', '))
    FROM pg_class c
    JOIN pg_default_acl d ON d.defaclobjtype = 'r' AND pg_has_role(d.defaclrole, c.relowner, 'MEMBER')
    CROSS JOIN aclexplode(d.defaclacl) a
    LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
    WHERE c.oid = tbl AND (a.grantee = 0 OR a.grantee::regrole::text IN ('tomkit_app', 'tomkit_msp', 'tomkit_system'))
    GROUP BY d.defaclrole, n.nspname
    ORDER BY 2;
END $$;
-- +goose StatementEnd

-- protection_openings finds ways past the policies: permissive policies add up, so a foreign one for the same readers
-- would undo ours; a materialized view has none; and partitions made later get the default privileges.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_openings(want tomkit.protection) RETURNS SETOF tomkit.protection_finding
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
BEGIN
    RETURN QUERY
    SELECT 'foreign_policy', quote_ident(p.polname), format('has the permissive policy %I', p.polname), format('DROP POLICY %I ON %s;', p.polname, want.tbl)
    FROM pg_policy p
    WHERE p.polrelid = want.tbl AND p.polpermissive
      AND p.polname NOT IN ('tomkit_tenant', 'tomkit_msp', 'tomkit_system', 'tomkit_migration')
      AND EXISTS (SELECT FROM unnest(p.polroles) r, unnest('{tomkit_app,tomkit_msp,tomkit_system}'::name[]) login
                  WHERE r = 0 OR pg_has_role(login, r, 'MEMBER'))
    ORDER BY p.polname;
    RETURN QUERY
    SELECT 'open_materialized_view', m.oid::regclass::text, format('is copied by the materialized view %s, which %s may read', m.oid::regclass, h.grantees),
           format('REVOKE ALL ON %s FROM %s CASCADE;', m.oid::regclass, h.grantees)
    FROM tomkit.protection_readers(want.tree) m
    CROSS JOIN LATERAL (SELECT string_agg(DISTINCT g.grantee, ', ') AS grantees FROM tomkit.protection_held(m.oid) g WHERE g.grantee <> 'tomkit_backup') h
    WHERE m.relkind = 'm' AND h.grantees IS NOT NULL;
    IF EXISTS (SELECT FROM pg_class c WHERE c.oid = want.tbl AND (c.relkind = 'p' OR c.relhassubclass)) THEN
        RETURN QUERY
        SELECT 'open_default_privileges', d.object, format('would get open partitions, by default privileges of %s', d.object), d.fix
        FROM tomkit.protection_open_defaults(want.tbl) d;
    END IF;
END $$;
-- +goose StatementEnd

-- protection_names finds names that mean nothing here, such as those of keys that are long gone.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_names(want tomkit.protection) RETURNS SETOF tomkit.protection_finding
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT 'unknown_key', quote_ident(n), format('has no key %I that could span tenants', n), ''
    FROM unnest(want.across_tenants) n
    WHERE NOT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = ANY (want.tree) AND c.relname = n)
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND k.conname = n
                      AND (k.conrelid = ANY (want.tree) OR k.confrelid = ANY (want.tree)));
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_problems(want tomkit.protection) RETURNS SETOF tomkit.protection_finding
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
BEGIN
    RETURN QUERY SELECT * FROM tomkit.protection_shape(want);
    IF FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM tomkit.protection_openings(want);
    RETURN QUERY SELECT * FROM tomkit.protection_foreign_keys(want);
    RETURN QUERY SELECT * FROM tomkit.protection_unique_keys(want);
    RETURN QUERY SELECT * FROM tomkit.protection_names(want);
END $$;
-- +goose StatementEnd

-- protection_notes lists what is no leak at once, and what a plan cannot put right.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_notes(want tomkit.protection) RETURNS SETOF tomkit.protection_finding
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
BEGIN
    RETURN QUERY
    SELECT CASE v.relkind WHEN 'm' THEN 'materialized_view' ELSE 'view_past_policies' END, v.oid::regclass::text,
           CASE v.relkind WHEN 'm' THEN format('the materialized view %s holds rows of all tenants', v.oid::regclass)
                          ELSE format('the view %s reads with the rights of %s, past all policies', v.oid::regclass, v.relowner::regrole) END,
           CASE v.relkind WHEN 'm' THEN format('DROP MATERIALIZED VIEW %s;', v.oid::regclass)
                          ELSE format('ALTER VIEW %s SET (security_invoker = true);', v.oid::regclass) END
    FROM tomkit.protection_readers(want.tree) v JOIN pg_roles o ON o.oid = v.relowner
    WHERE v.relkind = 'm' OR (o.rolsuper OR o.rolbypassrls) AND NOT coalesce('security_invoker=true' = ANY (v.reloptions), false);
    RETURN QUERY
    SELECT 'rule', quote_ident(r.rulename), format('the rule %I rewrites statements, with the rights of the owner', r.rulename),
           format('DROP RULE %I ON %s;', r.rulename, want.tbl)
    FROM pg_rewrite r WHERE r.ev_class = want.tbl ORDER BY r.rulename;
    RETURN QUERY
    SELECT 'unvalidated_key', quote_ident(k.conname), format('the foreign key %I of %s was never checked against the rows there are', k.conname, k.conrelid::regclass),
           format('ALTER TABLE %s VALIDATE CONSTRAINT %I;', k.conrelid::regclass, k.conname)
    FROM pg_constraint k
    WHERE k.contype = 'f' AND NOT k.convalidated AND (k.conrelid = ANY (want.tree) OR k.confrelid = ANY (want.tree))
    ORDER BY k.oid;
    RETURN QUERY
    SELECT 'default_privileges', d.object, format('new tables of %s are open before they are protected', d.object), d.fix
    FROM tomkit.protection_open_defaults(want.tbl) d;
    RETURN QUERY
    SELECT 'schema_usage', quote_ident(n.nspname), format('tomkit_app may not use the schema %I', n.nspname), format('GRANT USAGE ON SCHEMA %I TO tomkit_app;', n.nspname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = want.tbl AND want.app <> '{}' AND NOT has_schema_privilege('tomkit_app', n.oid, 'USAGE');
END $$;
-- +goose StatementEnd

-- Wanted state, and the statements that lead there.

-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_policies(want tomkit.protection)
RETURNS TABLE (name name, cmd "char", role regrole, expression text, writes boolean) LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
    col   CONSTANT text := quote_ident(want.tenant_column);
    owner regrole;
BEGIN
    SELECT c.relowner INTO owner FROM pg_class c WHERE c.oid = want.tbl;
    RETURN QUERY VALUES
        ('tomkit_tenant'::name, '*'::"char", 'tomkit_app'::regrole, col || ' = ' || tomkit.context_expression(), true),
        ('tomkit_system', '*', 'tomkit_system', '(SELECT pg_catalog.current_setting(''app.bypass_rls'', true) = ''on'')', true),
        ('tomkit_migration', '*', owner, format(
            'pg_catalog.current_setting(''tomkit.migration'', true) = ''on'' AND SESSION_USER <> %L'
            ' AND (SELECT pg_catalog.pg_has_role(SESSION_USER, %1$L, ''MEMBER''))', (SELECT r.rolname FROM pg_roles r WHERE r.oid = owner)), true);
    IF want.msp_itself AND want.msp <> '{}' THEN
        RETURN QUERY VALUES ('tomkit_msp'::name, 'r'::"char", 'tomkit_msp'::regrole, col || ' = (SELECT tomkit.current_msp())', false);
    ELSIF want.msp <> '{}' THEN
        RETURN QUERY VALUES ('tomkit_msp'::name, 'r'::"char", 'tomkit_msp'::regrole,
            col || ' = ANY ((SELECT tomkit.visible_tenants())::pg_catalog.uuid[])', false);
    END IF;
END $$;
-- +goose StatementEnd

-- protection_normal makes an expression comparable with what PostgreSQL shows of it, which depends on its version in
-- blanks, brackets, casts of constants and names of a subquery's column.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_normal(expression text, tenant_column name) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = '' AS $$
BEGIN
    RETURN regexp_replace(replace(expression, quote_ident(tenant_column), '$'),
        '\s+AS ("\?column\?"|visible_tenants|current_msp|pg_has_role)|[\s()]|pg_catalog\.|::(text|name)\M', '', 'g');
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_policy_plan(want tomkit.protection) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
    p record;
BEGIN
    FOR p IN
        SELECT coalesce(w.name, e.polname) AS polname, e.polname IS NOT NULL AS exists, w.*,
               e.polpermissive AND e.polcmd = w.cmd AND e.polroles = ARRAY[w.role::oid]
               AND tomkit.protection_normal(pg_get_expr(e.polqual, e.polrelid), want.tenant_column) = tomkit.protection_normal(w.expression, want.tenant_column)
               AND tomkit.protection_normal(pg_get_expr(e.polwithcheck, e.polrelid), want.tenant_column) IS NOT DISTINCT FROM
                   CASE WHEN w.writes THEN tomkit.protection_normal(w.expression, want.tenant_column) END AS same
        FROM tomkit.protection_policies(want) w
        FULL JOIN (SELECT * FROM pg_policy WHERE polrelid = want.tbl
                   AND polname IN ('tomkit_tenant', 'tomkit_msp', 'tomkit_system', 'tomkit_migration')) e ON e.polname = w.name
        ORDER BY 1
    LOOP
        CONTINUE WHEN p.same;
        IF p.exists THEN
            RETURN NEXT format('DROP POLICY %I ON %s;', p.polname, want.tbl);
        END IF;
        IF p.writes THEN
            RETURN NEXT format('CREATE POLICY %I ON %s TO %s USING (%s) WITH CHECK (%4$s);', p.polname, want.tbl, p.role, p.expression);
        ELSIF p.expression IS NOT NULL THEN
            RETURN NEXT format('CREATE POLICY %I ON %s FOR SELECT TO %s USING (%s);', p.polname, want.tbl, p.role, p.expression);
        END IF;
    END LOOP;
END $$;
-- +goose StatementEnd

-- protection_grant_plan brings one role, or PUBLIC, to exactly the wanted privileges on a relation.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_grant_plan(rel regclass, kind text, role text, wanted text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
    held text[] := ARRAY(SELECT h.privilege FROM tomkit.protection_held(rel) h WHERE h.grantee = role AND h.by_owner);
BEGIN
    IF NOT held <@ wanted THEN
        RETURN NEXT format('REVOKE ALL ON %s %s FROM %s CASCADE;', kind, rel, role);
        held := '{}';
    END IF;
    IF NOT wanted <@ held THEN
        RETURN NEXT format('GRANT %s ON %s %s TO %s;', array_to_string(wanted, ', '), kind, rel, role);
    END IF;
END $$;
-- +goose StatementEnd

-- protection_grants_plan brings all roles there. What somebody else granted with a grant option goes first, since the
-- owner cannot revoke it directly.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_grants_plan(rel regclass, kind text, app text[], msp text[], system text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
BEGIN
    RETURN QUERY
    SELECT DISTINCT format('REVOKE GRANT OPTION FOR ALL PRIVILEGES ON %s %s FROM %s CASCADE;', kind, rel, h.grantor::regrole)
    FROM tomkit.protection_held(rel) h WHERE NOT h.by_owner ORDER BY 1;
    RETURN QUERY
    SELECT p FROM (VALUES (1, 'PUBLIC', '{}'), (2, 'tomkit_app', app), (3, 'tomkit_msp', msp), (4, 'tomkit_system', system),
                          (5, 'tomkit_backup', '{SELECT}')) w(n, role, wanted)
    CROSS JOIN LATERAL tomkit.protection_grant_plan(rel, kind, w.role, w.wanted) WITH ORDINALITY AS s(p, i) ORDER BY w.n, s.i;
END $$;
-- +goose StatementEnd

-- protection_sequence_plan covers sequences of serial columns, which whoever inserts must use, and of identity columns,
-- which need no grant.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_sequence_plan(rel regclass, app text[], system text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT p FROM pg_depend d
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    CROSS JOIN LATERAL tomkit.protection_grants_plan(s.oid, 'SEQUENCE',
        CASE WHEN d.deptype = 'a' AND EXISTS (SELECT FROM unnest(app) a WHERE a LIKE 'INSERT%') THEN '{USAGE}'::text[] ELSE '{}' END, '{}',
        CASE WHEN d.deptype = 'a' AND EXISTS (SELECT FROM unnest(system) a WHERE a LIKE 'INSERT%') THEN '{USAGE}'::text[] ELSE '{}' END) WITH ORDINALITY AS g(p, i)
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = rel AND d.deptype IN ('a', 'i')
    ORDER BY s.oid, g.i;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_rls_plan(rel regclass) RETURNS SETOF text LANGUAGE plpgsql STABLE SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;', rel)
    FROM pg_class c WHERE c.oid = rel AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity);
END $$;
-- +goose StatementEnd

-- A table without policies is shut once row-level security is on, so at no point of the plan is it more open than before.
-- Partitions and children have no policies, so whoever names one directly must find the door shut.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_plan(want tomkit.protection) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
    part regclass;
BEGIN
    PERFORM tomkit.protection_check(want);
    RETURN QUERY SELECT tomkit.protection_rls_plan(want.tbl);
    RETURN QUERY SELECT tomkit.protection_policy_plan(want);
    RETURN QUERY SELECT tomkit.protection_grants_plan(want.tbl, 'TABLE', want.app, want.msp, want.system);
    RETURN QUERY SELECT tomkit.protection_sequence_plan(want.tbl, want.app, want.system);
    FOREACH part IN ARRAY array_remove(want.tree, want.tbl) LOOP
        RETURN QUERY SELECT tomkit.protection_rls_plan(part);
        RETURN QUERY SELECT tomkit.protection_grants_plan(part, 'TABLE', '{}', '{}', '{}');
        RETURN QUERY SELECT tomkit.protection_sequence_plan(part, '{}', '{}');
    END LOOP;
END $$;
-- +goose StatementEnd

-- protection_check raises the first problem: the table in TABLE, the code in CONSTRAINT, the object in COLUMN, the fix in HINT.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protection_check(want tomkit.protection) RETURNS void LANGUAGE plpgsql STABLE SET search_path = '' AS $$
DECLARE
    p tomkit.protection_finding;
BEGIN
    SELECT * INTO p FROM tomkit.protection_problems(want) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'rls: protect: % %', want.tbl, p.fact
            USING ERRCODE = 'TKP01', TABLE = want.tbl::text, CONSTRAINT = p.code, COLUMN = p.object, HINT = p.fix;
    END IF;
END $$;
-- +goose StatementEnd

-- The lock makes a second call wait for the first and then find nothing to do; it stands in nobody else's way.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protect(
    tbl               regclass,
    app_privileges    text[]  DEFAULT '{SELECT,INSERT,UPDATE,DELETE}',
    tenant_column     name    DEFAULT 'tenant_id',
    msp_privileges    text[]  DEFAULT '{SELECT}',
    system_privileges text[]  DEFAULT '{SELECT,INSERT,UPDATE,DELETE}',
    across_tenants    name[]  DEFAULT '{}',
    msp_itself        boolean DEFAULT false
) RETURNS void LANGUAGE plpgsql SET search_path = '' AS $$
DECLARE
    want CONSTANT tomkit.protection := tomkit.protection(tbl, app_privileges, tenant_column, msp_privileges, system_privileges,
                                                         across_tenants, msp_itself);
    statement text;
BEGIN
    IF NOT EXISTS (SELECT FROM tomkit.protection_plan(want)) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock((x'746b7072'::bigint << 32) | tbl::oid::bigint);
    FOREACH statement IN ARRAY ARRAY(SELECT tomkit.protection_plan(want)) LOOP
        EXECUTE statement;
    END LOOP;
END $$;
-- +goose StatementEnd

-- protected lists the protected tables of the database for operators.
-- +goose StatementBegin
CREATE FUNCTION tomkit.protected() RETURNS TABLE (tbl regclass, tenant_column name, owner regrole, forced boolean, policies text[],
    app text[], msp text[], system text[], open_parts text[]) LANGUAGE plpgsql STABLE SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT c.oid::regclass, col.attname, c.relowner::regrole, c.relrowsecurity AND c.relforcerowsecurity,
           ARRAY(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid
                 AND p.polname IN ('tomkit_tenant', 'tomkit_msp', 'tomkit_system', 'tomkit_migration') ORDER BY 1),
           held.app, held.msp, held.system,
           ARRAY(SELECT t::text FROM unnest(tomkit.protection_tree(c.oid)) t WHERE t <> c.oid::regclass
                 AND EXISTS (SELECT FROM tomkit.protection_held(t) h WHERE h.grantee <> 'tomkit_backup'))
    FROM pg_policy mark
    JOIN pg_class c ON c.oid = mark.polrelid
    CROSS JOIN tomkit.protection_policy_column(c.oid) col
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(h.privilege ORDER BY h.privilege) FILTER (WHERE h.grantee = 'tomkit_app'), '{}') AS app,
               coalesce(array_agg(h.privilege ORDER BY h.privilege) FILTER (WHERE h.grantee = 'tomkit_msp'), '{}') AS msp,
               coalesce(array_agg(h.privilege ORDER BY h.privilege) FILTER (WHERE h.grantee = 'tomkit_system'), '{}') AS system
        FROM tomkit.protection_held(c.oid) h) held
    WHERE mark.polname = 'tomkit_tenant';
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'tomkit'::regnamespace AND (p.proname LIKE 'protect%' OR p.proname = 'on_columns') LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO tomkit_ledger, tomkit_migrator', f);
    END LOOP;
END $$;
-- +goose StatementEnd
