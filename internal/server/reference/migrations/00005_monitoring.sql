-- +goose Up

-- What is watched and who is told.

-- Digital employee experience, one score per device and day.
CREATE TABLE tomkit.dex_scores (
    tenant_id      uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    device_id      uuid        NOT NULL,
    day            date        NOT NULL,
    score          smallint    NOT NULL CHECK (score BETWEEN 0 AND 100),
    startup        smallint    CHECK (startup BETWEEN 0 AND 100),
    responsiveness smallint    CHECK (responsiveness BETWEEN 0 AND 100),
    stability      smallint    CHECK (stability BETWEEN 0 AND 100),
    network        smallint    CHECK (network BETWEEN 0 AND 100),
    computed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id, day),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX dex_scores_day ON tomkit.dex_scores (tenant_id, day);
SELECT tomkit.protect('tomkit.dex_scores');

-- A rule watches a metric on all devices or a group; a group that a rule names cannot be deleted, or the rule would watch all.
CREATE TABLE tomkit.alert_rules (
    tenant_id      uuid             NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id             uuid             NOT NULL DEFAULT gen_random_uuid(),
    name           text             NOT NULL CHECK (char_length(name) BETWEEN 1 AND 128),
    metric         text             NOT NULL CHECK (metric IN ('cpu', 'memory', 'disk', 'network', 'offline', 'service', 'event', 'dex')),
    comparison     text             NOT NULL CHECK (comparison IN ('above', 'below', 'equal', 'unequal')),
    threshold      double precision NOT NULL,
    window_seconds integer          NOT NULL DEFAULT 300 CHECK (window_seconds BETWEEN 0 AND 86400),
    severity       text             NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    group_id       uuid,
    enabled        boolean          NOT NULL DEFAULT true,
    created_by     uuid,
    created_at     timestamptz      NOT NULL DEFAULT now(),
    updated_at     timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, group_id) REFERENCES tomkit.device_groups (tenant_id, id),
    FOREIGN KEY (tenant_id, created_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (created_by)
);
CREATE INDEX alert_rules_group ON tomkit.alert_rules (tenant_id, group_id);
CREATE INDEX alert_rules_created_by ON tomkit.alert_rules (tenant_id, created_by);
SELECT tomkit.protect('tomkit.alert_rules');

-- Alerts outlive their rule and never go but by retention.
CREATE TABLE tomkit.alert_history (
    tenant_id       uuid             NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id              uuid             NOT NULL DEFAULT gen_random_uuid(),
    rule_id         uuid,
    device_id       uuid             NOT NULL,
    status          text             NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'resolved')),
    severity        text             NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    value           double precision,
    message         text             NOT NULL DEFAULT '' CHECK (octet_length(message) <= 1024),
    opened_at       timestamptz      NOT NULL DEFAULT now(),
    acknowledged_by uuid,
    acknowledged_at timestamptz,
    resolved_at     timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES tomkit.alert_rules (tenant_id, id) ON DELETE SET NULL (rule_id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, acknowledged_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (acknowledged_by),
    CHECK ((status = 'resolved') = (resolved_at IS NOT NULL)),
    CHECK (status <> 'acknowledged' OR acknowledged_at IS NOT NULL)
);
CREATE INDEX alert_history_time ON tomkit.alert_history (tenant_id, opened_at);
CREATE INDEX alert_history_rule ON tomkit.alert_history (tenant_id, rule_id);
CREATE INDEX alert_history_device ON tomkit.alert_history (tenant_id, device_id, opened_at);
CREATE INDEX alert_history_acknowledged_by ON tomkit.alert_history (tenant_id, acknowledged_by);
SELECT tomkit.protect('tomkit.alert_history', '{SELECT,INSERT}' || tomkit.on_columns('UPDATE',
    'status', 'acknowledged_by', 'acknowledged_at', 'resolved_at'));

-- Where alerts are sent. A secret the way needs is sealed with the channel's id as context.
CREATE TABLE tomkit.notification_channels (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    name       text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 128),
    kind       text        NOT NULL CHECK (kind IN ('email', 'sms', 'webhook', 'push')),
    target     text        NOT NULL CHECK (octet_length(target) BETWEEN 1 AND 512),
    secret     text        CHECK (octet_length(secret) <= 4096 AND secret ~ '^[$]enc2[$][A-Za-z0-9._-]{1,64}[$][A-Za-z0-9+/]+={0,2}$'),
    enabled    boolean     NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
SELECT tomkit.protect('tomkit.notification_channels', msp_privileges => tomkit.on_columns('SELECT',
    'tenant_id', 'id', 'name', 'kind', 'target', 'enabled', 'created_at'));

CREATE TABLE tomkit.alert_rule_channels (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    rule_id    uuid        NOT NULL,
    channel_id uuid        NOT NULL,
    added_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, rule_id, channel_id),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES tomkit.alert_rules (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, channel_id) REFERENCES tomkit.notification_channels (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX alert_rule_channels_channel ON tomkit.alert_rule_channels (tenant_id, channel_id);
SELECT tomkit.protect('tomkit.alert_rule_channels');

-- A person's inbox. Temporary.
CREATE TABLE tomkit.notifications (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    user_id    uuid        NOT NULL,
    title      text        NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    body       text        NOT NULL DEFAULT '' CHECK (octet_length(body) <= 4096),
    created_at timestamptz NOT NULL DEFAULT now(),
    read_at    timestamptz,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '30 days',
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES tomkit.users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX notifications_user ON tomkit.notifications (tenant_id, user_id, created_at);
CREATE INDEX notifications_expiry ON tomkit.notifications (tenant_id, expires_at);
SELECT tomkit.protect('tomkit.notifications');

-- When a resource of a device will be used up, if things go on as they do.
CREATE TABLE tomkit.capacity_forecasts (
    tenant_id    uuid             NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    device_id    uuid             NOT NULL,
    resource     text             NOT NULL CHECK (resource IN ('cpu', 'memory', 'disk')),
    used         double precision NOT NULL CHECK (used BETWEEN 0 AND 1),
    per_day      double precision NOT NULL,
    exhausted_at timestamptz,
    computed_at  timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, device_id, resource),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX capacity_forecasts_exhausted ON tomkit.capacity_forecasts (tenant_id, exhausted_at);
SELECT tomkit.protect('tomkit.capacity_forecasts');
