package rlstest_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/rlstest"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// clinic is a small product with everything that makes rows hard to generate.
var clinic = rls.Source{Name: "clinic", FS: fstest.MapFS{"00001_clinic.sql": {Data: []byte(`-- +goose Up
CREATE SCHEMA clinic;
GRANT USAGE ON SCHEMA clinic TO tomkit_app, tomkit_msp, tomkit_system;
CREATE TYPE clinic.severity AS ENUM ('green', 'yellow', 'red');
CREATE DOMAIN clinic.code AS text CHECK (VALUE ~ '^[A-Z]{2}-[0-9]{4,8}$');

CREATE TABLE clinic.countries (iso text PRIMARY KEY CHECK (iso ~ '^[A-Z]{2}$'), name text NOT NULL);
INSERT INTO clinic.countries VALUES ('DE', 'Deutschland'), ('AT', 'Oesterreich');
GRANT SELECT ON clinic.countries TO tomkit_app;

-- A cycle: a ward has a head, who is staff of some ward.
CREATE TABLE clinic.wards (
    tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    id        uuid NOT NULL DEFAULT gen_random_uuid(),
    code      clinic.code NOT NULL,
    country   text NOT NULL REFERENCES clinic.countries (iso),
    head_id   bigint,
    parent_id uuid,
    beds      smallint NOT NULL CHECK (beds BETWEEN 4 AND 60),
    label     text GENERATED ALWAYS AS ('ward ' || beds) STORED,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, code),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES clinic.wards (tenant_id, id)
);
CREATE TABLE clinic.staff (
    tenant_id uuid   NOT NULL,
    id        bigint GENERATED ALWAYS AS IDENTITY,
    ward_id   uuid   NOT NULL,
    email     text   NOT NULL CHECK (email = lower(email) AND octet_length(email) BETWEEN 6 AND 80 AND email ~ '^[!-~]+@[!-~]+$'),
    role      text   NOT NULL DEFAULT 'nurse' CHECK (role IN ('nurse', 'doctor')),
    badge     bytea  NOT NULL CHECK (octet_length(badge) = 20),
    skills    text[] NOT NULL CHECK (cardinality(skills) BETWEEN 1 AND 3),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email),
    FOREIGN KEY (tenant_id, ward_id) REFERENCES clinic.wards (tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE clinic.wards ADD CONSTRAINT wards_head FOREIGN KEY (tenant_id, head_id) REFERENCES clinic.staff (tenant_id, id);

-- A deferred cycle without a way in.
CREATE TABLE clinic.orders (
    tenant_id uuid NOT NULL, id uuid NOT NULL, last_line uuid NOT NULL, PRIMARY KEY (tenant_id, id));
CREATE TABLE clinic.order_lines (
    tenant_id uuid NOT NULL, id uuid NOT NULL, order_id uuid NOT NULL, amount numeric(8,2) NOT NULL CHECK (amount > 0),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES clinic.orders (tenant_id, id) DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE clinic.orders ADD FOREIGN KEY (tenant_id, last_line) REFERENCES clinic.order_lines (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE clinic.rooms (
    tenant_id uuid NOT NULL, id serial, room int NOT NULL, during tstzrange NOT NULL, note varchar(40),
    PRIMARY KEY (tenant_id, id),
    CHECK (upper(during) > lower(during)),
    EXCLUDE USING btree (tenant_id WITH =, room WITH =));
CREATE UNIQUE INDEX rooms_lower ON clinic.rooms (tenant_id, lower(note)) WHERE note IS NOT NULL;

CREATE TABLE clinic.events (
    tenant_id uuid NOT NULL, id uuid NOT NULL DEFAULT gen_random_uuid(), at timestamptz NOT NULL, ended timestamptz,
    severity clinic.severity NOT NULL, data jsonb NOT NULL CHECK (jsonb_typeof(data) = 'object' AND data ? 'source'),
    ward_id uuid, staff_id bigint,
    PRIMARY KEY (tenant_id, id, at),
    CHECK (ended IS NULL OR ended >= at), CHECK (num_nonnulls(ward_id, staff_id) = 1),
    FOREIGN KEY (tenant_id, ward_id) REFERENCES clinic.wards (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, staff_id) REFERENCES clinic.staff (tenant_id, id) ON DELETE CASCADE
) PARTITION BY RANGE (at);
CREATE TABLE clinic.events_2026 PARTITION OF clinic.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE clinic.events_2027 PARTITION OF clinic.events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');

CREATE TABLE clinic.badges ( -- one for each member of staff
    tenant_id uuid NOT NULL, staff_id bigint NOT NULL, serial text NOT NULL, spot box,
    PRIMARY KEY (tenant_id, staff_id),
    FOREIGN KEY (tenant_id, staff_id) REFERENCES clinic.staff (tenant_id, id));
CREATE TABLE clinic.settings (tenant_id uuid PRIMARY KEY REFERENCES tomkit.tenants (id), theme text NOT NULL, active boolean NOT NULL DEFAULT true);
CREATE TABLE clinic.archive (
    tenant_id uuid NOT NULL, id uuid NOT NULL, body text NOT NULL, secret text NOT NULL, PRIMARY KEY (tenant_id, id));

SELECT tomkit.protect('clinic.wards');
SELECT tomkit.protect('clinic.staff');
SELECT tomkit.protect('clinic.orders');
SELECT tomkit.protect('clinic.order_lines');
SELECT tomkit.protect('clinic.rooms');
SELECT tomkit.protect('clinic.events');
SELECT tomkit.protect('clinic.badges', '{SELECT,INSERT,UPDATE}');
SELECT tomkit.protect('clinic.settings', '{SELECT,UPDATE}');
SELECT tomkit.protect('clinic.archive', '{}');
GRANT SELECT (tenant_id, id, body) ON clinic.archive TO tomkit_app;
CREATE VIEW clinic.nurses WITH (security_invoker) AS SELECT tenant_id, id, email FROM clinic.staff WHERE role = 'nurse';
CREATE VIEW clinic.emails WITH (security_invoker) AS SELECT email FROM clinic.staff;
GRANT SELECT ON clinic.nurses, clinic.emails TO tomkit_app;
`)}}}

// clinicDB is a database with the clinic.
func clinicDB(t *testing.T) *pgtest.DB {
	t.Helper()
	return pgtest.New(t, rls.Migrations(), tenant.Migrations(), clinic)
}

func clinicConfig(db *pgtest.DB) rlstest.Config {
	return rlstest.Config{
		SuperuserURL: db.SuperuserURL(), AppURL: db.URL(rls.RoleApp), MSPURL: db.URL(rls.RoleMSP), SystemURL: db.URL(rls.RoleSystem),
		ContextKey: pgtest.ContextKey(),
		Skip:       map[string]string{"tomkit.tenant_by_slug": "it gives the id of a tenant to whoever knows its slug, for the sign-in"},
	}
}

func TestClinic(t *testing.T) {
	t.Parallel()
	cfg := clinicConfig(clinicDB(t))
	cfg.Values = map[string][]any{"clinic.badges.spot": {"(1,1),(0,0)", "(3,3),(2,2)"}} // the generator makes no boxes
	cfg.Parts = []rlstest.Part{rlstest.Matrix, rlstest.Fuzzer}                          // the corpus runs on the reference schema
	report := rlstest.Run(t, cfg)
	require.Empty(t, report.Faults())
	require.GreaterOrEqual(t, report.Checks(rlstest.Matrix), checksPerTable*report.Tables)
	require.Equal(t, report.Statements, report.Agreed)
	require.GreaterOrEqual(t, report.Valid*10, report.Statements*9)
}
