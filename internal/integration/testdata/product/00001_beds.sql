-- +goose Up
CREATE TABLE tomkit.beds (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id        uuid NOT NULL,
    label     text NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
SELECT tomkit.protect('tomkit.beds');
