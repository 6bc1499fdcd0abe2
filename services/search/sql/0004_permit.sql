-- Permits: audit makes them, the archive checks them. Form and canonical text of questions: README, "Permits".
SET LOCAL ROLE archive_owner;

-- The key block of HMAC (RFC 2104): the key, filled up with zeros to 64 bytes, each byte XOR `pad`.
CREATE FUNCTION archive.hmac_block(key bytea, pad integer) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = archive, pg_temp AS $$
DECLARE
    block bytea := key || decode(repeat('00', 64 - octet_length(key)), 'hex');
BEGIN
    FOR place IN 0..63 LOOP
        block := set_byte(block, place, get_byte(block, place) # pad);
    END LOOP;
    RETURN block;
END
$$;

-- Written by the migration command from the file that audit reads too. A second row is a key that audit is
-- about to use or has just ceased to use. The blocks are kept so that a check costs two hashes and no loop.
CREATE TABLE archive.permit_key (
    key bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    inner_block bytea NOT NULL GENERATED ALWAYS AS (archive.hmac_block(key, 54)) STORED,
    outer_block bytea NOT NULL GENERATED ALWAYS AS (archive.hmac_block(key, 92)) STORED
);

-- Permits that were used, each with the one answer it gave: ids only, no plate, no place.
CREATE TABLE archive.permit_used (
    permit_id uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    kind text NOT NULL,
    question_digest text NOT NULL,
    used_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    read_ids uuid[] NOT NULL,
    capture_times timestamptz[] NOT NULL,
    has_more boolean NOT NULL
);
CREATE INDEX permit_used_by_expiry ON archive.permit_used (expires_at);

CREATE TYPE archive.permit AS (
    permit_id uuid,
    kind text,
    question_digest text,
    agency_oris text[],
    sensor_groups text[],
    from_time timestamptz,
    to_time timestamptz,
    expires_at timestamptz
);

-- One sentence for every reason: the caller shall not learn what was wrong with a forged permit.
CREATE FUNCTION archive.refuse() RETURNS void
LANGUAGE plpgsql SET search_path = archive, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the permit does not allow this' USING ERRCODE = '42501';
END
$$;

CREATE FUNCTION archive.moment(microseconds bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN timestamptz 'epoch' + microseconds * interval '1 microsecond';

-- One line of the canonical text of a question; an absent value is an empty one.
CREATE FUNCTION archive.canonical_line(name text, value text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN name || ':' || octet_length(convert_to(coalesce(value, ''), 'UTF8')) || ':' || coalesce(value, '');

CREATE FUNCTION archive.permit_is_genuine(body text, mac text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = archive, pg_temp
-- Both sides are hashed with the key before they are compared, so the time that the comparison takes says
-- nothing about the MAC that would have been right.
RETURN coalesce((
    SELECT bool_or(
        sha256(k.key || convert_to(mac, 'UTF8')) = sha256(k.key || convert_to(encode(
            sha256(k.outer_block || sha256(k.inner_block || convert_to(body, 'UTF8'))), 'hex'), 'UTF8')))
      FROM archive.permit_key AS k), false);

-- The fields of a permit, which nobody may trust before it is known to be genuine.
CREATE FUNCTION archive.permit_fields(permit text) RETURNS archive.permit
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp AS $$
DECLARE
    field text[] := string_to_array(permit, '|');
BEGIN
    RETURN ROW (field[2]::uuid, field[4], field[5], string_to_array(field[6], ','),
                string_to_array(field[7], ','), archive.moment(field[8]::bigint),
                archive.moment(field[9]::bigint), archive.moment(field[10]::bigint))::archive.permit;
END
$$;

-- The contents of a genuine, live permit of the kind asked for; refuses every other. Whether its question is the
-- one that is being put, and whether it was used before, is for the caller to see.
CREATE FUNCTION archive.opened_permit(permit text, wanted_kind text) RETURNS archive.permit
LANGUAGE plpgsql VOLATILE SET search_path = archive, pg_temp AS $$
DECLARE
    body text := left(permit, -65);
    opened archive.permit;
BEGIN
    IF (octet_length(permit) <= 16384 AND substr(permit, length(permit) - 64, 1) = '|'
        AND archive.permit_is_genuine(body, right(permit, 64))
        AND starts_with(body, 'v1|') AND cardinality(string_to_array(body, '|')) = 10) IS NOT TRUE THEN
        PERFORM archive.refuse();
    END IF;
    opened := archive.permit_fields(permit);
    IF (opened.kind = wanted_kind AND opened.expires_at > clock_timestamp()) IS NOT TRUE THEN
        PERFORM archive.refuse();
    END IF;
    RETURN opened;
EXCEPTION
    -- A genuine permit whose fields cannot be parsed: audit's fault, and no reason to say more.
    WHEN data_exception THEN
        PERFORM archive.refuse();
END
$$;

-- Refuses a question that is not the permit's.
CREATE FUNCTION archive.require_question(opened archive.permit, canonical text) RETURNS void
LANGUAGE plpgsql SET search_path = archive, pg_temp AS $$
BEGIN
    IF encode(sha256(convert_to(canonical, 'UTF8')), 'hex') IS DISTINCT FROM opened.question_digest THEN
        PERFORM archive.refuse();
    END IF;
END
$$;

-- Keeps the permit's one answer; refuses a permit that has one already.
CREATE FUNCTION archive.keep_answer(
    opened archive.permit, read_ids uuid[], capture_times timestamptz[], has_more boolean
) RETURNS void
LANGUAGE plpgsql SET search_path = archive, pg_temp AS $$
BEGIN
    INSERT INTO archive.permit_used (
        permit_id, expires_at, kind, question_digest, read_ids, capture_times, has_more)
    VALUES (opened.permit_id, opened.expires_at, opened.kind, opened.question_digest, coalesce(keep_answer.read_ids, '{}'),
            coalesce(keep_answer.capture_times, '{}'), keep_answer.has_more)
        ON CONFLICT (permit_id) DO NOTHING;
    IF NOT FOUND THEN
        PERFORM archive.refuse();
    END IF;
END
$$;

-- The answer that a permit gave. Refused until the transaction that used the permit has committed: whoever rolls
-- back has seen nothing, and whoever has seen anything has used the permit up for good.
CREATE FUNCTION archive.kept_answer(opened archive.permit) RETURNS archive.permit_used
LANGUAGE plpgsql VOLATILE SET search_path = archive, pg_temp AS $$
DECLARE
    kept archive.permit_used;
BEGIN
    SELECT u.* INTO kept
      FROM archive.permit_used AS u
     WHERE u.permit_id = opened.permit_id AND u.kind = opened.kind
       AND u.question_digest = opened.question_digest
       AND u.used_by IS DISTINCT FROM pg_current_xact_id_if_assigned();
    IF NOT FOUND THEN
        PERFORM archive.refuse();
    END IF;
    RETURN kept;
END
$$;

-- Forgets permits that ended over an hour ago, and gives their number. They are refused as expired anyway.
CREATE FUNCTION archive.forget_expired_permits() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    DELETE FROM archive.permit_used WHERE expires_at < clock_timestamp() - interval '1 hour';
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA archive FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.forget_expired_permits() TO search_purge;

RESET ROLE;
