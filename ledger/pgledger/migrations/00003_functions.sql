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
    SELECT l.epoch, l.origin, l.door_sealed, h.size, h.head_hash, h.last_at, h.generation, h.closed_at,
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
    INSERT INTO tomkit.ledger_logs VALUES (p_tenant, 1, p_origin, p_door_inner, p_door_outer, p_door_sealed, v_now);
    INSERT INTO tomkit.ledger_keys
        SELECT p_tenant, u.purpose, 0, u.key_id, u.public_key, u.sealed, v_now
        FROM unnest(p_purposes, p_key_ids, p_publics, p_seals) AS u (purpose, key_id, public_key, sealed);
    INSERT INTO tomkit.ledger_heads (tenant_id, size, head_hash, last_at) VALUES (p_tenant, 0, repeat('0', 64), 'epoch');
END $$;
-- +goose StatementEnd

-- RFC 3339 with the fraction's trailing zeros cut off, in UTC: how the chain formula writes a time.
CREATE FUNCTION tomkit.ledger_time(p_at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN rtrim(rtrim(to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z';

-- The chain formula of TOM 3.3: text concatenation, 64 hexadecimal digits.
CREATE FUNCTION tomkit.ledger_link(p_previous text, p_action text, p_entity_id text, p_narrative text, p_at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN encode(sha256(convert_to(p_previous || p_action || p_entity_id || p_narrative || tomkit.ledger_time(p_at), 'UTF8')), 'hex');

-- The RFC 6962 leaf hash over the canonical form, version 1, of scheme bound (ledger/verify).
CREATE FUNCTION tomkit.ledger_leaf(
    p_seq bigint, p_id uuid, p_tenant uuid, p_user uuid, p_class text, p_at timestamptz, p_previous text, p_hash text,
    p_action text, p_entity_type text, p_entity_id text, p_narrative text, p_details text) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256('\x0001'::bytea || int8send(p_seq) || uuid_send(p_id) || uuid_send(p_tenant)
    || CASE WHEN p_user IS NULL THEN '\x00'::bytea ELSE '\x01'::bytea || uuid_send(p_user) END
    || CASE p_class WHEN 'critical' THEN '\x0101'::bytea ELSE '\x0001'::bytea END
    || int8send((extract(epoch FROM p_at) * 1000000)::bigint)
    || decode(p_previous || p_hash, 'hex')
    || int2send(octet_length(p_action)::smallint) || convert_to(p_action, 'UTF8')
    || int2send(octet_length(p_entity_type)::smallint) || convert_to(p_entity_type, 'UTF8')
    || int2send(octet_length(p_entity_id)::smallint) || convert_to(p_entity_id, 'UTF8')
    || int2send(octet_length(p_narrative)::smallint) || convert_to(p_narrative, 'UTF8')
    || int4send(octet_length(p_details)) || convert_to(p_details, 'UTF8'));

-- Appends entries to a tenant's log. The entries continue the head at p_first, whose current_hash is p_previous[1]; all
-- arrays but the p_opening ones have one element per entry. The database makes seq, previous_hash, current_hash and the
-- leaf hash over every field itself; the given hashes must be the same, and p_mac admits exactly these leaves.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_append(
    p_tenant uuid, p_generation integer, p_first bigint, p_previous text[], p_mac bytea,
    p_ids uuid[], p_users uuid[], p_actions text[], p_entity_types text[], p_entity_ids text[], p_details text[],
    p_narratives text[], p_hashes text[], p_times timestamptz[], p_classes text[], p_signatures bytea[],
    p_signature_keys text[],
    p_opening_seqs bigint[], p_opening_commitments bytea[], p_opening_salts bytea[], p_opening_subjects uuid[],
    p_opening_values text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count  bigint := cardinality(p_ids);
    v_head   record;
    v_leaves bytea;
    v_good   boolean;
    v_last   timestamptz := p_times[v_count];
    v_rows   bigint;
BEGIN
    IF NOT tomkit.ledger_in_scope(p_tenant) THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(x'746b6c67'::integer, tomkit.ledger_lock_key(p_tenant));
    SELECT h.size, h.head_hash, h.last_at, h.generation, h.closed_at, l.door_inner, l.door_outer INTO v_head
    FROM tomkit.ledger_heads h
    CROSS JOIN LATERAL (SELECT * FROM tomkit.ledger_logs x WHERE x.tenant_id = p_tenant ORDER BY x.epoch DESC LIMIT 1) l
    WHERE h.tenant_id = p_tenant;
    IF v_head.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'ledger: the log is closed' USING ERRCODE = 'TKL08';
    END IF;
    IF NOT FOUND OR v_head.size <> p_first OR v_head.head_hash <> p_previous[1] OR v_head.generation <> p_generation THEN
        RAISE EXCEPTION 'ledger: stale head' USING ERRCODE = 'TKL01';
    END IF;
    IF v_last > clock_timestamp() + interval '1 minute' THEN
        RAISE EXCEPTION 'ledger: time in the future' USING ERRCODE = 'TKL04';
    END IF;

    IF v_count = 1 THEN -- the usual business transaction, in the cheapest way
        v_good := v_last >= v_head.last_at AND p_hashes[1] =
            tomkit.ledger_link(p_previous[1], p_actions[1], p_entity_ids[1], p_narratives[1], v_last);
        v_leaves := tomkit.ledger_leaf(p_first, p_ids[1], p_tenant, p_users[1], p_classes[1], v_last, p_previous[1], p_hashes[1],
            p_actions[1], p_entity_types[1], p_entity_ids[1], p_narratives[1], p_details[1]);
        INSERT INTO tomkit.audit_logs (
            tenant_id, seq, id, user_id, action, entity_type, entity_id, details, nis2_narrative, previous_hash,
            current_hash, dilithium_signature, created_at, class, scheme, signature_key, leaf_hash)
        VALUES (p_tenant, p_first, p_ids[1], p_users[1], p_actions[1], p_entity_types[1], p_entity_ids[1], p_details[1]::json,
            p_narratives[1], p_previous[1], p_hashes[1], p_signatures[1], v_last, p_classes[1], 'bound', p_signature_keys[1], v_leaves);
    ELSE
        WITH written AS (
            INSERT INTO tomkit.audit_logs (
                tenant_id, seq, id, user_id, action, entity_type, entity_id, details, nis2_narrative, previous_hash,
                current_hash, dilithium_signature, created_at, class, scheme, signature_key, leaf_hash)
            SELECT p_tenant, p_first + u.n - 1, u.id, u.user_id, u.action, u.entity_type, u.entity_id, u.details::json, u.narrative,
                   u.previous, tomkit.ledger_link(u.previous, u.action, u.entity_id, u.narrative, u.at),
                   u.signature, u.at, u.class, 'bound', u.signature_key,
                   tomkit.ledger_leaf(p_first + u.n - 1, u.id, p_tenant, u.user_id, u.class, u.at, u.previous, u.hash,
                       u.action, u.entity_type, u.entity_id, u.narrative, u.details)
            FROM unnest(p_ids, p_users, p_actions, p_entity_types, p_entity_ids, p_details, p_narratives, p_previous, p_hashes,
                        p_times, p_classes, p_signatures, p_signature_keys) WITH ORDINALITY
                AS u (id, user_id, action, entity_type, entity_id, details, narrative, previous, hash, at, class, signature,
                      signature_key, n)
            RETURNING seq, leaf_hash, current_hash, created_at)
        SELECT string_agg(w.leaf_hash, ''::bytea ORDER BY w.seq),
               count(*) = v_count AND array_agg(w.current_hash ORDER BY w.seq) = p_hashes
                   AND p_previous[2:] = p_hashes[:v_count - 1] AND bool_and(w.created_at >= w.before)
        INTO v_leaves, v_good
        FROM (SELECT x.*, coalesce(lag(x.created_at) OVER (ORDER BY x.seq), v_head.last_at) AS before FROM written x) w;
    END IF;
    IF v_good IS NOT TRUE THEN
        RAISE EXCEPTION 'ledger: entries do not continue the log' USING ERRCODE = 'TKL03';
    END IF;
    IF p_mac IS DISTINCT FROM tomkit.ledger_mac(v_head.door_inner, v_head.door_outer,
           'tomkit/ledger/append/v1'::bytea || '\x00'::bytea || uuid_send(p_tenant) || int4send(p_generation)
           || int8send(p_first) || v_leaves) THEN
        RAISE EXCEPTION 'ledger: entries are not authentic' USING ERRCODE = 'TKL02';
    END IF;

    IF cardinality(p_opening_seqs) > 0 THEN
        INSERT INTO tomkit.ledger_openings
            SELECT p_tenant, o.seq, o.commitment, o.salt, o.subject, o.value
            FROM unnest(p_opening_seqs, p_opening_commitments, p_opening_salts, p_opening_subjects, p_opening_values)
                AS o (seq, commitment, salt, subject, value)
            WHERE o.seq BETWEEN p_first AND p_first + v_count - 1
              AND o.commitment = sha256('tomkit/personal/v1'::bytea || '\x00'::bytea || o.salt || convert_to(o.value, 'UTF8'));
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> cardinality(p_opening_seqs) THEN
            RAISE EXCEPTION 'ledger: an opening does not fit' USING ERRCODE = 'TKL03';
        END IF;
    END IF;

    UPDATE tomkit.ledger_heads h SET size = p_first + v_count, head_hash = p_hashes[v_count], last_at = v_last
    WHERE h.tenant_id = p_tenant;
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
    v_log   tomkit.ledger_logs;
    v_tiles bytea;
BEGIN
    IF NOT tomkit.ledger_in_scope(p_tenant) THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(x'746b6370'::integer, tomkit.ledger_lock_key(p_tenant));
    SELECT * INTO v_log FROM tomkit.ledger_logs l WHERE l.tenant_id = p_tenant ORDER BY l.epoch DESC LIMIT 1;
    SELECT string_agg(int2send(t.level) || int8send(t.idx) || t.hashes || t.root, ''::bytea ORDER BY t.n) INTO v_tiles
    FROM unnest(p_levels, p_idxs, p_hashes, p_roots) WITH ORDINALITY AS t (level, idx, hashes, root, n);
    IF v_log IS NULL OR p_mac IS DISTINCT FROM tomkit.ledger_mac(v_log.door_inner, v_log.door_outer,
           'tomkit/ledger/publish/v1'::bytea || '\x00'::bytea || uuid_send(p_tenant) || int8send(p_size) || p_root
           || sha256(convert_to(p_note, 'UTF8')) || sha256(coalesce(v_tiles, ''::bytea))) THEN
        RAISE EXCEPTION 'ledger: checkpoint is not authentic' USING ERRCODE = 'TKL02';
    END IF;
    IF EXISTS (SELECT FROM tomkit.ledger_checkpoints c
               WHERE c.tenant_id = p_tenant AND c.epoch = v_log.epoch AND c.size >= p_size)
       OR NOT EXISTS (SELECT FROM tomkit.ledger_heads h WHERE h.tenant_id = p_tenant AND h.size >= p_size) THEN
        RAISE EXCEPTION 'ledger: checkpoint is not newer, or beyond the head' USING ERRCODE = 'TKL07';
    END IF;
    INSERT INTO tomkit.ledger_tiles
        SELECT p_tenant, t.level, t.idx, t.hashes, t.root
        FROM unnest(p_levels, p_idxs, p_hashes, p_roots) AS t (level, idx, hashes, root);
    INSERT INTO tomkit.ledger_checkpoints VALUES (p_tenant, v_log.epoch, p_size, p_root, p_note, p_at);
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
    tomkit.ledger_append(uuid, integer, bigint, text[], bytea, uuid[], uuid[], text[], text[], text[], text[], text[], text[],
        timestamptz[], text[], bytea[], text[], bigint[], bytea[], bytea[], uuid[], text[]),
    tomkit.ledger_publish(uuid, bigint, bytea, text, timestamptz, bytea, smallint[], bigint[], bytea[], bytea[])
    TO tomkit_app, tomkit_system;
GRANT EXECUTE ON FUNCTION tomkit.ledger_unpublished(integer) TO tomkit_system;
