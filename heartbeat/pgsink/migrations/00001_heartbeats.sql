-- +goose Up

-- The newest beat of each device. No index on last_seen: every beat changes it, and an update that touches no index stays
-- within its page (heap-only), for which the fill factor leaves room. Lists read a tenant's devices by the primary key.
CREATE TABLE tomkit.heartbeats (
    tenant_id uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    device_id uuid        NOT NULL,
    last_seen timestamptz NOT NULL, -- the server's clock
    opens     boolean     NOT NULL DEFAULT true, -- this beat is the first of its history interval
    sample    jsonb       NOT NULL, -- wire form of heartbeat.Sample
    PRIMARY KEY (tenant_id, device_id)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

SELECT tomkit.protect('tomkit.heartbeats', '{SELECT}');

-- At most one sample per device and interval: slot is the start of the interval. It goes with the device's heartbeat.
CREATE TABLE tomkit.heartbeat_history (
    tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    device_id   uuid        NOT NULL,
    slot        timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    sample      jsonb       NOT NULL,
    PRIMARY KEY (tenant_id, device_id, slot),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.heartbeats (tenant_id, device_id) ON DELETE CASCADE
);
CREATE INDEX heartbeat_history_time ON tomkit.heartbeat_history (tenant_id, slot);

SELECT tomkit.protect('tomkit.heartbeat_history', '{SELECT}');

-- Beats that could not be stored, counted per tenant, device and reason. No foreign key: the tenant may be gone. No
-- content: what a deleted tenant's device sends must not outlive the deletion here.
CREATE TABLE tomkit.heartbeat_dead_letters (
    tenant_id uuid        NOT NULL,
    device_id uuid        NOT NULL,
    reason    text        NOT NULL CHECK (reason IN ('unknown_tenant', 'unknown_device', 'refused')),
    sqlstate  text        NOT NULL DEFAULT '', -- of the last one, where the database refused it
    beats     bigint      NOT NULL DEFAULT 1,
    first_at  timestamptz NOT NULL, -- receive time
    last_at   timestamptz NOT NULL, -- receive time
    PRIMARY KEY (tenant_id, device_id, reason)
);

SELECT tomkit.protect('tomkit.heartbeat_dead_letters', '{SELECT}');
