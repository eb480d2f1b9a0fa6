-- +goose Up

-- Half-finished sign-ins. The token itself is never stored, only the SHA-256 of its random part.
CREATE TABLE tomkit.step_tokens (
    tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    token_hash   bytea       NOT NULL CHECK (octet_length(token_hash) = 32),
    user_id      uuid        NOT NULL,
    purpose      text        NOT NULL CHECK (purpose IN ('totp', 'enrol_totp')),
    binding      bytea       NOT NULL CHECK (octet_length(binding) = 32),
    user_version bigint      NOT NULL,
    attempts     smallint    NOT NULL CHECK (attempts >= 0),
    offered      text        NOT NULL DEFAULT '' CHECK (octet_length(offered) <= 4096),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > created_at),
    consumed_at  timestamptz,
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES tomkit.users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX step_tokens_user ON tomkit.step_tokens (tenant_id, user_id);
CREATE INDEX step_tokens_expiry ON tomkit.step_tokens (expires_at);
SELECT tomkit.protect('tomkit.step_tokens', '{SELECT,INSERT,UPDATE}', msp_privileges => '{}');

CREATE TABLE tomkit.sessions (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    amr        text[]      NOT NULL CHECK (cardinality(amr) BETWEEN 1 AND 8),
    auth_time  timestamptz NOT NULL,
    binding    bytea       NOT NULL CHECK (octet_length(binding) = 32),
    idle_at    timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL CHECK (ends_at >= idle_at),
    created_at timestamptz NOT NULL,
    ended_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES tomkit.users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX sessions_user ON tomkit.sessions (tenant_id, user_id);
CREATE INDEX sessions_end ON tomkit.sessions (ends_at);
SELECT tomkit.protect('tomkit.sessions', '{SELECT,INSERT,UPDATE}');

-- Counters of the back-off. key is a hash over account and address; neither can be read back without guessing both.
CREATE TABLE tomkit.sign_in_failures (
    tenant_id     uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    key           bytea       NOT NULL CHECK (octet_length(key) = 32),
    failures      integer     NOT NULL DEFAULT 0 CHECK (failures >= 0),
    blocked_until timestamptz,
    last_at       timestamptz,
    trusted_until timestamptz,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX sign_in_failures_age ON tomkit.sign_in_failures (last_at);
SELECT tomkit.protect('tomkit.sign_in_failures', msp_privileges => '{}');
