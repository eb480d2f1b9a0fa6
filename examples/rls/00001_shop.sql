-- +goose Up
-- What the product had before.
CREATE SCHEMA shop;
CREATE TABLE shop.customers (
    tenant_id uuid NOT NULL,
    id        uuid NOT NULL,
    email     text NOT NULL CHECK (email ~ '^[!-~]+@[!-~]+$'),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email)
);
CREATE TABLE shop.orders (
    tenant_id   uuid   NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    customer_id uuid   NOT NULL,
    state       text   NOT NULL CHECK (state IN ('open', 'paid')),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES shop.customers (tenant_id, id)
);
