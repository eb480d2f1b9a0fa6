-- +goose Up

-- What a device is and has (CMDB). Rows are upserted by their keys when the device reports; last_seen and collected_at are the
-- server's clock, so what a device has ceased to report can be told from what is there.

CREATE TABLE tomkit.installed_software (
    tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    device_id    uuid        NOT NULL,
    name         text        NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 256),
    version      text        NOT NULL CHECK (octet_length(version) <= 128),
    publisher    text        NOT NULL DEFAULT '' CHECK (octet_length(publisher) <= 256),
    source       text        NOT NULL DEFAULT 'other' CHECK (source IN ('other', 'msi', 'appx', 'deb', 'rpm', 'flatpak', 'snap', 'pkg')),
    installed_at timestamptz,
    first_seen   timestamptz NOT NULL DEFAULT now(),
    last_seen    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id, name, version),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX installed_software_name ON tomkit.installed_software (tenant_id, name, version);
SELECT tomkit.protect('tomkit.installed_software');

CREATE TABLE tomkit.hardware_info (
    tenant_id     uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    device_id     uuid        NOT NULL,
    manufacturer  text        NOT NULL DEFAULT '' CHECK (octet_length(manufacturer) <= 128),
    model         text        NOT NULL DEFAULT '' CHECK (octet_length(model) <= 128),
    serial_number text        NOT NULL DEFAULT '' CHECK (octet_length(serial_number) <= 128),
    firmware      text        NOT NULL DEFAULT '' CHECK (octet_length(firmware) <= 128),
    chassis       text        NOT NULL DEFAULT 'unknown' CHECK (chassis IN ('unknown', 'desktop', 'laptop', 'tablet', 'server', 'virtual', 'medical')),
    cpu           text        NOT NULL DEFAULT '' CHECK (octet_length(cpu) <= 128),
    cpu_threads   integer     NOT NULL DEFAULT 0 CHECK (cpu_threads BETWEEN 0 AND 8192),
    memory_bytes  bigint      NOT NULL DEFAULT 0 CHECK (memory_bytes >= 0),
    disk_bytes    bigint      NOT NULL DEFAULT 0 CHECK (disk_bytes >= 0),
    tpm           text        NOT NULL DEFAULT 'unknown' CHECK (tpm IN ('unknown', 'none', '1.2', '2.0')),
    collected_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX hardware_info_serial ON tomkit.hardware_info (tenant_id, serial_number);
SELECT tomkit.protect('tomkit.hardware_info');

CREATE TABLE tomkit.device_services (
    tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    device_id    uuid        NOT NULL,
    name         text        NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 256),
    display_name text        NOT NULL DEFAULT '' CHECK (octet_length(display_name) <= 256),
    state        text        NOT NULL CHECK (state IN ('running', 'stopped', 'starting', 'stopping', 'paused', 'failed', 'unknown')),
    startup      text        NOT NULL CHECK (startup IN ('automatic', 'manual', 'disabled', 'unknown')),
    changed_at   timestamptz,
    collected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id, name),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX device_services_state ON tomkit.device_services (tenant_id, name, state);
SELECT tomkit.protect('tomkit.device_services');

CREATE TABLE tomkit.network_adapters (
    tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    device_id    uuid        NOT NULL,
    name         text        NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 128),
    kind         text        NOT NULL DEFAULT 'other' CHECK (kind IN ('other', 'ethernet', 'wifi', 'cellular', 'bluetooth', 'virtual', 'vpn')),
    mac          macaddr8,
    addresses    inet[]      NOT NULL DEFAULT '{}' CHECK (cardinality(addresses) <= 64),
    up           boolean     NOT NULL DEFAULT false,
    speed_mbit   integer     CHECK (speed_mbit >= 0),
    collected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id, name),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX network_adapters_mac ON tomkit.network_adapters (tenant_id, mac);
SELECT tomkit.protect('tomkit.network_adapters');

-- State before and after a change, for rollback and comparison. Temporary: it goes when it expires.
CREATE TABLE tomkit.device_snapshots (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    device_id  uuid        NOT NULL,
    reason     text        NOT NULL CHECK (reason IN ('schedule', 'before_command', 'after_command', 'manual')),
    state      jsonb       NOT NULL CHECK (octet_length(state::text) <= 262144),
    digest     bytea       NOT NULL CHECK (octet_length(digest) = 32),
    taken_at   timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '90 days',
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX device_snapshots_device ON tomkit.device_snapshots (tenant_id, device_id, taken_at);
CREATE INDEX device_snapshots_expiry ON tomkit.device_snapshots (tenant_id, expires_at);
SELECT tomkit.protect('tomkit.device_snapshots', '{SELECT,INSERT,DELETE}');

CREATE TABLE tomkit.device_groups (
    tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    name        text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 128),
    description text        NOT NULL DEFAULT '' CHECK (octet_length(description) <= 1024),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
SELECT tomkit.protect('tomkit.device_groups');

CREATE TABLE tomkit.device_group_members (
    tenant_id uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    group_id  uuid        NOT NULL,
    device_id uuid        NOT NULL,
    added_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, group_id, device_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES tomkit.device_groups (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX device_group_members_device ON tomkit.device_group_members (tenant_id, device_id);
SELECT tomkit.protect('tomkit.device_group_members');

CREATE TABLE tomkit.tags (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    name       text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
    colour     text        NOT NULL DEFAULT 'grey' CHECK (colour IN ('grey', 'red', 'orange', 'yellow', 'green', 'blue', 'purple')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
SELECT tomkit.protect('tomkit.tags');

CREATE TABLE tomkit.device_tags (
    tenant_id uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    device_id uuid        NOT NULL,
    tag_id    uuid        NOT NULL,
    added_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id, tag_id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, tag_id) REFERENCES tomkit.tags (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX device_tags_tag ON tomkit.device_tags (tenant_id, tag_id);
SELECT tomkit.protect('tomkit.device_tags');
