-- +goose Up
GRANT USAGE ON SCHEMA shop TO tomkit_app, tomkit_msp, tomkit_system, tomkit_backup;
SELECT tomkit.protect('shop.customers');
SELECT tomkit.protect('shop.orders', '{SELECT,INSERT,UPDATE}'); -- requests delete no order
