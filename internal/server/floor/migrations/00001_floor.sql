-- +goose Up

-- The policy set that came into force last, in one row for the whole installation. It is for the system login alone.
CREATE TABLE tomkit.policy_floor (
    one     boolean     PRIMARY KEY DEFAULT true CHECK (one),
    version bigint      NOT NULL CHECK (version >= 0),
    digest  bytea       NOT NULL CHECK (octet_length(digest) = 32),
    since   timestamptz NOT NULL DEFAULT now()
);
INSERT INTO tomkit.policy_floor (version, digest) VALUES (0, decode(repeat('00', 32), 'hex'));
REVOKE ALL ON tomkit.policy_floor FROM PUBLIC;
GRANT SELECT, UPDATE ON tomkit.policy_floor TO tomkit_system;
GRANT SELECT ON tomkit.policy_floor TO tomkit_backup;
