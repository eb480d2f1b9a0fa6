-- +goose Up

-- Host names under which a tenant is reached. A name belongs to one tenant in the whole installation, so its key does not
-- begin with the tenant; nobody but the system writes here, so nobody can probe with inserts which names are taken.
--
-- A name is stored as it is looked up: lower case, ASCII (an internationalised name as its xn-- labels, RFC 5891), two
-- labels or more, no port, no dot at the end, no address. The last label begins with a letter, which no IPv4 address does
-- in any notation. Labels with hyphens in third and fourth place are reserved but for xn--.
CREATE TABLE tomkit.tenant_hosts (
    host       text        PRIMARY KEY,
    tenant_id  uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (octet_length(host) BETWEEN 3 AND 253),
    CHECK (host ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'),
    CHECK (host !~ '(^|[.])(?!xn)..--')
);
CREATE INDEX tenant_hosts_tenant ON tomkit.tenant_hosts (tenant_id, host);
SELECT tomkit.protect('tomkit.tenant_hosts', '{SELECT}', across_tenants => '{tenant_hosts_pkey}');

-- tenant_by_host names the tenant of a request that nobody has signed in to: the id and nothing else, and only if it and
-- its MSP are active.
CREATE POLICY definer ON tomkit.tenant_hosts FOR SELECT TO tomkit_owner USING (true);
-- +goose StatementBegin
CREATE FUNCTION tomkit.tenant_by_host(host text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT t.id FROM tomkit.tenant_hosts h JOIN tomkit.tenants t ON t.id = h.tenant_id JOIN tomkit.msps m ON m.id = t.msp_id
    WHERE h.host = $1 AND t.status = 'active' AND m.status = 'active'
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION tomkit.tenant_by_host(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tomkit.tenant_by_host(text) TO tomkit_app;
