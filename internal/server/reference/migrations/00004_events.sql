-- +goose Up

-- Events of devices, by far the largest table: a partition per month, so that retention drops a month at once instead of deleting
-- rows. occurred_at is the server's clock. There is no default partition: rows that fell into it would keep the month's own
-- partition from being made.
CREATE TABLE tomkit.device_events (
    tenant_id   uuid        NOT NULL REFERENCES tomkit.tenants (id) ON DELETE CASCADE,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    id          uuid        NOT NULL DEFAULT gen_random_uuid(),
    device_id   uuid        NOT NULL,
    kind        text        NOT NULL CHECK (kind ~ '^[a-z0-9_]{1,64}$'),
    severity    text        NOT NULL DEFAULT 'info' CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    source      text        NOT NULL DEFAULT '' CHECK (octet_length(source) <= 256),
    message     text        NOT NULL DEFAULT '' CHECK (octet_length(message) <= 4096),
    attributes  jsonb       NOT NULL DEFAULT '{}' CHECK (octet_length(attributes::text) <= 16384),
    PRIMARY KEY (tenant_id, occurred_at, id),
    FOREIGN KEY (tenant_id, device_id) REFERENCES tomkit.devices (tenant_id, id) ON DELETE CASCADE
) PARTITION BY RANGE (occurred_at);
CREATE INDEX device_events_device ON tomkit.device_events (tenant_id, device_id, occurred_at);
SELECT tomkit.protect('tomkit.device_events', '{SELECT,INSERT}');

-- device_events_prepare makes the partitions of the months, in UTC, from p_from's on that are not there, and returns how many it made.
-- A partition has no policies, so protect runs again and closes it; a request sees it at no time, as all of this is one
-- transaction. It gives up after five seconds of waiting for others and can be called again.
-- +goose StatementBegin
CREATE FUNCTION tomkit.device_events_prepare(p_from date, p_months integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    v_month date;
    v_name  text;
    v_made  integer := 0;
BEGIN
    IF p_months IS NULL OR p_from IS NULL OR p_months NOT BETWEEN 1 AND 36 THEN
        RAISE EXCEPTION 'reference: device_events: 1 to 36 months' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('tomkit.device_events', 0));
    FOR v_month IN SELECT generate_series(date_trunc('month', p_from::timestamp),
                                          date_trunc('month', p_from::timestamp) + make_interval(months => p_months - 1),
                                          interval '1 month')::date LOOP
        v_name := 'device_events_' || to_char(v_month, 'YYYY_MM');
        CONTINUE WHEN to_regclass('tomkit.' || v_name) IS NOT NULL;
        EXECUTE format('CREATE TABLE tomkit.%I PARTITION OF tomkit.device_events FOR VALUES FROM (%L) TO (%L)',
                       v_name, v_month::timestamptz, (v_month + interval '1 month')::timestamptz);
        v_made := v_made + 1;
    END LOOP;
    IF v_made > 0 THEN
        PERFORM tomkit.protect('tomkit.device_events', '{SELECT,INSERT}');
    END IF;
    RETURN v_made;
END $$;
-- +goose StatementEnd

-- device_events_drop drops the partitions that end at or before p_before, and returns their names. The last 27 days, less
-- than any month, cannot be dropped, whatever the caller's clock says.
-- +goose StatementBegin
CREATE FUNCTION tomkit.device_events_drop(p_before timestamptz) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = '' SET timezone = 'UTC' SET lock_timeout = '5s' AS $$
DECLARE
    v_name text;
BEGIN
    IF p_before IS NULL OR p_before > now() - interval '27 days' THEN
        RAISE EXCEPTION 'reference: device_events: the last 27 days stay' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('tomkit.device_events', 0));
    FOR v_name IN SELECT c.relname FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
                  WHERE i.inhparent = 'tomkit.device_events'::pg_catalog.regclass AND c.relname ~ '^device_events_[0-9]{4}_[0-9]{2}$'
                    AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= p_before
                  ORDER BY c.relname LOOP
        EXECUTE format('DROP TABLE tomkit.%I', v_name);
        RETURN NEXT v_name;
    END LOOP;
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION tomkit.device_events_prepare(date, integer), tomkit.device_events_drop(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tomkit.device_events_prepare(date, integer), tomkit.device_events_drop(timestamptz) TO tomkit_system;

-- Last month, this one and six to come: maintenance that stands still is noticed before events are refused.
SELECT tomkit.device_events_prepare((now() - interval '1 month')::date, 8);
