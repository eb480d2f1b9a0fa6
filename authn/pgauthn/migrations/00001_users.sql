-- +goose Up

-- Settings of the sign-in per tenant. A tenant without a row requires a second factor.
CREATE TABLE tomkit.tenant_auth (
    tenant_id    uuid        PRIMARY KEY REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    mfa_required boolean     NOT NULL DEFAULT true,
    updated_at   timestamptz NOT NULL
);
SELECT tomkit.protect('tomkit.tenant_auth', '{SELECT,INSERT,UPDATE}');

CREATE TABLE tomkit.roles (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL,
    name       text        NOT NULL CHECK (name ~ '^[A-Za-z][A-Za-z0-9_-]{0,63}$'),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
SELECT tomkit.protect('tomkit.roles');

-- version voids pending step tokens: it changes with the password, the role, the factors and disabled_at.
-- policy_version stands in access tokens: it changes with everything the user may do.
CREATE TABLE tomkit.users (
    tenant_id      uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id             uuid        NOT NULL,
    email          text        NOT NULL CHECK (email = lower(email) AND octet_length(email) BETWEEN 3 AND 254 AND email ~ '^[!-~]+@[!-~]+$'),
    display_name   text        NOT NULL DEFAULT '' CHECK (octet_length(display_name) <= 256),
    role_id        uuid        NOT NULL,
    disabled_at    timestamptz,
    version        bigint      NOT NULL DEFAULT 1,
    policy_version bigint      NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email),
    FOREIGN KEY (tenant_id, role_id) REFERENCES tomkit.roles (tenant_id, id)
);
CREATE INDEX users_role ON tomkit.users (tenant_id, role_id);
SELECT tomkit.protect('tomkit.users');

-- A policy belongs to a role or to a user. The grammar is abac's; here is only what keeps a list from being nonsense.
CREATE TABLE tomkit.policies (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id        uuid NOT NULL,
    role_id   uuid,
    user_id   uuid,
    policy    text NOT NULL CHECK (policy ~ '^[!-~]{1,128}$'),
    PRIMARY KEY (tenant_id, id),
    CHECK (num_nonnulls(role_id, user_id) = 1),
    FOREIGN KEY (tenant_id, role_id) REFERENCES tomkit.roles (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, user_id) REFERENCES tomkit.users (tenant_id, id) ON DELETE CASCADE,
    UNIQUE NULLS NOT DISTINCT (tenant_id, role_id, user_id, policy)
);
CREATE INDEX policies_user ON tomkit.policies (tenant_id, user_id);
SELECT tomkit.protect('tomkit.policies');

-- An MSP looks after tenants' users. It has no business with what they prove themselves by.
CREATE TABLE tomkit.user_passwords (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    user_id    uuid        NOT NULL,
    hash       text        NOT NULL CHECK (octet_length(hash) BETWEEN 1 AND 512),
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES tomkit.users (tenant_id, id) ON DELETE CASCADE
);
SELECT tomkit.protect('tomkit.user_passwords', msp_privileges => '{}');

-- secret is sealed for its tenant and user; last_step is the time step of the last accepted code, so that a code works once.
CREATE TABLE tomkit.user_totp (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    user_id    uuid        NOT NULL,
    secret     text        NOT NULL CHECK (octet_length(secret) BETWEEN 1 AND 4096),
    last_step  bigint      NOT NULL DEFAULT -1,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES tomkit.users (tenant_id, id) ON DELETE CASCADE
);
SELECT tomkit.protect('tomkit.user_totp', msp_privileges => '{}');

-- tenant_active says whether the tenant of the context and its MSP are active. The request login does not see MSPs. It is
-- PL/pgSQL because that keeps its plan for the connection, and names everything in full instead of setting a search_path,
-- which would cost more than the query.
-- +goose StatementBegin
CREATE FUNCTION tomkit.tenant_active() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE
    tenant CONSTANT pg_catalog.uuid := tomkit.current_tenant();
BEGIN
    RETURN EXISTS (SELECT FROM tomkit.tenants t JOIN tomkit.msps m ON m.id OPERATOR(pg_catalog.=) t.msp_id
                   WHERE t.id OPERATOR(pg_catalog.=) tenant AND t.status OPERATOR(pg_catalog.=) 'active'
                     AND m.status OPERATOR(pg_catalog.=) 'active');
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION tomkit.tenant_active() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tomkit.tenant_active() TO tomkit_app;
