-- +goose Up

-- Access of programs and what people set for themselves.

-- Keys of programs, as SHA-256 of the random part of a tk1_api credential. A key acts for a user and goes with it; its policies
-- narrow the user's. A revoked key keeps its row, so that the ledger's entity ids stay explainable.
CREATE TABLE tomkit.api_keys (
    tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id      uuid        NOT NULL,
    name         text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 128),
    secret_hash  bytea       NOT NULL CHECK (octet_length(secret_hash) = 32),
    policies     text[]      NOT NULL DEFAULT '{}' CHECK (cardinality(policies) <= 64 AND octet_length(policies::text) <= 8192),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, secret_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES tomkit.users (tenant_id, id) ON DELETE CASCADE,
    CHECK (expires_at > created_at)
);
CREATE INDEX api_keys_user ON tomkit.api_keys (tenant_id, user_id);
-- What a key may do is fixed when it is made. An MSP has no business with what others prove themselves by.
SELECT tomkit.protect('tomkit.api_keys', '{SELECT,INSERT}' || tomkit.on_columns('UPDATE', 'name', 'last_used_at', 'revoked_at'),
    msp_privileges => '{}');

CREATE TABLE tomkit.user_preferences (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    user_id    uuid        NOT NULL,
    language   text        NOT NULL DEFAULT 'de' CHECK (language IN ('de', 'en')),
    theme      text        NOT NULL DEFAULT 'system' CHECK (theme IN ('system', 'light', 'dark')),
    time_zone  text        NOT NULL DEFAULT 'Europe/Berlin' CHECK (octet_length(time_zone) BETWEEN 1 AND 64),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES tomkit.users (tenant_id, id) ON DELETE CASCADE
);
SELECT tomkit.protect('tomkit.user_preferences');
