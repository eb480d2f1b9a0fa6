-- +goose Up
CREATE SCHEMA library;
GRANT USAGE ON SCHEMA library TO tomkit_app, tomkit_msp, tomkit_system, tomkit_backup;
CREATE TABLE library.books (
    tenant_id uuid NOT NULL,
    isbn      text NOT NULL CHECK (isbn ~ '^97[89][0-9]{10}$'),
    title     text NOT NULL,
    PRIMARY KEY (tenant_id, isbn)
);
CREATE TABLE library.loans (
    tenant_id uuid NOT NULL,
    id        bigint GENERATED ALWAYS AS IDENTITY,
    isbn      text NOT NULL,
    since     date NOT NULL,
    PRIMARY KEY (tenant_id, id, since),
    FOREIGN KEY (tenant_id, isbn) REFERENCES library.books (tenant_id, isbn)
) PARTITION BY RANGE (since);
CREATE TABLE library.loans_2026 PARTITION OF library.loans FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
SELECT tomkit.protect('library.books');
SELECT tomkit.protect('library.loans'); -- and its partitions
