-- +goose Up

-- Changes to devices: commands, packages, patches and when they may happen. A group named by an approval or a window cannot be
-- deleted: without it the row would say something else.

-- Commands on their way to a device (TOM 4.2: eight actions and no others). A request moves a command on; what it does to which
-- device stays as ordered, and only retention deletes it.
CREATE TABLE tomkit.pending_commands (
    tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    device_id    uuid        NOT NULL,
    action       text        NOT NULL CHECK (action IN ('restart_service', 'set_service_startup', 'clear_temp', 'flush_network_stack',
                                                        'install_patch', 'restart_device', 'block_port', 'isolate_device')),
    parameters   jsonb       NOT NULL DEFAULT '{}' CHECK (octet_length(parameters::text) <= 4096),
    status       text        NOT NULL DEFAULT 'pending'
                             CHECK (status IN ('pending', 'delivered', 'running', 'succeeded', 'failed', 'expired', 'cancelled')),
    requested_by uuid,
    approved_by  uuid,
    approval_seq bigint      CHECK (approval_seq >= 0), -- the approval's place in the ledger
    result       jsonb       NOT NULL DEFAULT '{}' CHECK (octet_length(result::text) <= 16384),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL DEFAULT now() + interval '1 day',
    delivered_at timestamptz,
    finished_at  timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, requested_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (requested_by),
    FOREIGN KEY (tenant_id, approved_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (approved_by),
    CHECK (expires_at > created_at),
    CHECK ((status IN ('pending', 'delivered', 'running')) = (finished_at IS NULL))
);
CREATE INDEX pending_commands_device ON tomkit.pending_commands (tenant_id, device_id, status);
CREATE INDEX pending_commands_requested_by ON tomkit.pending_commands (tenant_id, requested_by);
CREATE INDEX pending_commands_approved_by ON tomkit.pending_commands (tenant_id, approved_by);
CREATE INDEX pending_commands_expiry ON tomkit.pending_commands (tenant_id, expires_at);
SELECT tomkit.protect('tomkit.pending_commands', '{SELECT,INSERT}' || tomkit.on_columns('UPDATE',
    'status', 'approved_by', 'approval_seq', 'result', 'delivered_at', 'finished_at'));

-- Packages that may be deployed; the file lies elsewhere under its hash.
CREATE TABLE tomkit.software_packages (
    tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    name        text        NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 256),
    version     text        NOT NULL CHECK (octet_length(version) BETWEEN 1 AND 128),
    platform    text        NOT NULL CHECK (platform IN ('windows', 'linux', 'macos')),
    vendor      text        NOT NULL DEFAULT '' CHECK (octet_length(vendor) <= 256),
    sha256      bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    size_bytes  bigint      NOT NULL CHECK (size_bytes BETWEEN 1 AND 17179869184),
    signer      text        NOT NULL DEFAULT '' CHECK (octet_length(signer) <= 256),
    approved_by uuid,
    approved_at timestamptz,
    retired_at  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name, version, platform),
    FOREIGN KEY (tenant_id, approved_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (approved_by)
);
CREATE INDEX software_packages_approved_by ON tomkit.software_packages (tenant_id, approved_by);
SELECT tomkit.protect('tomkit.software_packages');

CREATE TABLE tomkit.package_deployments (
    tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    package_id   uuid        NOT NULL,
    device_id    uuid        NOT NULL,
    status       text        NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'running', 'succeeded', 'failed', 'withdrawn')),
    requested_by uuid,
    error        text        NOT NULL DEFAULT '' CHECK (octet_length(error) <= 1024),
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    PRIMARY KEY (tenant_id, package_id, device_id),
    FOREIGN KEY (tenant_id, package_id) REFERENCES tomkit.software_packages (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, requested_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (requested_by),
    CHECK ((status IN ('planned', 'running')) = (finished_at IS NULL))
);
CREATE INDEX package_deployments_device ON tomkit.package_deployments (tenant_id, device_id);
CREATE INDEX package_deployments_requested_by ON tomkit.package_deployments (tenant_id, requested_by);
SELECT tomkit.protect('tomkit.package_deployments', '{SELECT,INSERT,UPDATE}');

-- Patches as a device reports them; patch is the vendor's name, such as KB5034441.
CREATE TABLE tomkit.device_patches (
    tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    device_id    uuid        NOT NULL,
    patch        text        NOT NULL CHECK (octet_length(patch) BETWEEN 1 AND 128),
    severity     text        NOT NULL DEFAULT 'unrated' CHECK (severity IN ('unrated', 'low', 'medium', 'high', 'critical')),
    state        text        NOT NULL CHECK (state IN ('missing', 'installed', 'failed', 'superseded')),
    installed_at timestamptz,
    collected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id, patch),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX device_patches_patch ON tomkit.device_patches (tenant_id, patch, state);
SELECT tomkit.protect('tomkit.device_patches');

-- Decisions on patches, for all devices or one group.
CREATE TABLE tomkit.patch_approvals (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    patch      text        NOT NULL CHECK (octet_length(patch) BETWEEN 1 AND 128),
    group_id   uuid,
    status     text        NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'deferred', 'rejected')),
    reason     text        NOT NULL DEFAULT '' CHECK (octet_length(reason) <= 1024),
    decided_by uuid,
    decided_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, patch, group_id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES tomkit.device_groups (tenant_id, id),
    FOREIGN KEY (tenant_id, decided_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (decided_by),
    CHECK ((status = 'pending') = (decided_at IS NULL))
);
CREATE INDEX patch_approvals_group ON tomkit.patch_approvals (tenant_id, group_id);
CREATE INDEX patch_approvals_decided_by ON tomkit.patch_approvals (tenant_id, decided_by);
SELECT tomkit.protect('tomkit.patch_approvals', '{SELECT,INSERT,UPDATE}');

-- When changes may happen, or with kind freeze may not.
CREATE TABLE tomkit.maintenance_windows (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    name       text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 128),
    kind       text        NOT NULL DEFAULT 'maintenance' CHECK (kind IN ('maintenance', 'freeze')),
    group_id   uuid,
    recurrence text        NOT NULL DEFAULT 'once' CHECK (recurrence IN ('once', 'daily', 'weekly', 'monthly')),
    time_zone  text        NOT NULL DEFAULT 'Europe/Berlin' CHECK (octet_length(time_zone) BETWEEN 1 AND 64),
    starts_at  timestamptz NOT NULL DEFAULT now(),
    ends_at    timestamptz NOT NULL DEFAULT now() + interval '1 hour',
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, group_id) REFERENCES tomkit.device_groups (tenant_id, id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (created_by),
    CHECK (ends_at > starts_at)
);
CREATE INDEX maintenance_windows_time ON tomkit.maintenance_windows (tenant_id, starts_at);
CREATE INDEX maintenance_windows_group ON tomkit.maintenance_windows (tenant_id, group_id);
CREATE INDEX maintenance_windows_created_by ON tomkit.maintenance_windows (tenant_id, created_by);
SELECT tomkit.protect('tomkit.maintenance_windows');
