-- +goose Up

-- The life of a log: erasure of personal values, other keys, recovery, the end. Each of these is an entry; its function runs
-- behind the entry's append in the same transaction and does what the entry says, or nothing.
--
-- SQLSTATEs are those of 00003_functions.sql, and TKL09: the rows have to be kept.

-- Checks scope and code, takes the append lock, and returns the details of the critical entry that a call belongs to.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_told(p_tenant uuid, p_purpose text, p_entry bigint, p_action text, p_mac bytea, p_digest bytea) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_details jsonb;
BEGIN
    IF NOT tomkit.ledger_in_scope(p_tenant) THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(x'746b6c67'::integer, tomkit.ledger_lock_key(p_tenant));
    PERFORM tomkit.ledger_admit(p_tenant, p_purpose, p_mac, int8send(p_entry) || p_digest);
    SELECT a.details::jsonb INTO v_details FROM tomkit.audit_logs a
    WHERE a.tenant_id = p_tenant AND a.seq = p_entry AND a.action = p_action AND a.class = 'critical';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ledger: no entry tells of this %', p_purpose USING ERRCODE = 'TKL03';
    END IF;
    RETURN v_details;
END $$;
-- +goose StatementEnd

-- Removes personal values and their salts. The entry must name exactly them, by number and digest (ledger/verify); a value that
-- is not there fails the whole.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_erase(p_tenant uuid, p_entry bigint, p_mac bytea, p_seqs bigint[], p_commitments bytea[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_details jsonb;
    v_digest  bytea;
    v_rows    bigint;
BEGIN
    SELECT sha256(string_agg(int8send(v.seq) || v.commitment, ''::bytea ORDER BY v.seq, v.commitment)) INTO v_digest
    FROM unnest(p_seqs, p_commitments) AS v (seq, commitment);
    v_details := tomkit.ledger_told(p_tenant, 'erase', p_entry, 'personal_data_erased', p_mac, v_digest);
    IF v_details ->> 'erased_digest' IS DISTINCT FROM encode(v_digest, 'hex')
       OR (v_details ->> 'erased_count')::bigint IS DISTINCT FROM cardinality(p_seqs)::bigint THEN
        RAISE EXCEPTION 'ledger: the entry erases other values' USING ERRCODE = 'TKL03';
    END IF;
    INSERT INTO tomkit.ledger_redactions
        SELECT p_tenant, v.seq, v.commitment, p_entry FROM unnest(p_seqs, p_commitments) AS v (seq, commitment);
    DELETE FROM tomkit.ledger_openings o USING unnest(p_seqs, p_commitments) AS v (seq, commitment)
    WHERE o.tenant_id = p_tenant AND o.seq = v.seq AND o.commitment = v.commitment;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    IF v_rows <> cardinality(p_seqs) THEN
        RAISE EXCEPTION 'ledger: a value to erase is not there' USING ERRCODE = 'TKL03';
    END IF;
END $$;
-- +goose StatementEnd

-- Gives a log another set of keys, valid behind the entry, and another door key. The private halves of the keys before are
-- destroyed. The publishing lock waits for a publisher that still has the old keys.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_rotate(
    p_tenant uuid, p_entry bigint, p_mac bytea, p_generation integer, p_door_inner bytea, p_door_outer bytea, p_door_sealed text,
    p_purposes text[], p_key_ids text[], p_publics bytea[], p_seals text[], p_compromised text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_keys bytea;
    v_lost bytea;
BEGIN
    SELECT string_agg(sha256(convert_to(k.purpose, 'UTF8')) || sha256(convert_to(k.key_id, 'UTF8')) || sha256(k.public_key)
        || sha256(convert_to(k.sealed, 'UTF8')), ''::bytea ORDER BY k.n) INTO v_keys
    FROM unnest(p_purposes, p_key_ids, p_publics, p_seals) WITH ORDINALITY AS k (purpose, key_id, public_key, sealed, n);
    SELECT string_agg(sha256(convert_to(c.key_id, 'UTF8')), ''::bytea ORDER BY c.n) INTO v_lost
    FROM unnest(p_compromised) WITH ORDINALITY AS c (key_id, n);
    PERFORM tomkit.ledger_told(p_tenant, 'rotate', p_entry, 'ledger_keys_rotated', p_mac, sha256(int4send(p_generation) || p_door_inner
        || p_door_outer || sha256(convert_to(p_door_sealed, 'UTF8')) || v_keys || coalesce(v_lost, ''::bytea)));
    IF (SELECT count(DISTINCT u) FROM unnest(p_purposes) u) <> 3 OR cardinality(p_purposes) <> 3 THEN
        RAISE EXCEPTION 'ledger: not one key for each purpose' USING ERRCODE = 'TKL03';
    END IF;
    PERFORM pg_advisory_xact_lock(x'746b6370'::integer, tomkit.ledger_lock_key(p_tenant));
    UPDATE tomkit.ledger_heads h
    SET generation = p_generation + 1, door_inner = p_door_inner, door_outer = p_door_outer, door_sealed = p_door_sealed
    WHERE h.tenant_id = p_tenant AND h.size = p_entry + 1 AND h.generation = p_generation;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ledger: stale head' USING ERRCODE = 'TKL01';
    END IF;
    UPDATE tomkit.ledger_keys k SET sealed = '' WHERE k.tenant_id = p_tenant AND k.valid_from <= p_entry AND k.sealed <> '';
    UPDATE tomkit.ledger_keys k SET compromised = true WHERE k.tenant_id = p_tenant AND k.key_id = ANY (p_compromised);
    INSERT INTO tomkit.ledger_keys (tenant_id, purpose, valid_from, key_id, public_key, sealed, created_at)
        SELECT p_tenant, k.purpose, p_entry + 1, k.key_id, k.public_key, k.sealed, clock_timestamp()
        FROM unnest(p_purposes, p_key_ids, p_publics, p_seals) AS k (purpose, key_id, public_key, sealed);
END $$;
-- +goose StatementEnd

-- Begins another epoch of a log that was restored behind what an anchor remembers. The entry declares what is lost and who
-- approved it: two persons.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_recover(p_tenant uuid, p_entry bigint, p_mac bytea, p_generation integer, p_origin text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_details jsonb;
    v_epoch   integer;
BEGIN
    v_details := tomkit.ledger_told(p_tenant, 'recover', p_entry, 'ledger_recovered', p_mac,
        sha256(int4send(p_generation) || convert_to(p_origin, 'UTF8')));
    SELECT max(l.epoch) + 1 INTO v_epoch FROM tomkit.ledger_logs l WHERE l.tenant_id = p_tenant;
    IF (v_details ->> 'epoch')::integer IS DISTINCT FROM v_epoch OR (v_details ->> 'lost_from')::bigint IS DISTINCT FROM p_entry
       OR (v_details ->> 'lost_until')::bigint <= p_entry OR jsonb_array_length(v_details -> 'approvers') <> 2
       OR v_details -> 'approvers' ->> 0 = v_details -> 'approvers' ->> 1 THEN
        RAISE EXCEPTION 'ledger: the entry does not declare this recovery' USING ERRCODE = 'TKL03';
    END IF;
    PERFORM pg_advisory_xact_lock(x'746b6370'::integer, tomkit.ledger_lock_key(p_tenant));
    UPDATE tomkit.ledger_heads h SET generation = p_generation + 1
    WHERE h.tenant_id = p_tenant AND h.size = p_entry + 1 AND h.generation = p_generation;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ledger: stale head' USING ERRCODE = 'TKL01';
    END IF;
    INSERT INTO tomkit.ledger_logs
        SELECT p_tenant, v_epoch, regexp_replace(l.origin, '[0-9]+$', v_epoch::text), clock_timestamp()
        FROM tomkit.ledger_logs l WHERE l.tenant_id = p_tenant AND l.epoch = v_epoch - 1
          AND p_origin = regexp_replace(l.origin, '[0-9]+$', v_epoch::text);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ledger: not the log''s next origin' USING ERRCODE = 'TKL03';
    END IF;
END $$;
-- +goose StatementEnd

-- Ends a log: no entry follows the one that says so. Its rows are kept until p_keep_until at least.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_close(p_tenant uuid, p_entry bigint, p_mac bytea, p_keep_until timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    PERFORM tomkit.ledger_told(p_tenant, 'close', p_entry, 'ledger_closed', p_mac,
        int8send((extract(epoch FROM p_keep_until) * 1000000)::bigint));
    UPDATE tomkit.ledger_heads h SET closed_at = v_now WHERE h.tenant_id = p_tenant AND h.size = p_entry + 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ledger: stale head' USING ERRCODE = 'TKL01';
    END IF;
    INSERT INTO tomkit.ledger_closings VALUES (p_tenant, p_entry + 1, p_keep_until, v_now);
END $$;
-- +goose StatementEnd

-- Replaces the sealed form of private keys, not the keys: after the vault's key changed. Whatever has meanwhile another sealed
-- form is left alone.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_reseal(
    p_tenant uuid, p_generation integer, p_mac bytea, p_purposes text[], p_old text[], p_new text[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_seal bytea;
    v_rows bigint;
    v_more bigint;
BEGIN
    IF NOT tomkit.ledger_in_scope(p_tenant) THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(x'746b6c67'::integer, tomkit.ledger_lock_key(p_tenant));
    SELECT sha256(string_agg(sha256(convert_to(s.purpose, 'UTF8')) || sha256(convert_to(s.before, 'UTF8')) || sha256(convert_to(s.after, 'UTF8')),
        ''::bytea ORDER BY s.n)) INTO v_seal
    FROM unnest(p_purposes, p_old, p_new) WITH ORDINALITY AS s (purpose, before, after, n);
    PERFORM tomkit.ledger_admit(p_tenant, 'reseal', p_mac, int8send(p_generation) || v_seal);
    UPDATE tomkit.ledger_keys k SET sealed = s.after FROM unnest(p_purposes, p_old, p_new) AS s (purpose, before, after)
    WHERE k.tenant_id = p_tenant AND k.purpose = s.purpose AND k.sealed = s.before AND k.sealed <> '' AND s.after <> '';
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    UPDATE tomkit.ledger_heads h SET door_sealed = s.after FROM unnest(p_purposes, p_old, p_new) AS s (purpose, before, after)
    WHERE h.tenant_id = p_tenant AND s.purpose = 'door' AND h.door_sealed = s.before AND s.after <> '';
    GET DIAGNOSTICS v_more = ROW_COUNT;
    RETURN v_rows + v_more;
END $$;
-- +goose StatementEnd

-- Stores what an anchor gave for a checkpoint of the present epoch.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_anchored(
    p_tenant uuid, p_size bigint, p_mac bytea, p_anchor text, p_lines text, p_token bytea, p_at timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_epoch integer;
BEGIN
    IF NOT tomkit.ledger_in_scope(p_tenant) THEN
        RAISE EXCEPTION 'ledger: no context for this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM tomkit.ledger_admit(p_tenant, 'anchored', p_mac,
        int8send(p_size) || sha256(convert_to(p_anchor, 'UTF8')) || sha256(convert_to(p_lines, 'UTF8')) || sha256(p_token));
    SELECT max(l.epoch) INTO v_epoch FROM tomkit.ledger_logs l WHERE l.tenant_id = p_tenant;
    IF NOT EXISTS (SELECT FROM tomkit.ledger_checkpoints c WHERE c.tenant_id = p_tenant AND c.epoch = v_epoch AND c.size = p_size) THEN
        RAISE EXCEPTION 'ledger: evidence for no checkpoint' USING ERRCODE = 'TKL03';
    END IF;
    INSERT INTO tomkit.ledger_evidence VALUES (p_tenant, v_epoch, p_size, p_anchor, p_lines, p_token, p_at) ON CONFLICT DO NOTHING;
END $$;
-- +goose StatementEnd

-- Tenants whose newest checkpoint one of the anchors has not seen, for the process that submits. System login only.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_unanchored(p_anchors text[], p_limit integer) RETURNS TABLE (tenant_id uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF session_user <> 'tomkit_system' OR current_setting('app.bypass_rls', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'ledger: system scope only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY
    SELECT h.tenant_id FROM tomkit.ledger_heads h
    CROSS JOIN LATERAL (SELECT c.epoch, c.size FROM tomkit.ledger_checkpoints c
                        WHERE c.tenant_id = h.tenant_id ORDER BY c.epoch DESC, c.size DESC LIMIT 1) l
    WHERE (SELECT count(*) FROM tomkit.ledger_evidence e
           WHERE e.tenant_id = h.tenant_id AND e.epoch = l.epoch AND e.size = l.size AND e.anchor = ANY (p_anchors)) < cardinality(p_anchors)
    LIMIT p_limit;
END $$;
-- +goose StatementEnd

-- How far checkpoints and anchors lag behind, over all logs: the time of the oldest entry that no checkpoint covers, or none
-- that an anchor has seen, and the time of the newest one. anchor is empty for the checkpoints. System login only.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_health(p_anchors text[]) RETURNS TABLE (anchor text, logs bigint, behind timestamptz, newest timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF session_user <> 'tomkit_system' OR current_setting('app.bypass_rls', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'ledger: system scope only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY
    SELECT ''::text, count(*), min(a.created_at), max(c.created_at) FROM tomkit.ledger_heads h
    LEFT JOIN LATERAL (SELECT x.size, x.created_at FROM tomkit.ledger_checkpoints x
                       WHERE x.tenant_id = h.tenant_id ORDER BY x.epoch DESC, x.size DESC LIMIT 1) c ON true
    LEFT JOIN tomkit.audit_logs a ON a.tenant_id = h.tenant_id AND a.seq = coalesce(c.size, 0) AND a.seq < h.size
    UNION ALL
    SELECT n.name, count(*), min(a.created_at), max(e.created_at) FROM unnest(p_anchors) AS n (name)
    CROSS JOIN tomkit.ledger_heads h
    LEFT JOIN LATERAL (SELECT x.size, x.created_at FROM tomkit.ledger_evidence x
                       WHERE x.tenant_id = h.tenant_id AND x.anchor = n.name ORDER BY x.epoch DESC, x.size DESC LIMIT 1) e ON true
    LEFT JOIN tomkit.audit_logs a ON a.tenant_id = h.tenant_id AND a.seq = coalesce(e.size, 0) AND a.seq < h.size
    GROUP BY n.name;
END $$;
-- +goose StatementEnd

-- Removes the rows of a closed log that was kept long enough, at most about p_limit at a time, and returns how many: call it
-- until it returns 0. The operator's log must say so first, with the hash of the final checkpoint. Only for the migrator's login.
-- +goose StatementBegin
CREATE FUNCTION tomkit.ledger_purge(p_tenant uuid, p_operator uuid, p_entry bigint, p_limit bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_note text;
    v_rows bigint;
    v_sum  bigint := 0;
    v_end  bigint;
    t      text;
BEGIN
    IF session_user <> 'tomkit_migrator' THEN
        RAISE EXCEPTION 'ledger: the migrator''s login only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(x'746b6c67'::integer, tomkit.ledger_lock_key(p_tenant));
    IF NOT EXISTS (SELECT FROM tomkit.ledger_heads h WHERE h.tenant_id = p_tenant) THEN
        RETURN 0;
    END IF;
    IF NOT EXISTS (SELECT FROM tomkit.ledger_closings c WHERE c.tenant_id = p_tenant AND c.keep_until <= clock_timestamp()) THEN
        RAISE EXCEPTION 'ledger: the log is not closed, or has to be kept' USING ERRCODE = 'TKL09';
    END IF;
    SELECT c.note INTO v_note FROM tomkit.ledger_checkpoints c JOIN tomkit.ledger_closings e USING (tenant_id, size)
    WHERE c.tenant_id = p_tenant ORDER BY c.epoch DESC LIMIT 1;
    IF v_note IS NULL OR p_tenant = p_operator OR NOT EXISTS (
        SELECT FROM tomkit.audit_logs a WHERE a.tenant_id = p_operator AND a.seq = p_entry AND a.action = 'ledger_purged' AND a.class = 'critical'
          AND a.details::jsonb ->> 'checkpoint' = encode(sha256(convert_to(v_note, 'UTF8')), 'hex')) THEN
        RAISE EXCEPTION 'ledger: the operator''s log does not tell of this purge' USING ERRCODE = 'TKL03';
    END IF;
    FOREACH t IN ARRAY ARRAY['ledger_openings', 'ledger_redactions', 'audit_logs'] LOOP
        EXECUTE format('SELECT min(x.seq) + $2 FROM tomkit.%I x WHERE x.tenant_id = $1', t) INTO v_end USING p_tenant, p_limit;
        EXECUTE format('DELETE FROM tomkit.%I x WHERE x.tenant_id = $1 AND x.seq < $2', t) USING p_tenant, v_end;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        v_sum := v_sum + v_rows;
    END LOOP;
    IF v_sum > 0 THEN
        RETURN v_sum;
    END IF;
    FOREACH t IN ARRAY ARRAY['ledger_evidence', 'ledger_tiles', 'ledger_checkpoints', 'ledger_keys', 'ledger_logs', 'ledger_heads', 'ledger_closings'] LOOP
        EXECUTE format('DELETE FROM tomkit.%I x WHERE x.tenant_id = $1', t) USING p_tenant;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        v_sum := v_sum + v_rows;
    END LOOP;
    RETURN v_sum;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    f regprocedure;
BEGIN
    FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'tomkit'::regnamespace AND p.proowner = current_user::regrole
        AND p.proname IN ('ledger_told', 'ledger_erase', 'ledger_rotate', 'ledger_recover', 'ledger_close', 'ledger_reseal', 'ledger_anchored',
                          'ledger_unanchored', 'ledger_health', 'ledger_purge') LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
    END LOOP;
END $$;
-- +goose StatementEnd
GRANT EXECUTE ON FUNCTION
    tomkit.ledger_erase(uuid, bigint, bytea, bigint[], bytea[]),
    tomkit.ledger_rotate(uuid, bigint, bytea, integer, bytea, bytea, text, text[], text[], bytea[], text[], text[]),
    tomkit.ledger_recover(uuid, bigint, bytea, integer, text),
    tomkit.ledger_close(uuid, bigint, bytea, timestamptz),
    tomkit.ledger_reseal(uuid, integer, bytea, text[], text[], text[]),
    tomkit.ledger_anchored(uuid, bigint, bytea, text, text, bytea, timestamptz)
    TO tomkit_app, tomkit_system;
GRANT EXECUTE ON FUNCTION tomkit.ledger_unanchored(text[], integer), tomkit.ledger_health(text[]) TO tomkit_system;
GRANT EXECUTE ON FUNCTION tomkit.ledger_purge(uuid, uuid, bigint, bigint) TO tomkit_migrator;
