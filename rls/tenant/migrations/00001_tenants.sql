-- +goose Up

-- One operator runs the installation, MSPs serve tenants. A tenant always has an MSP and an MSP always the operator. The
-- operator is a tenant too, for its own log and staff: it has one row in each table under one id.
--
-- Deleting goes one step down only: a tenant takes its rows with it (TOM 2.2), but an MSP with tenants stays. Who deletes
-- an MSP means a contract, not the data of every clinic under it, and those can be moved first.
CREATE TABLE tomkit.operators (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX operators_one ON tomkit.operators ((true));

CREATE TABLE tomkit.msps (
    id          uuid        PRIMARY KEY,
    operator_id uuid        NOT NULL REFERENCES tomkit.operators (id) ON DELETE RESTRICT,
    slug        text        NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND char_length(slug) <= 63),
    name        text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    status      text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    CHECK (id <> operator_id OR status = 'active')
);
CREATE INDEX msps_operator ON tomkit.msps (operator_id);

CREATE TABLE tomkit.tenants (
    id         uuid        PRIMARY KEY,
    msp_id     uuid        NOT NULL REFERENCES tomkit.msps (id) ON DELETE RESTRICT,
    kind       text        NOT NULL DEFAULT 'tenant' CHECK (kind IN ('tenant', 'operator')),
    slug       text        NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND char_length(slug) <= 63),
    name       text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    status     text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((kind = 'operator') = (id = msp_id)),
    CHECK (kind <> 'operator' OR status = 'active')
);
CREATE INDEX tenants_msp ON tomkit.tenants (msp_id, id);
CREATE UNIQUE INDEX tenants_one_operator ON tomkit.tenants (kind) WHERE kind = 'operator';

-- The operator's tenant stays, and stays the operator's; through the foreign keys above so do its other two rows.
-- +goose StatementBegin
CREATE FUNCTION tomkit.keep_operator() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RAISE EXCEPTION 'tenant: the operator cannot be deleted or be a tenant like others' USING ERRCODE = 'check_violation';
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION tomkit.keep_operator() FROM PUBLIC;
CREATE TRIGGER keep_operator BEFORE DELETE ON tomkit.tenants FOR EACH ROW
    WHEN (OLD.kind = 'operator') EXECUTE FUNCTION tomkit.keep_operator();
CREATE TRIGGER keep_operator_kind BEFORE UPDATE ON tomkit.tenants FOR EACH ROW
    WHEN (OLD.kind = 'operator' AND (NEW.kind <> 'operator' OR NEW.id <> OLD.id)) EXECUTE FUNCTION tomkit.keep_operator();

-- A tenant reads its own row, an MSP its own and those of its tenants, and neither changes any. Slugs are names of the
-- whole installation, and the hierarchy is what links tenants.
SELECT tomkit.protect('tomkit.tenants', '{SELECT}', 'id',
    across_tenants => '{tenants_slug_key,tenants_one_operator,tenants_msp_id_fkey}');
SELECT tomkit.protect('tomkit.msps', '{}', 'id', msp_itself => true,
    across_tenants => '{msps_slug_key,msps_operator_id_fkey,tenants_msp_id_fkey}');
SELECT tomkit.protect('tomkit.operators', '{}', 'id', msp_privileges => '{}',
    across_tenants => '{operators_one,msps_operator_id_fkey}');

-- The two functions below run as the owner, which FORCE binds like anybody. No login is the owner, and a definer
-- function of the owner gives out what it is written to give out.
CREATE POLICY definer ON tomkit.tenants FOR SELECT TO tomkit_owner USING (true);
CREATE POLICY definer ON tomkit.msps FOR SELECT TO tomkit_owner USING (true);

-- tenant_by_slug names the tenant of a sign-in: the id and nothing else, and only if it and its MSP are active.
-- +goose StatementBegin
CREATE FUNCTION tomkit.tenant_by_slug(slug text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT t.id FROM tomkit.tenants t JOIN tomkit.msps m ON m.id = t.msp_id
    WHERE t.slug = $1 AND t.status = 'active' AND m.status = 'active'
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION tomkit.tenant_by_slug(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tomkit.tenant_by_slug(text) TO tomkit_app;

-- visible_tenants lists the tenants of the MSP in the signed context, suspended ones included: somebody must be able to
-- look after them. A suspended MSP sees nothing.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION tomkit.visible_tenants() RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    msp CONSTANT uuid := tomkit.current_msp();
BEGIN
    RETURN ARRAY(SELECT t.id FROM tomkit.tenants t JOIN tomkit.msps m ON m.id = t.msp_id
                 WHERE t.msp_id = msp AND m.status = 'active');
END $$;
-- +goose StatementEnd
