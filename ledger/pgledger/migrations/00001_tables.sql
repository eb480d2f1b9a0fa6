-- +goose Up

-- The ledger's tables belong to tomkit_ledger, which cannot log in. No login may write them: entries come in through
-- tomkit.ledger_append, checkpoints through tomkit.ledger_publish, new logs through tomkit.ledger_create. There is no
-- foreign key to tenants, so deleting a tenant never removes an entry.

ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- One log per tenant and epoch.
CREATE TABLE tomkit.ledger_logs (
    tenant_id  uuid        NOT NULL,
    epoch      integer     NOT NULL CHECK (epoch >= 1),
    origin     text        NOT NULL CHECK (octet_length(origin) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, epoch)
);

-- Where a tenant's log ends, and who may go on: size is the next seq, previous_hash and head_hash are those of the last entry.
-- generation counts the log's sets of keys, so that nobody signs with a set that was replaced; a log with closed_at takes no
-- further entry. door_inner and door_outer are the two HMAC blocks of the key that admits calls of the functions that write;
-- the application holds the same key as door_sealed, sealed under its own key. SQL injected into the request login can read
-- the sealed form at most, so it cannot write an entry, not even in its own tenant.
--
-- All is in one row, since every append reads and writes it. There are no CHECK constraints, here and in audit_logs: PostgreSQL
-- parses and plans them anew for each statement. The trigger on this table checks as much in a tenth of the time.
CREATE TABLE tomkit.ledger_heads (
    tenant_id     uuid        NOT NULL PRIMARY KEY,
    size          bigint      NOT NULL,
    previous_hash text        NOT NULL,
    head_hash     text        NOT NULL,
    last_at       timestamptz NOT NULL,
    generation    integer     NOT NULL DEFAULT 1,
    closed_at     timestamptz,
    door_inner    bytea       NOT NULL,
    door_outer    bytea       NOT NULL,
    door_sealed   text        NOT NULL
) WITH (fillfactor = 50);

-- Signing keys. sealed is the private half under the application's key, empty once another key took over; the key history
-- is public_key with valid_from, the first seq (entry keys) or size (checkpoint keys) the key signs for.
CREATE TABLE tomkit.ledger_keys (
    tenant_id  uuid        NOT NULL,
    purpose    text        NOT NULL CHECK (purpose IN ('checkpoint', 'checkpoint-ed25519', 'entry')),
    valid_from bigint      NOT NULL CHECK (valid_from >= 0),
    key_id     text        NOT NULL CHECK (key_id ~ '^[0-9a-f]{16}$'),
    public_key bytea       NOT NULL,
    sealed     text        NOT NULL,
    created_at timestamptz NOT NULL,
    compromised boolean    NOT NULL DEFAULT false,
    PRIMARY KEY (tenant_id, purpose, valid_from),
    UNIQUE (tenant_id, key_id)
);

-- The document's table (TOM 3.3). details is json, not jsonb: it keeps the canonical bytes. Both chain hashes are the
-- 64 hexadecimal digits the formula concatenates, so a link can be redone with printf and sha256sum.
CREATE TABLE tomkit.audit_logs (
    tenant_id           uuid        NOT NULL,
    seq                 bigint      NOT NULL,
    id                  uuid        NOT NULL,
    user_id             uuid,
    action              text        NOT NULL,
    entity_type         text        NOT NULL,
    entity_id           text        NOT NULL,
    details             json        NOT NULL,
    nis2_narrative      text        NOT NULL,
    previous_hash       text        NOT NULL,
    current_hash        text        NOT NULL,
    dilithium_signature bytea,
    created_at          timestamptz NOT NULL,
    class               text        NOT NULL, -- normal, critical
    scheme              text        NOT NULL, -- bound, plain
    signature_key       text,
    leaf_hash           bytea       NOT NULL,
    PRIMARY KEY (tenant_id, seq),
    UNIQUE (tenant_id, id)
);

-- Personal values behind the commitments of an entry. Erasing a person (Art. 17 GDPR) removes rows here, and here only.
CREATE TABLE tomkit.ledger_openings (
    tenant_id  uuid   NOT NULL,
    seq        bigint NOT NULL,
    commitment bytea  NOT NULL CHECK (octet_length(commitment) = 32),
    salt       bytea  NOT NULL CHECK (octet_length(salt) = 32),
    subject    uuid   NOT NULL,
    value      text   NOT NULL CHECK (octet_length(value) <= 1024),
    PRIMARY KEY (tenant_id, seq, commitment)
);
CREATE INDEX ledger_openings_subject ON tomkit.ledger_openings (tenant_id, subject);

-- Full tiles of 256 hashes (C2SP tlog-tiles) and the hash over each. Partial tiles are made from leaves and tile roots.
CREATE TABLE tomkit.ledger_tiles (
    tenant_id uuid     NOT NULL,
    level     smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
    idx       bigint   NOT NULL CHECK (idx >= 0),
    hashes    bytea    NOT NULL CHECK (octet_length(hashes) = 8192),
    root      bytea    NOT NULL CHECK (octet_length(root) = 32),
    PRIMARY KEY (tenant_id, level, idx)
);

CREATE TABLE tomkit.ledger_checkpoints (
    tenant_id  uuid        NOT NULL,
    epoch      integer     NOT NULL,
    size       bigint      NOT NULL CHECK (size > 0),
    root       bytea       NOT NULL CHECK (octet_length(root) = 32),
    note       text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, epoch, size)
);

-- Erased personal values, and the entry that tells of the erasure. A row of ledger_openings goes only where one is here.
CREATE TABLE tomkit.ledger_redactions (
    tenant_id  uuid   NOT NULL,
    seq        bigint NOT NULL,
    commitment bytea  NOT NULL CHECK (octet_length(commitment) = 32),
    entry      bigint NOT NULL CHECK (entry > seq),
    PRIMARY KEY (tenant_id, seq, commitment)
);

-- What anchors outside the database gave for checkpoints: signature lines for the note, a time stamp. Both may be empty.
CREATE TABLE tomkit.ledger_evidence (
    tenant_id  uuid        NOT NULL,
    epoch      integer     NOT NULL,
    size       bigint      NOT NULL,
    anchor     text        NOT NULL CHECK (anchor ~ '^[a-z0-9._-]{1,64}$'),
    lines      text        NOT NULL CHECK (octet_length(lines) <= 65536),
    token      bytea       NOT NULL CHECK (octet_length(token) <= 65536),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, epoch, size, anchor)
);

-- Logs that ended: size with the last entry, and until when the rows have to be kept.
CREATE TABLE tomkit.ledger_closings (
    tenant_id  uuid        NOT NULL PRIMARY KEY,
    size       bigint      NOT NULL,
    keep_until timestamptz NOT NULL,
    closed_at  timestamptz NOT NULL
);
