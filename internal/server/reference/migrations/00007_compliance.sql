-- +goose Up

-- Security findings, quality checks, and what leaves the house.

-- Quality checks of what agents and people did. Append only; the system login deletes by retention and changes nothing.
CREATE TABLE tomkit.qa_audit_log (
    tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    subject_type text        NOT NULL CHECK (subject_type ~ '^[a-z0-9_]{1,64}$'),
    subject_id   text        NOT NULL CHECK (octet_length(subject_id) BETWEEN 1 AND 256),
    check_name   text        NOT NULL CHECK (check_name ~ '^[a-z0-9_]{1,64}$'),
    outcome      text        NOT NULL CHECK (outcome IN ('passed', 'failed', 'skipped')),
    details      jsonb       NOT NULL DEFAULT '{}' CHECK (octet_length(details::text) <= 16384),
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX qa_audit_log_time ON tomkit.qa_audit_log (tenant_id, created_at);
CREATE INDEX qa_audit_log_subject ON tomkit.qa_audit_log (tenant_id, subject_type, subject_id);
SELECT tomkit.protect('tomkit.qa_audit_log', '{SELECT,INSERT}', system_privileges => '{SELECT,INSERT,DELETE}');

-- Calls to the tenant's own systems. The secret that signs them is sealed with the webhook's id as context.
CREATE TABLE tomkit.webhook_configs (
    tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    name        text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 128),
    url         text        NOT NULL CHECK (octet_length(url) <= 2048 AND url ~ '^https://[a-z0-9]'),
    events      text[]      NOT NULL DEFAULT '{}' CHECK (cardinality(events) <= 64 AND octet_length(events::text) <= 4096),
    secret      text        NOT NULL CHECK (octet_length(secret) <= 4096 AND secret ~ '^[$]enc2[$][A-Za-z0-9._-]{1,64}[$][A-Za-z0-9+/]+={0,2}$'),
    enabled     boolean     NOT NULL DEFAULT true,
    created_by  uuid,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, created_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (created_by)
);
CREATE INDEX webhook_configs_created_by ON tomkit.webhook_configs (tenant_id, created_by);
SELECT tomkit.protect('tomkit.webhook_configs', msp_privileges => tomkit.on_columns('SELECT',
    'tenant_id', 'id', 'name', 'url', 'events', 'enabled', 'created_by', 'created_at', 'updated_at'));

-- Temporary: a delivery goes with its payload when it expires.
CREATE TABLE tomkit.webhook_deliveries (
    tenant_id       uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id              uuid        NOT NULL DEFAULT gen_random_uuid(),
    webhook_id      uuid        NOT NULL,
    event           text        NOT NULL CHECK (event ~ '^[a-z0-9_]{1,64}$'),
    payload         jsonb       NOT NULL DEFAULT '{}' CHECK (octet_length(payload::text) <= 65536),
    status          text        NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed', 'abandoned')),
    attempts        smallint    NOT NULL DEFAULT 0 CHECK (attempts BETWEEN 0 AND 100),
    response_status smallint    CHECK (response_status BETWEEN 100 AND 599),
    created_at      timestamptz NOT NULL DEFAULT now(),
    next_attempt_at timestamptz,
    delivered_at    timestamptz,
    expires_at      timestamptz NOT NULL DEFAULT now() + interval '7 days',
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, webhook_id) REFERENCES tomkit.webhook_configs (tenant_id, id) ON DELETE CASCADE,
    CHECK ((status = 'delivered') = (delivered_at IS NOT NULL))
);
CREATE INDEX webhook_deliveries_webhook ON tomkit.webhook_deliveries (tenant_id, webhook_id, created_at);
CREATE INDEX webhook_deliveries_due ON tomkit.webhook_deliveries (tenant_id, status, next_attempt_at);
CREATE INDEX webhook_deliveries_expiry ON tomkit.webhook_deliveries (tenant_id, expires_at);
SELECT tomkit.protect('tomkit.webhook_deliveries', '{SELECT,INSERT,UPDATE}');

-- Findings of simulated attacks, by MITRE ATT&CK technique.
CREATE TABLE tomkit.red_team_findings (
    tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    device_id   uuid,
    technique   text        NOT NULL CHECK (technique ~ '^T[0-9]{4}([.][0-9]{3})?$'),
    severity    text        NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    status      text        NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'confirmed', 'mitigated', 'accepted', 'false_positive')),
    title       text        NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    description text        NOT NULL DEFAULT '' CHECK (octet_length(description) <= 16384),
    evidence    jsonb       NOT NULL DEFAULT '{}' CHECK (octet_length(evidence::text) <= 65536),
    found_at    timestamptz NOT NULL DEFAULT now(),
    due_at      timestamptz,
    closed_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE SET NULL (device_id),
    CHECK ((status IN ('open', 'confirmed')) = (closed_at IS NULL))
);
CREATE INDEX red_team_findings_device ON tomkit.red_team_findings (tenant_id, device_id);
CREATE INDEX red_team_findings_status ON tomkit.red_team_findings (tenant_id, status, severity);
SELECT tomkit.protect('tomkit.red_team_findings', '{SELECT,INSERT,UPDATE}');

CREATE TABLE tomkit.device_vulnerabilities (
    tenant_id   uuid          NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    device_id   uuid          NOT NULL,
    cve         text          NOT NULL CHECK (cve ~ '^CVE-[0-9]{4}-[0-9]{4,10}$'),
    cvss        numeric(3, 1) NOT NULL CHECK (cvss BETWEEN 0 AND 10),
    status      text          NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'fixed')),
    detected_at timestamptz   NOT NULL DEFAULT now(),
    fixed_at    timestamptz,
    PRIMARY KEY (tenant_id, device_id, cve),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE,
    CHECK ((status = 'fixed') = (fixed_at IS NOT NULL))
);
CREATE INDEX device_vulnerabilities_cve ON tomkit.device_vulnerabilities (tenant_id, cve);
CREATE INDEX device_vulnerabilities_status ON tomkit.device_vulnerabilities (tenant_id, status, cvss);
SELECT tomkit.protect('tomkit.device_vulnerabilities');

-- Software and devices that nobody approved.
CREATE TABLE tomkit.shadow_it_findings (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    device_id  uuid,
    kind       text        NOT NULL CHECK (kind IN ('software', 'device', 'service')),
    name       text        NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 256),
    status     text        NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'approved', 'blocked', 'ignored')),
    details    jsonb       NOT NULL DEFAULT '{}' CHECK (octet_length(details::text) <= 16384),
    found_at   timestamptz NOT NULL DEFAULT now(),
    decided_by uuid,
    decided_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, decided_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (decided_by),
    CHECK ((status = 'open') = (decided_at IS NULL))
);
CREATE INDEX shadow_it_findings_device ON tomkit.shadow_it_findings (tenant_id, device_id);
CREATE INDEX shadow_it_findings_decided_by ON tomkit.shadow_it_findings (tenant_id, decided_by);
CREATE INDEX shadow_it_findings_status ON tomkit.shadow_it_findings (tenant_id, status, found_at);
SELECT tomkit.protect('tomkit.shadow_it_findings', '{SELECT,INSERT,UPDATE}');

-- Results of compliance checks (NIS2, BSI), one row per control and run.
CREATE TABLE tomkit.compliance_checks (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    framework  text        NOT NULL CHECK (framework IN ('nis2', 'bsi', 'iso27001', 'dsgvo', 'vait', 'bait')),
    control    text        NOT NULL CHECK (octet_length(control) BETWEEN 1 AND 64),
    outcome    text        NOT NULL CHECK (outcome IN ('met', 'partly', 'missed', 'not_applicable')),
    evidence   jsonb       NOT NULL DEFAULT '{}' CHECK (octet_length(evidence::text) <= 65536),
    checked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX compliance_checks_control ON tomkit.compliance_checks (tenant_id, framework, control, checked_at);
SELECT tomkit.protect('tomkit.compliance_checks', '{SELECT,INSERT}');

CREATE TABLE tomkit.report_schedules (
    tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    name        text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 128),
    report      text        NOT NULL CHECK (report IN ('executive', 'compliance', 'inventory', 'availability', 'security')),
    cadence     text        NOT NULL CHECK (cadence IN ('daily', 'weekly', 'monthly', 'quarterly')),
    language    text        NOT NULL DEFAULT 'de' CHECK (language IN ('de', 'en')),
    recipients  text[]      NOT NULL DEFAULT '{}' CHECK (cardinality(recipients) <= 50 AND octet_length(recipients::text) <= 16384),
    enabled     boolean     NOT NULL DEFAULT true,
    created_by  uuid,
    created_at  timestamptz NOT NULL DEFAULT now(),
    next_run_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, created_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (created_by)
);
CREATE INDEX report_schedules_created_by ON tomkit.report_schedules (tenant_id, created_by);
CREATE INDEX report_schedules_due ON tomkit.report_schedules (tenant_id, next_run_at);
SELECT tomkit.protect('tomkit.report_schedules');

-- Reports that were made; the file lies elsewhere under its hash. Temporary.
CREATE TABLE tomkit.report_runs (
    tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    schedule_id uuid        NOT NULL,
    status      text        NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'succeeded', 'failed')),
    sha256      bytea       CHECK (octet_length(sha256) = 32),
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    expires_at  timestamptz NOT NULL DEFAULT now() + interval '1 year',
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, schedule_id) REFERENCES tomkit.report_schedules (tenant_id, id) ON DELETE CASCADE,
    CHECK ((status = 'running') = (finished_at IS NULL))
);
CREATE INDEX report_runs_schedule ON tomkit.report_runs (tenant_id, schedule_id, started_at);
CREATE INDEX report_runs_expiry ON tomkit.report_runs (tenant_id, expires_at);
SELECT tomkit.protect('tomkit.report_runs', '{SELECT,INSERT,UPDATE}');
