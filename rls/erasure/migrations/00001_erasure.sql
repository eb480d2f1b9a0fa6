-- +goose Up

-- A tenant's own period for a category, within the bounds the register sets. What is stored outside them is drawn into
-- them when it is used.
CREATE TABLE tomkit.retention_overrides (
    tenant_id uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    category  text        NOT NULL CHECK (category ~ '^[a-z][a-z0-9_]{0,63}$'),
    period    text        NOT NULL CHECK (octet_length(period) BETWEEN 3 AND 32),
    set_at    timestamptz NOT NULL,
    set_by    uuid,
    PRIMARY KEY (tenant_id, category)
);
SELECT tomkit.protect('tomkit.retention_overrides');

-- Legal holds. No category means all, no subject means everybody. A hold is never deleted, it is released; the rows go with
-- the tenant, whose deletion waits for all of them.
CREATE TABLE tomkit.legal_holds (
    tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id          uuid        NOT NULL,
    category    text        CHECK (category ~ '^[a-z][a-z0-9_]{0,63}$'),
    subject     uuid,
    reason      text        NOT NULL CHECK (reason ~ '^[a-z0-9][a-z0-9_.-]{0,63}$'),
    until       timestamptz CHECK (until > placed_at),
    placed_at   timestamptz NOT NULL,
    placed_by   uuid,
    released_at timestamptz CHECK (released_at >= placed_at),
    released_by uuid,
    PRIMARY KEY (tenant_id, id)
);
SELECT tomkit.protect('tomkit.legal_holds', '{SELECT,INSERT}' || tomkit.on_columns('UPDATE', 'released_at', 'released_by'));

-- Deletions of tenants, for the system login alone. There is no foreign key: the row is what remains of the tenant outside
-- its ledger. stores holds the outside stores that have confirmed, counts the rows deleted per table.
CREATE TABLE tomkit.erasure_jobs (
    tenant_id   uuid        PRIMARY KEY,
    slug        text        NOT NULL,
    reason      text        NOT NULL CHECK (reason ~ '^[a-z0-9][a-z0-9_.-]{0,63}$'),
    step        text        NOT NULL CHECK (step IN ('rows', 'stores', 'proof', 'done')),
    counts      jsonb       NOT NULL DEFAULT '{}',
    stores      text[]      NOT NULL DEFAULT '{}',
    attempts    integer     NOT NULL DEFAULT 0,
    failed      text        NOT NULL DEFAULT '',
    started_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK ((step = 'done') = (finished_at IS NOT NULL))
);
SELECT tomkit.protect('tomkit.erasure_jobs', '{}', msp_privileges => '{}');

-- Runs of the retention jobs, by which the processes agree who runs next.
CREATE TABLE tomkit.retention_runs (
    id          uuid        PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    affected    bigint      NOT NULL DEFAULT 0
);
CREATE INDEX retention_runs_start ON tomkit.retention_runs (started_at);
REVOKE ALL ON tomkit.retention_runs FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON tomkit.retention_runs TO tomkit_system;
GRANT SELECT ON tomkit.retention_runs TO tomkit_backup;
