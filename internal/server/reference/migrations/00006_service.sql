-- +goose Up

-- Tickets, and what the machine proposes, learns and remembers.

-- closed_at is what retention counts from (TOM 8.2). A ticket outlives the people and the device it names.
CREATE TABLE tomkit.tickets (
    tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    kind         text        NOT NULL DEFAULT 'incident' CHECK (kind IN ('incident', 'request', 'problem', 'change')),
    priority     text        NOT NULL DEFAULT 'p3' CHECK (priority IN ('p1', 'p2', 'p3', 'p4')),
    status       text        NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'in_progress', 'waiting', 'resolved', 'closed')),
    source       text        NOT NULL DEFAULT 'portal' CHECK (source IN ('portal', 'email', 'alert', 'agent', 'api')),
    title        text        NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    description  text        NOT NULL DEFAULT '' CHECK (octet_length(description) <= 32768),
    requester_id uuid,
    assignee_id  uuid,
    device_id    uuid,
    alert_id     uuid,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    due_at       timestamptz,
    resolved_at  timestamptz,
    closed_at    timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, requester_id) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (requester_id),
    FOREIGN KEY (tenant_id, assignee_id) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (assignee_id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE SET NULL (device_id),
    FOREIGN KEY (tenant_id, alert_id) REFERENCES tomkit.alert_history (tenant_id, id) ON DELETE SET NULL (alert_id),
    CHECK ((status = 'closed') = (closed_at IS NOT NULL)),
    CHECK (closed_at >= created_at)
);
CREATE INDEX tickets_status ON tomkit.tickets (tenant_id, status, created_at);
CREATE INDEX tickets_requester ON tomkit.tickets (tenant_id, requester_id);
CREATE INDEX tickets_assignee ON tomkit.tickets (tenant_id, assignee_id, status);
CREATE INDEX tickets_device ON tomkit.tickets (tenant_id, device_id);
CREATE INDEX tickets_alert ON tomkit.tickets (tenant_id, alert_id);
CREATE INDEX tickets_closed ON tomkit.tickets (tenant_id, closed_at);
SELECT tomkit.protect('tomkit.tickets', '{SELECT,INSERT,UPDATE}');

CREATE TABLE tomkit.ticket_comments (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL DEFAULT gen_random_uuid(),
    ticket_id  uuid        NOT NULL,
    author_id  uuid,
    body       text        NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 16384),
    internal   boolean     NOT NULL DEFAULT false, -- not for the requester
    created_at timestamptz NOT NULL DEFAULT now(),
    edited_at  timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES tomkit.tickets (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, author_id) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (author_id)
);
CREATE INDEX ticket_comments_ticket ON tomkit.ticket_comments (tenant_id, ticket_id, created_at);
CREATE INDEX ticket_comments_author ON tomkit.ticket_comments (tenant_id, author_id);
SELECT tomkit.protect('tomkit.ticket_comments', '{SELECT,INSERT}' || tomkit.on_columns('UPDATE', 'body', 'internal', 'edited_at'));

-- What is attached; the file lies elsewhere under its hash, and is shown once it is found clean.
CREATE TABLE tomkit.ticket_attachments (
    tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    ticket_id   uuid        NOT NULL,
    uploaded_by uuid,
    file_name   text        NOT NULL CHECK (octet_length(file_name) BETWEEN 1 AND 255),
    media_type  text        NOT NULL CHECK (octet_length(media_type) BETWEEN 3 AND 128),
    size_bytes  bigint      NOT NULL CHECK (size_bytes BETWEEN 0 AND 26214400),
    sha256      bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    scan        text        NOT NULL DEFAULT 'pending' CHECK (scan IN ('pending', 'clean', 'infected')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES tomkit.tickets (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, uploaded_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (uploaded_by)
);
CREATE INDEX ticket_attachments_ticket ON tomkit.ticket_attachments (tenant_id, ticket_id);
CREATE INDEX ticket_attachments_uploaded_by ON tomkit.ticket_attachments (tenant_id, uploaded_by);
SELECT tomkit.protect('tomkit.ticket_attachments');

CREATE TABLE tomkit.ticket_tags (
    tenant_id uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    ticket_id uuid        NOT NULL,
    tag_id    uuid        NOT NULL,
    added_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, ticket_id, tag_id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES tomkit.tickets (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, tag_id) REFERENCES tomkit.tags (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX ticket_tags_tag ON tomkit.ticket_tags (tenant_id, tag_id);
SELECT tomkit.protect('tomkit.ticket_tags');

-- Solutions an agent proposes for a ticket. None is applied that a human has not approved (TOM 4.3), and what was approved cannot be
-- changed any more: a request updates the decision only.
CREATE TABLE tomkit.solver_solutions (
    tenant_id   uuid             NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id          uuid             NOT NULL DEFAULT gen_random_uuid(),
    ticket_id   uuid             NOT NULL,
    agent       text             NOT NULL CHECK (agent ~ '^[a-z0-9_]{1,64}$'),
    status      text             NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'rejected', 'approved', 'applied', 'failed')),
    title       text             NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    steps       text             NOT NULL CHECK (octet_length(steps) BETWEEN 1 AND 16384),
    confidence  double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    reviewed_by uuid,
    reviewed_at timestamptz,
    created_at  timestamptz      NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES tomkit.tickets (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, reviewed_by) REFERENCES tomkit.users (tenant_id, id) ON DELETE SET NULL (reviewed_by),
    CHECK ((status = 'draft') = (reviewed_at IS NULL))
);
CREATE INDEX solver_solutions_ticket ON tomkit.solver_solutions (tenant_id, ticket_id);
CREATE INDEX solver_solutions_reviewed_by ON tomkit.solver_solutions (tenant_id, reviewed_by);
SELECT tomkit.protect('tomkit.solver_solutions', '{SELECT,INSERT}' || tomkit.on_columns('UPDATE', 'status', 'reviewed_by', 'reviewed_at'));

-- Knowledge drawn from solved tickets. It is the tenant's own: nothing crosses to another.
CREATE TABLE tomkit.ai_knowledge_base (
    tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id           uuid        NOT NULL DEFAULT gen_random_uuid(),
    ticket_id    uuid,
    title        text        NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    content      text        NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 65536),
    language     text        NOT NULL DEFAULT 'de' CHECK (language IN ('de', 'en')),
    keywords     text[]      NOT NULL DEFAULT '{}' CHECK (cardinality(keywords) <= 32 AND octet_length(keywords::text) <= 2048),
    status       text        NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'retired')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES tomkit.tickets (tenant_id, id) ON DELETE SET NULL (ticket_id)
);
CREATE INDEX ai_knowledge_base_ticket ON tomkit.ai_knowledge_base (tenant_id, ticket_id);
CREATE INDEX ai_knowledge_base_status ON tomkit.ai_knowledge_base (tenant_id, status, updated_at);
SELECT tomkit.protect('tomkit.ai_knowledge_base');

-- What an agent remembers of its tenant between runs.
CREATE TABLE tomkit.tenant_ai_memory (
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    agent      text        NOT NULL CHECK (agent ~ '^[a-z0-9_]{1,64}$'),
    key        text        NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 128),
    value      jsonb       NOT NULL CHECK (octet_length(value::text) <= 65536),
    updated_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '1 year',
    PRIMARY KEY (tenant_id, agent, key)
);
CREATE INDEX tenant_ai_memory_expiry ON tomkit.tenant_ai_memory (tenant_id, expires_at);
SELECT tomkit.protect('tomkit.tenant_ai_memory');
