-- +goose Up

-- All functions run as tomkit_ledger. session_user is the login that holds the connection, whatever SET ROLE or SECURITY
-- DEFINER made of current_user, and with a pooler the login of the pool; so it says which rule applies.
--
-- SQLSTATEs: TKL01 stale head or keys, TKL02 not authentic, TKL03 does not continue the log, TKL04 time in the future,
-- TKL05 refused write, TKL06 the log exists, TKL07 checkpoint is not newer, TKL08 the log is closed.

CREATE FUNCTION tomkit.ledger_in_scope(p_tenant uuid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN CASE session_user
    WHEN 'tomkit_app' THEN coalesce(p_tenant = tomkit.current_tenant(), false)
    WHEN 'tomkit_system' THEN coalesce(current_setting('app.bypass_rls', true) = 'on', false)
    ELSE false END;

-- HMAC-SHA256 (RFC 2104) with prepared blocks.
CREATE FUNCTION tomkit.ledger_mac(p_inner bytea, p_outer bytea, p_message bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(p_outer || sha256(p_inner || p_message));

-- Refuses a call whose code is not that of the tenant's door key over purpose, tenant and message; also one with a NULL.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_admit(p_tenant uuid, p_purpose text, p_mac bytea, p_message bytea) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (SELECT p_mac = tomkit.ledger_mac(h.door_inner, h.door_outer,
            convert_to('tomkit/ledger/' || p_purpose || '/v1', 'UTF8') || '\x00'::bytea || uuid_send(p_tenant) || p_message)
        FROM tomkit.ledger_heads h WHERE h.tenant_id = p_tenant) IS NOT TRUE THEN
        RAISE EXCEPTION 'ledger: % is not authentic', p_purpose USING ERRCODE = 'TKL02';
    END IF;
END $$;
-- +goose StatementEnd

-- The advisory lock of a tenant's log: class 'tklg' for appending, 'tkcp' for publishing checkpoints. Two tenants whose
-- hashes collide share a lock, which costs time and nothing else.
CREATE FUNCTION tomkit.ledger_lock_key(p_tenant uuid) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtext(p_tenant::text);

-- What the application needs to write a log: no row while the tenant has none.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_state(p_tenant uuid) RETURNS TABLE (
    epoch integer, origin text, door_sealed text, size bigint, head_hash text, last_at timestamptz,
    generation integer, closed_at timestamptz,
    key_purposes text[], key_publics bytea[], key_seals text[], key_valid_from bigint[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT tomkit.ledger_in_scope(p_tenant) THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY
    SELECT l.epoch, l.origin, h.door_sealed, h.size, h.head_hash, h.last_at, h.generation, h.closed_at,
           k.purposes, k.publics, k.seals, k.valid_from
    FROM tomkit.ledger_heads h
    CROSS JOIN LATERAL (SELECT * FROM tomkit.ledger_logs x WHERE x.tenant_id = p_tenant ORDER BY x.epoch DESC LIMIT 1) l
    CROSS JOIN LATERAL (
        SELECT array_agg(y.purpose ORDER BY y.purpose, y.valid_from) AS purposes,
               array_agg(y.public_key ORDER BY y.purpose, y.valid_from) AS publics,
               array_agg(y.sealed ORDER BY y.purpose, y.valid_from) AS seals,
               array_agg(y.valid_from ORDER BY y.purpose, y.valid_from) AS valid_from
        FROM tomkit.ledger_keys y WHERE y.tenant_id = p_tenant) k
    WHERE h.tenant_id = p_tenant;
END $$;
-- +goose StatementEnd

-- Takes the append lock until the end of the transaction and returns the head, so that the next append cannot be stale.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_lock(p_tenant uuid) RETURNS TABLE (
    size bigint, head_hash text, last_at timestamptz, generation integer, closed_at timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT tomkit.ledger_in_scope(p_tenant) THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(x'746b6c67'::integer, tomkit.ledger_lock_key(p_tenant));
    RETURN QUERY SELECT h.size, h.head_hash, h.last_at, h.generation, h.closed_at FROM tomkit.ledger_heads h WHERE h.tenant_id = p_tenant;
END $$;
-- +goose StatementEnd

-- Opens a tenant's log. The first entry follows in the same transaction through ledger_append.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_create(
    p_tenant uuid, p_origin text, p_door_inner bytea, p_door_outer bytea, p_door_sealed text,
    p_purposes text[], p_key_ids text[], p_publics bytea[], p_seals text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    IF NOT tomkit.ledger_in_scope(p_tenant) THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(x'746b6c67'::integer, tomkit.ledger_lock_key(p_tenant));
    IF EXISTS (SELECT FROM tomkit.ledger_heads h WHERE h.tenant_id = p_tenant) THEN
        RAISE EXCEPTION 'ledger: the log exists' USING ERRCODE = 'TKL06';
    END IF;
    IF p_origin !~ '^[^[:space:]+]+/ledger/[0-9a-f]{32}/1$' THEN
        RAISE EXCEPTION 'ledger: malformed origin' USING ERRCODE = 'TKL03';
    END IF;
    INSERT INTO tomkit.ledger_logs VALUES (p_tenant, 1, p_origin, v_now);
    INSERT INTO tomkit.ledger_keys
        SELECT p_tenant, u.purpose, 0, u.key_id, u.public_key, u.sealed, v_now
        FROM unnest(p_purposes, p_key_ids, p_publics, p_seals) AS u (purpose, key_id, public_key, sealed);
    INSERT INTO tomkit.ledger_heads (tenant_id, size, previous_hash, head_hash, last_at, door_inner, door_outer, door_sealed)
        VALUES (p_tenant, 0, repeat('0', 64), repeat('0', 64), 'epoch', p_door_inner, p_door_outer, p_door_sealed);
END $$;
-- +goose StatementEnd

-- RFC 3339 with the fraction's trailing zeros cut off, in UTC: how the chain formula writes a time.
CREATE FUNCTION tomkit.ledger_time(p_at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN rtrim(rtrim(to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z';

-- Microseconds since 1970 as eight bytes: how the canonical form writes a time.
CREATE FUNCTION tomkit.ledger_micros(p_at timestamptz) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN int8send((extract(epoch FROM p_at) * 1000000)::bigint);

-- Whose log, under which keys, what: what the code of an append starts with.
CREATE FUNCTION tomkit.ledger_subject(p_purpose bytea, p_tenant uuid, p_generation integer) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN p_purpose || '\x00'::bytea || uuid_send(p_tenant) || int4send(p_generation);

-- Writes the personal values of entries behind p_first: index (2 bytes) ‖ commitment ‖ salt ‖ subject ‖ value each.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_keep_openings(p_tenant uuid, p_first bigint, p_openings bytea[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO tomkit.ledger_openings
        SELECT p_tenant, p_first + get_byte(o, 0) * 256 + get_byte(o, 1), substring(o, 3, 32), substring(o, 35, 32),
               encode(substring(o, 67, 16), 'hex')::uuid, convert_from(substring(o, 83), 'UTF8')
        FROM unnest(p_openings) AS o;
END $$;
-- +goose StatementEnd

-- Appends entries to a tenant's log, behind the head the caller knows.
--
-- p_rows are what the leaf hashes are over, 0x00 ‖ canonical form (ledger/verify), and everything a row says is cut out of
-- them: so no column can differ from its leaf. p_cuts has ten bytes for each row, the 1-based places in it, as two bytes
-- each, where action, entity type, entity id, narrative and details begin. p_signatures has one element for each row, NULL
-- for an entry of class normal, or is empty.
--
-- The database enforces the position, the links from hash to hash and the order of time. That the caller is the process
-- that holds the door key is what p_mac proves, over leaves, cuts, signatures and openings; the process vouches for what
-- is in the rows, and every verification looks at that again. All that needs no head is done before the lock is taken.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_append(
    p_tenant uuid, p_generation integer, p_first bigint, p_at timestamptz, p_mac bytea, p_rows bytea[], p_cuts bytea,
    p_signatures bytea[], p_signature_key text, p_openings bytea[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count    integer := cardinality(p_rows);
    v_tenant   bytea := uuid_send(p_tenant);
    v_micros   bytea := tomkit.ledger_micros(p_at);
    v_leaves   bytea; -- of all rows, 32 bytes each
    v_previous bytea;
    v_hashes   bytea;
    v_good     boolean;
    v_head     tomkit.ledger_heads;
BEGIN
    IF NOT tomkit.ledger_in_scope(p_tenant) THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT string_agg(sha256(u.c), ''), string_agg(substring(u.c, u.p, 32), ''), string_agg(substring(u.c, u.p + 32, 32), ''),
           bool_and(substring(u.c, 1, 10) = '\x0001'::bytea || int8send(p_first + u.n) AND substring(u.c, 27, 16) = v_tenant
               AND substring(u.c, u.p - 8, 8) = v_micros)
    INTO v_leaves, v_previous, v_hashes, v_good
    FROM (SELECT r.c, r.n - 1 AS n, 54 + 16 * get_byte(r.c, 42) AS p FROM unnest(p_rows) WITH ORDINALITY AS r (c, n) OFFSET 0) u;
    SELECT * INTO v_head FROM tomkit.ledger_heads h WHERE h.tenant_id = p_tenant;
    IF FOUND AND (p_mac = tomkit.ledger_mac(v_head.door_inner, v_head.door_outer,
           tomkit.ledger_subject('tomkit/ledger/append/v1', p_tenant, p_generation) || int4send(v_count) || v_leaves || p_cuts
           || sha256(array_send(p_signatures)) || sha256(array_send(p_openings)) || convert_to(p_signature_key, 'UTF8'))
           ) IS NOT TRUE THEN -- so it is with any NULL
        IF v_head.generation <> p_generation THEN
            RAISE EXCEPTION 'ledger: stale head' USING ERRCODE = 'TKL01'; -- the door has another key by now
        END IF;
        RAISE EXCEPTION 'ledger: entries are not authentic' USING ERRCODE = 'TKL02';
    END IF;
    IF v_good IS NOT TRUE OR substring(v_previous, 33) <> substring(v_hashes, 1, 32 * v_count - 32) THEN
        RAISE EXCEPTION 'ledger: entries do not continue the log' USING ERRCODE = 'TKL03';
    END IF;
    IF p_at > clock_timestamp() + interval '1 minute' THEN
        RAISE EXCEPTION 'ledger: time in the future' USING ERRCODE = 'TKL04';
    END IF;

    PERFORM pg_advisory_xact_lock(x'746b6c67'::integer, tomkit.ledger_lock_key(p_tenant));
    UPDATE tomkit.ledger_heads h
    SET size = p_first + v_count, previous_hash = encode(substring(v_previous, 32 * v_count - 31), 'hex'),
        head_hash = encode(substring(v_hashes, 32 * v_count - 31), 'hex'), last_at = greatest(p_at, h.last_at)
    WHERE h.tenant_id = p_tenant AND h.size = p_first AND h.head_hash = encode(substring(v_previous, 1, 32), 'hex')
      AND h.generation = p_generation
    RETURNING * INTO v_head;
    IF NOT FOUND THEN
        IF (SELECT h.closed_at FROM tomkit.ledger_heads h WHERE h.tenant_id = p_tenant) IS NOT NULL THEN
            RAISE EXCEPTION 'ledger: the log is closed' USING ERRCODE = 'TKL08';
        END IF;
        RAISE EXCEPTION 'ledger: stale head' USING ERRCODE = 'TKL01';
    END IF;
    IF p_at < v_head.last_at THEN
        RAISE EXCEPTION 'ledger: entries do not continue the log' USING ERRCODE = 'TKL03';
    END IF;
    INSERT INTO tomkit.audit_logs (
        tenant_id, seq, id, user_id, action, entity_type, entity_id, details, nis2_narrative, previous_hash,
        current_hash, dilithium_signature, created_at, class, scheme, signature_key, leaf_hash)
    SELECT p_tenant, p_first + u.i, encode(substring(u.c, 11, 16), 'hex')::uuid,
           CASE u.action WHEN 120 THEN NULL ELSE encode(substring(u.c, 44, 16), 'hex')::uuid END,
           convert_from(substring(u.c, u.action, u.type - u.action - 2), 'UTF8'),
           convert_from(substring(u.c, u.type, u.entity - u.type - 2), 'UTF8'),
           convert_from(substring(u.c, u.entity, u.narrative - u.entity - 2), 'UTF8'),
           convert_from(substring(u.c, u.details), 'UTF8')::json,
           convert_from(substring(u.c, u.narrative, u.details - u.narrative - 4), 'UTF8'),
           encode(substring(v_previous, 32 * u.i + 1, 32), 'hex'), encode(substring(v_hashes, 32 * u.i + 1, 32), 'hex'),
           u.signature, p_at, CASE WHEN u.signature IS NULL THEN 'normal' ELSE 'critical' END, 'bound',
           CASE WHEN u.signature IS NOT NULL THEN p_signature_key END, substring(v_leaves, 32 * u.i + 1, 32)
    FROM (SELECT r.c, r.signature, r.n::integer - 1 AS i,
                 get_byte(p_cuts, r.n::integer * 10 - 10) * 256 + get_byte(p_cuts, r.n::integer * 10 - 9) AS action,
                 get_byte(p_cuts, r.n::integer * 10 - 8) * 256 + get_byte(p_cuts, r.n::integer * 10 - 7) AS type,
                 get_byte(p_cuts, r.n::integer * 10 - 6) * 256 + get_byte(p_cuts, r.n::integer * 10 - 5) AS entity,
                 get_byte(p_cuts, r.n::integer * 10 - 4) * 256 + get_byte(p_cuts, r.n::integer * 10 - 3) AS narrative,
                 get_byte(p_cuts, r.n::integer * 10 - 2) * 256 + get_byte(p_cuts, r.n::integer * 10 - 1) AS details
          FROM unnest(p_rows, p_signatures) WITH ORDINALITY AS r (c, signature, n) OFFSET 0) u;
    IF cardinality(p_openings) > 0 THEN
        PERFORM tomkit.ledger_keep_openings(p_tenant, p_first, p_openings);
    END IF;
END $$;
-- +goose StatementEnd

-- Appends one entry of class normal behind whatever head there is, and returns seq ‖ microseconds ‖ previous_hash ‖
-- current_hash (8, 8, 32 and 32 bytes): they are made here, under the lock, so that no writer has to know the head, and none
-- can be late. The entry's time is p_at, or the head's where that is later. p_front and p_back are the parts of the canonical
-- form between and behind what is made here. p_mac covers everything; since the id is unique, it opens the log once.
--
-- Each call is a transaction's only one, so what counts is how many statements it runs and how many functions its expressions
-- name: PostgreSQL prepares them anew each time. That is why the columns come as arguments here and are not cut out of the
-- canonical form, and why the head moves before the code is looked at: an exception takes it back.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_append_one(
    p_tenant uuid, p_generation integer, p_at timestamptz, p_mac bytea, p_front bytea, p_back bytea, p_id uuid, p_user uuid,
    p_action text, p_entity_type text, p_entity_id text, p_details json, p_narrative text, p_openings bytea[]) RETURNS bytea
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_head  record;
    v_links bytea; -- microseconds, previous_hash, current_hash
BEGIN
    -- The lock returns no NULL: as a condition it needs no statement of its own.
    IF NOT tomkit.ledger_in_scope(p_tenant) OR pg_advisory_xact_lock(x'746b6c67'::integer, tomkit.ledger_lock_key(p_tenant)) IS NULL THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE tomkit.ledger_heads h
    SET size = h.size + 1, previous_hash = h.head_hash, last_at = greatest(p_at, h.last_at),
        head_hash = encode(sha256(convert_to(concat(h.head_hash, p_action, p_entity_id, p_narrative,
            tomkit.ledger_time(greatest(p_at, h.last_at))), 'UTF8')), 'hex')
    WHERE h.tenant_id = p_tenant
    RETURNING h.size - 1 AS seq, h.previous_hash, h.head_hash, h.last_at, h.generation, h.door_inner, h.door_outer INTO v_head;
    IF v_head.generation = p_generation IS NOT TRUE THEN
        RAISE EXCEPTION 'ledger: stale head' USING ERRCODE = 'TKL01';
    END IF;
    IF (p_mac = sha256(v_head.door_outer || sha256(v_head.door_inner || 'tomkit/ledger/record/v1'::bytea || record_send(ROW(
           p_tenant, p_generation, p_at, p_front, p_back, p_id, p_user, p_action, p_entity_type, p_entity_id, p_details,
           p_narrative, p_openings))))) IS NOT TRUE THEN
        RAISE EXCEPTION 'ledger: entries are not authentic' USING ERRCODE = 'TKL02';
    END IF;
    IF p_at > clock_timestamp() + interval '1 minute' THEN
        RAISE EXCEPTION 'ledger: time in the future' USING ERRCODE = 'TKL04';
    END IF;
    v_links := tomkit.ledger_micros(v_head.last_at) || decode(v_head.previous_hash || v_head.head_hash, 'hex');
    INSERT INTO tomkit.audit_logs (
        tenant_id, seq, id, user_id, action, entity_type, entity_id, details, nis2_narrative, previous_hash,
        current_hash, created_at, class, scheme, leaf_hash)
    VALUES (p_tenant, v_head.seq, p_id, p_user, p_action, p_entity_type, p_entity_id, p_details, p_narrative, v_head.previous_hash,
        v_head.head_hash, v_head.last_at, 'normal', 'bound',
        sha256('\x0001'::bytea || int8send(v_head.seq) || p_front || v_links || p_back));
    IF p_openings <> '{}' THEN
        PERFORM tomkit.ledger_keep_openings(p_tenant, v_head.seq, p_openings);
    END IF;
    RETURN int8send(v_head.seq) || v_links;
END $$;
-- +goose StatementEnd

-- Takes the publishing lock until the end of the transaction and returns where the log and its last checkpoint stand.
-- With p_wait false, no row means that another process publishes this log just now.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_publishing(p_tenant uuid, p_wait boolean) RETURNS TABLE (
    size bigint, checkpoint_size bigint, checkpoint_note text, generation integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT tomkit.ledger_in_scope(p_tenant) THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF p_wait THEN
        PERFORM pg_advisory_xact_lock(x'746b6370'::integer, tomkit.ledger_lock_key(p_tenant));
    ELSIF NOT pg_try_advisory_xact_lock(x'746b6370'::integer, tomkit.ledger_lock_key(p_tenant)) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT coalesce(h.size, 0), coalesce(c.size, 0), coalesce(c.note, ''), coalesce(h.generation, 0)
    FROM (SELECT) one
    LEFT JOIN tomkit.ledger_heads h ON h.tenant_id = p_tenant
    LEFT JOIN LATERAL (SELECT x.size, x.note FROM tomkit.ledger_checkpoints x
                       WHERE x.tenant_id = p_tenant ORDER BY x.epoch DESC, x.size DESC LIMIT 1) c ON true;
END $$;
-- +goose StatementEnd

-- Stores a checkpoint and the tiles that became full. Publishers of one tenant exclude each other by the 'tkcp' lock.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_publish(
    p_tenant uuid, p_size bigint, p_root bytea, p_note text, p_at timestamptz, p_mac bytea,
    p_levels smallint[], p_idxs bigint[], p_hashes bytea[], p_roots bytea[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_epoch integer;
    v_tiles bytea;
BEGIN
    IF NOT tomkit.ledger_in_scope(p_tenant) THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(x'746b6370'::integer, tomkit.ledger_lock_key(p_tenant));
    SELECT max(l.epoch) INTO v_epoch FROM tomkit.ledger_logs l WHERE l.tenant_id = p_tenant;
    SELECT string_agg(int2send(t.level) || int8send(t.idx) || t.hashes || t.root, ''::bytea ORDER BY t.n) INTO v_tiles
    FROM unnest(p_levels, p_idxs, p_hashes, p_roots) WITH ORDINALITY AS t (level, idx, hashes, root, n);
    PERFORM tomkit.ledger_admit(p_tenant, 'publish', p_mac,
        int8send(p_size) || p_root || sha256(convert_to(p_note, 'UTF8')) || sha256(coalesce(v_tiles, ''::bytea)));
    IF EXISTS (SELECT FROM tomkit.ledger_checkpoints c
               WHERE c.tenant_id = p_tenant AND c.epoch = v_epoch AND c.size >= p_size)
       OR NOT EXISTS (SELECT FROM tomkit.ledger_heads h WHERE h.tenant_id = p_tenant AND h.size >= p_size) THEN
        RAISE EXCEPTION 'ledger: checkpoint is not newer, or beyond the head' USING ERRCODE = 'TKL07';
    END IF;
    INSERT INTO tomkit.ledger_tiles
        SELECT p_tenant, t.level, t.idx, t.hashes, t.root
        FROM unnest(p_levels, p_idxs, p_hashes, p_roots) AS t (level, idx, hashes, root);
    INSERT INTO tomkit.ledger_checkpoints VALUES (p_tenant, v_epoch, p_size, p_root, p_note, p_at);
END $$;
-- +goose StatementEnd

-- Tenants whose log grew beyond its last checkpoint, for the process that publishes. System login only.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_unpublished(p_limit integer) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF session_user <> 'tomkit_system' OR current_setting('app.bypass_rls', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'ledger: system scope only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY
    SELECT h.tenant_id FROM tomkit.ledger_heads h
    WHERE h.size > coalesce((SELECT max(c.size) FROM tomkit.ledger_checkpoints c WHERE c.tenant_id = h.tenant_id), 0)
    LIMIT p_limit;
END $$;
-- +goose StatementEnd

-- Nothing is for everybody. The MSP's login only reads, and so do dumps.
-- +goose StatementBegin
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'tomkit'::regnamespace AND p.proowner = current_user::regrole LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END $$;
-- +goose StatementEnd
GRANT EXECUTE ON FUNCTION
    tomkit.ledger_state(uuid), tomkit.ledger_lock(uuid), tomkit.ledger_publishing(uuid, boolean),
    tomkit.ledger_create(uuid, text, bytea, bytea, text, text[], text[], bytea[], text[]),
    tomkit.ledger_append(uuid, integer, bigint, timestamptz, bytea, bytea[], bytea, bytea[], text, bytea[]),
    tomkit.ledger_append_one(uuid, integer, timestamptz, bytea, bytea, bytea, uuid, uuid, text, text, text, json, text, bytea[]),
    tomkit.ledger_publish(uuid, bigint, bytea, text, timestamptz, bytea, smallint[], bigint[], bytea[], bytea[])
    TO tomkit_app, tomkit_system;
GRANT EXECUTE ON FUNCTION tomkit.ledger_unpublished(integer) TO tomkit_system;
