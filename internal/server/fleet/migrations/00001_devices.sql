-- +goose Up

-- Endpoints of a tenant. A removed device keeps its row, so that its history and the ledger's entity ids stay explainable.
CREATE TABLE tomkit.devices (
	tenant_id    uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
	id           uuid        NOT NULL,
	name         text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 128),
	os           text        NOT NULL CHECK (char_length(os) BETWEEN 1 AND 64),
	arch         text        NOT NULL CHECK (char_length(arch) BETWEEN 1 AND 64),
	machine_id   text        NOT NULL CHECK (char_length(machine_id) BETWEEN 1 AND 128),
	enrolled_at  timestamptz NOT NULL,
	removed_at   timestamptz,
	PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX devices_machine ON tomkit.devices (tenant_id, machine_id) WHERE removed_at IS NULL;
SELECT tomkit.protect('tomkit.devices', '{SELECT,INSERT,UPDATE}');

-- What a device proves itself with, as SHA-256 of the random part of a tk1_device credential.
CREATE TABLE tomkit.device_credentials (
	tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
	secret_hash bytea       NOT NULL CHECK (octet_length(secret_hash) = 32),
	device_id   uuid        NOT NULL,
	created_at  timestamptz NOT NULL,
	revoked_at  timestamptz,
	PRIMARY KEY (tenant_id, secret_hash),
	FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX device_credentials_device ON tomkit.device_credentials (tenant_id, device_id);
SELECT tomkit.protect('tomkit.device_credentials', '{SELECT,INSERT,UPDATE}');

-- One-time tokens for enrolment, as SHA-256 of the random part of a tk1_enrol credential.
CREATE TABLE tomkit.enrol_tokens (
	tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
	secret_hash bytea       NOT NULL CHECK (octet_length(secret_hash) = 32),
	created_by  uuid        NOT NULL,
	created_at  timestamptz NOT NULL,
	expires_at  timestamptz NOT NULL CHECK (expires_at > created_at),
	used_at     timestamptz,
	device_id   uuid,
	PRIMARY KEY (tenant_id, secret_hash),
	FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX enrol_tokens_device ON tomkit.enrol_tokens (tenant_id, device_id);
SELECT tomkit.protect('tomkit.enrol_tokens', '{SELECT,INSERT,UPDATE}');

-- Heartbeats belong to enrolled devices only; their history hangs on them.
ALTER TABLE tomkit.heartbeats
	ADD CONSTRAINT heartbeats_device FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE;
