-- Acts that the archive checks by itself, and how it seals (ENF-051 IV.E.3). Audit signs what a person was allowed to
-- do, as it signs permits (0004_permit.sql): whoever controls the search process alone can neither make nor lift a hold.
SET LOCAL ROLE archive_owner;

CREATE TYPE archive.act AS (intent_id uuid, account_id text, agency_ori text);

-- A line of an act's canonical text (archive.canonical_line); an empty value has none, as it has no field in the log.
CREATE FUNCTION archive.act_line(name text, value text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN CASE WHEN value <> '' THEN archive.canonical_line(name, value) END;

-- A moment as acts write it, "2026-11-26T04:00:00.000000+00:00".
CREATE FUNCTION archive.act_moment(moment timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"');

-- Who does it, by `act/v1|intent|action|account|agency|digest|expires_us|MAC`; refuses any other act, other details, and
-- one that has ended. Whether it is genuine is for the caller to see, which has the key of its data set.
CREATE FUNCTION archive.act_fields(statement text, wanted_action text, canonical text) RETURNS archive.act
LANGUAGE plpgsql VOLATILE SET search_path = archive, pg_temp AS $$
DECLARE
    field text[] := string_to_array(statement, '|');
BEGIN
    IF (field[1] = 'act/v1' AND cardinality(field) = 8 AND field[3] = wanted_action
        AND field[6] = encode(sha256(convert_to(canonical, 'UTF8')), 'hex')
        AND archive.moment(field[7]::bigint) > clock_timestamp()) IS NOT TRUE THEN
        PERFORM archive.refuse();
    END IF;
    RETURN ROW (field[2]::uuid, field[4], field[5])::archive.act;
EXCEPTION
    WHEN data_exception THEN
        PERFORM archive.refuse();
END
$$;

-- Who does it, if audit has signed exactly this act; `lines` are archive.act_line of the resource, the case number's kind
-- and the case number, then of each detail in the order of their names. Refuses everything else.
CREATE FUNCTION archive.signed_act(statement text, wanted_action text, VARIADIC lines text[]) RETURNS archive.act
LANGUAGE plpgsql VOLATILE SET search_path = archive, pg_temp AS $$
BEGIN
    IF (octet_length(statement) <= 1000 AND substr(statement, length(statement) - 64, 1) = '|'
        AND archive.permit_is_genuine(left(statement, -65), right(statement, 64))) IS NOT TRUE THEN
        PERFORM archive.refuse();
    END IF;
    RETURN archive.act_fields(statement, wanted_action, array_to_string(lines, E'\n'));
END
$$;

-- HMAC-SHA-256 (RFC 2104) with a key of at most 64 bytes.
CREATE FUNCTION archive.hmac(key bytea, message bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN sha256(archive.hmac_block(key, 92) || sha256(archive.hmac_block(key, 54) || message));

-- `content` sealed with a key of 32 bytes: nonce (16 bytes), content XOR a stream, tag (32 bytes). Stream and tag have
-- keys of their own, HMAC(key, name || label || nonce); the stream is HMAC in counter mode (NIST SP 800-108), the tag is
-- HMAC of nonce and sealed content, so what was changed, or is of another label, does not open. services/search/core/
-- hold_seal.py opens it; tests/golden/held_seal.json holds both to one form. ADR-0028 says why it is not a library's.
CREATE FUNCTION archive.sealed(key bytea, label text, content bytea) RETURNS bytea
LANGUAGE plpgsql VOLATILE STRICT SET search_path = archive, pg_temp AS $$
BEGIN
    RETURN archive.sealed_with(key, label, content, uuid_send(gen_random_uuid()));
END
$$;

CREATE FUNCTION archive.sealed_with(key bytea, label text, content bytea, nonce bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = archive, pg_temp AS $$
DECLARE
    context bytea := convert_to('/' || label || '/', 'UTF8') || nonce;
    stream_key bytea := archive.hmac(key, 'stream'::bytea || context);
    inner_block bytea := archive.hmac_block(stream_key, 54);
    outer_block bytea := archive.hmac_block(stream_key, 92);
    stream bytea;
    hidden bytea;
BEGIN
    SELECT string_agg(sha256(outer_block || sha256(inner_block || int4send(n))), ''::bytea ORDER BY n)
      INTO stream
      FROM generate_series(0, (octet_length(content) - 1) / 32) AS n;
    -- Bytes as bits, for bits have an XOR; varbit_send writes their number (4 bytes), then the bytes.
    hidden := substr(varbit_send(('x' || encode(content, 'hex'))::varbit
                                 # ('x' || encode(substr(stream, 1, octet_length(content)), 'hex'))::varbit), 5);
    RETURN nonce || hidden || archive.hmac(archive.hmac(key, 'tag'::bytea || context), nonce || hidden);
END
$$;

-- What a data set knows a hold's key by.
CREATE FUNCTION archive.hold_key_digest(key bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN sha256('platewarden/hold-key/v1/'::bytea || key);

REVOKE ALL ON FUNCTION
    archive.act_line(text, text), archive.act_moment(timestamptz), archive.act_fields(text, text, text),
    archive.signed_act(text, text, text[]), archive.hmac(bytea, bytea), archive.sealed(bytea, text, bytea),
    archive.sealed_with(bytea, text, bytea, bytea), archive.hold_key_digest(bytea)
    FROM PUBLIC;
-- Forms that both data sets write alike; none of these looks into a table.
GRANT EXECUTE ON FUNCTION
    archive.act_line(text, text), archive.act_moment(timestamptz), archive.act_fields(text, text, text),
    archive.sealed(bytea, text, bytea), archive.hold_key_digest(bytea), archive.hmac(bytea, bytea),
    archive.sealed_with(bytea, text, bytea, bytea)
    TO motor_carrier_owner;

SET LOCAL ROLE motor_carrier_owner;

-- As archive.signed_act, by this data set's own key.
CREATE FUNCTION motor_carrier.signed_act(statement text, wanted_action text, VARIADIC lines text[]) RETURNS archive.act
LANGUAGE plpgsql VOLATILE SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    IF (octet_length(statement) <= 1000 AND substr(statement, length(statement) - 64, 1) = '|'
        AND motor_carrier.permit_is_genuine(left(statement, -65), right(statement, 64))) IS NOT TRUE THEN
        PERFORM archive.refuse();
    END IF;
    RETURN archive.act_fields(statement, wanted_action, array_to_string(lines, E'\n'));
END
$$;

RESET ROLE;
