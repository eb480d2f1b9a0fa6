-- +goose Up

-- How an MSP shows itself to its tenants. The row is the MSP's, so the column that protects it is msp_id. An MSP reads its own row; a
-- tenant that of the MSP it is under, which it learns from its own row of tomkit.tenants, so a move counts here from its commit on. Only
-- the system writes.
CREATE TABLE tomkit.msp_branding (
    msp_id        uuid        PRIMARY KEY REFERENCES tomkit.msps (id) ON DELETE CASCADE,
    product_name  text        NOT NULL CHECK (char_length(product_name) BETWEEN 1 AND 64),
    primary_color text        NOT NULL DEFAULT '#1f4e79' CHECK (primary_color ~ '^#[0-9a-f]{6}$'),
    accent_color  text        NOT NULL DEFAULT '#c55a11' CHECK (accent_color ~ '^#[0-9a-f]{6}$'),
    logo          bytea       CHECK (octet_length(logo) BETWEEN 1 AND 131072),
    logo_type     text        CHECK (logo_type IN ('image/png', 'image/webp')), -- no SVG: it can hold scripts
    support_email text        CHECK (octet_length(support_email) BETWEEN 3 AND 254),
    support_phone text        CHECK (octet_length(support_phone) BETWEEN 3 AND 32),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CHECK ((logo IS NULL) = (logo_type IS NULL))
);
SELECT tomkit.protect('tomkit.msp_branding', '{SELECT}', 'msp_id', msp_itself => true);
DROP POLICY tomkit_tenant ON tomkit.msp_branding;
CREATE POLICY branding_tenant ON tomkit.msp_branding FOR SELECT TO tomkit_app
    USING (msp_id = (SELECT t.msp_id FROM tomkit.tenants t));
