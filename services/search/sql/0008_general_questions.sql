-- One form for every question to the archive: archive.find_<kind>(permit, from_us, to_us, page_size, arguments) puts it
-- in one transaction, archive.general_answer says how it came out, and archive.general_reads or
-- archive.general_computed gives the answer, each in a later one (0004_permit.sql says why).
--
-- A function find_<kind> is SECURITY DEFINER, granted to search_question alone, and does this and nothing else:
--
--     opened archive.permit := archive.opened_permit(permit, '<kind>');
--     PERFORM archive.require_question(opened, archive.general_question('<kind>', from_us, to_us, page_size,
--         archive.canonical_line('<name>', archive.argument_value(<value as text>)), ...));
--     read from greatest(archive.moment(from_us), opened.from_time, archive.retention_start()), inclusive,
--       to least(archive.moment(to_us), opened.to_time), exclusive, and only rows of the scope:
--         r.agency_ori = ANY (opened.agency_oris)
--         AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
--     PERFORM archive.keep_answer(...) or archive.keep_computed(...);
SET LOCAL ROLE archive_owner;

-- A value as it stands in the canonical text: itself, or its SHA-256 when it is too long to be recorded
-- (services/common/canonical.py, argument_value).
CREATE FUNCTION archive.argument_value(value text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN CASE WHEN length(value) > 2000 THEN encode(sha256(convert_to(value, 'UTF8')), 'hex') ELSE value END;

-- The canonical text of a question; `lines` are those of its arguments (archive.canonical_line), in their order.
CREATE FUNCTION archive.general_question(
    kind text, from_us bigint, to_us bigint, page_size integer, VARIADIC lines text[]
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN concat_ws(E'\n',
    archive.canonical_line('kind', kind),
    archive.canonical_line('from_us', from_us::text),
    archive.canonical_line('to_us', to_us::text),
    archive.canonical_line('page_size', page_size::text),
    nullif(array_to_string(lines, E'\n'), ''));

-- An answer that was computed from reads has no read ids: its rows and the SHA-256 of its text stand here.
ALTER TABLE archive.permit_used ADD COLUMN computed_rows integer;
ALTER TABLE archive.permit_used ADD COLUMN computed_digest bytea;

-- The texts of such answers. They hold plates and places, so they are unlogged: no backup and no standby ever has one.
-- After a crash they are gone, and the question is asked anew.
CREATE UNLOGGED TABLE archive.computed_answer (
    permit_id uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    answer text NOT NULL
);

-- Keeps the permit's one answer, which was computed from reads; refuses a permit that has one already. `answer` is JSON
-- as text, given out to the letter.
CREATE FUNCTION archive.keep_computed(
    opened archive.permit, answer text, row_count integer, has_more boolean
) RETURNS void
LANGUAGE plpgsql SET search_path = archive, pg_temp AS $$
BEGIN
    PERFORM archive.keep_answer(opened, '{}', '{}', has_more);
    UPDATE archive.permit_used AS u
       SET computed_rows = keep_computed.row_count, computed_digest = sha256(convert_to(answer, 'UTF8'))
     WHERE u.permit_id = opened.permit_id;
    INSERT INTO archive.computed_answer (permit_id, expires_at, answer)
    VALUES (opened.permit_id, opened.expires_at, keep_computed.answer);
END
$$;

-- What the permit kept, for questions of the general form only: a picture's permit gives its picture's key, and a
-- look-back's is answered by functions of its own.
CREATE FUNCTION archive.general_kept(permit text, kind text) RETURNS archive.permit_used
LANGUAGE plpgsql VOLATILE SET search_path = archive, pg_temp AS $$
BEGIN
    IF kind LIKE '%image' OR kind = 'lookback' THEN
        PERFORM archive.refuse();
    END IF;
    RETURN archive.kept_answer(archive.opened_permit(permit, kind));
END
$$;

-- How many rows the answer to this question has, the digest of what leaves (of the read ids in their order, or of the
-- computed text), and whether there is more. `question` is its canonical text, so that nobody is given the answer of
-- another one.
CREATE FUNCTION archive.general_answer(permit text, kind text, question text)
RETURNS TABLE (row_count integer, rows_digest bytea, has_more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    kept archive.permit_used := archive.general_kept(permit, kind);
BEGIN
    PERFORM archive.require_question(archive.opened_permit(permit, kind), question);
    RETURN QUERY
    SELECT coalesce(kept.computed_rows, cardinality(kept.read_ids)),
           coalesce(kept.computed_digest,
                    sha256(coalesce((SELECT string_agg(uuid_send(a.read_id), ''::bytea ORDER BY a.n)
                                       FROM unnest(kept.read_ids) WITH ORDINALITY AS a (read_id, n)), ''::bytea))),
           kept.has_more;
END
$$;

-- The reads of the answer, in its order, without their image keys. LIMIT keeps each a look-up in one partition.
CREATE FUNCTION archive.general_reads(permit text, kind text)
RETURNS TABLE (
    read_id uuid, capture_time timestamptz, receive_time timestamptz, plate text, sensor_id text, agency_ori text,
    sensor_group text, provenance text, latitude double precision, longitude double precision, place text,
    recognition bytea, model_version text, sender_read_id text, image_sha256 bytea, image_day date,
    image_media_type text, image_size bigint, state text, confidence real)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    kept archive.permit_used := archive.general_kept(permit, kind);
BEGIN
    RETURN QUERY
    SELECT f.*
      FROM unnest(kept.read_ids, kept.capture_times) WITH ORDINALITY AS a (read_id, capture_time, n)
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.capture_time, r.receive_time, r.plate, r.sensor_id, r.agency_ori,
                   r.sensor_group, r.provenance, r.latitude, r.longitude, r.place,
                   r.recognition, r.model_version, r.sender_read_id, r.image_sha256, r.image_day,
                   r.image_media_type, r.image_size, r.state, r.confidence
              FROM archive.read AS r
             WHERE r.read_id = a.read_id AND r.capture_time = a.capture_time
             LIMIT 1) AS f
     ORDER BY a.n;
END
$$;

-- The computed answer's text, no row when it is not there any more.
CREATE FUNCTION archive.general_computed(permit text, kind text) RETURNS TABLE (answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    kept archive.permit_used := archive.general_kept(permit, kind);
BEGIN
    RETURN QUERY SELECT c.answer FROM archive.computed_answer AS c WHERE c.permit_id = kept.permit_id;
END
$$;

-- Forgets permits that ended over an hour ago, and gives their number; computed answers as soon as their permit has
-- ended.
CREATE OR REPLACE FUNCTION archive.forget_expired_permits() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    DELETE FROM archive.computed_answer WHERE expires_at < clock_timestamp();
    DELETE FROM archive.permit_used WHERE expires_at < clock_timestamp() - interval '1 hour';
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;

-- "Where was this plate?", newest first; in the place of archive.find_plate and its company.
CREATE FUNCTION archive.find_reads(
    permit text, from_us bigint, to_us bigint, page_size integer, plate text, before_us bigint, before_read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'reads');
    rows_wanted integer := least(page_size, 1000);
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('reads', from_us, to_us, page_size,
        archive.canonical_line('plate', archive.argument_value(plate)),
        archive.canonical_line('before_us', before_us::text),
        archive.canonical_line('before_read_id', before_read_id::text)));
    SELECT array_agg(p.read_id), array_agg(p.capture_time)
      INTO read_ids, capture_times
      FROM archive.plate_page(
               plate,
               greatest(archive.moment(from_us), opened.from_time, archive.retention_start()),
               least(archive.moment(to_us), opened.to_time),
               coalesce(archive.moment(before_us), 'infinity'),
               coalesce(before_read_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
               opened.agency_oris, opened.sensor_groups, rows_wanted + 1) AS p;
    PERFORM archive.keep_answer(opened, read_ids[:rows_wanted], capture_times[:rows_wanted],
                                coalesce(cardinality(read_ids), 0) > rows_wanted);
END
$$;

DROP FUNCTION archive.find_plate(text, text, bigint, bigint, integer, bigint, uuid);
DROP FUNCTION archive.plate_answer(text, text, bigint, bigint, integer, bigint, uuid);
DROP FUNCTION archive.found_reads(text);
DROP FUNCTION archive.plate_question(text, bigint, bigint, integer, bigint, uuid);

REVOKE ALL ON FUNCTION
    archive.argument_value(text),
    archive.general_question(text, bigint, bigint, integer, text[]),
    archive.keep_computed(archive.permit, text, integer, boolean),
    archive.general_kept(text, text),
    archive.general_answer(text, text, text),
    archive.general_reads(text, text),
    archive.general_computed(text, text),
    archive.find_reads(text, bigint, bigint, integer, text, bigint, uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.general_answer(text, text, text),
    archive.general_reads(text, text),
    archive.general_computed(text, text),
    archive.find_reads(text, bigint, bigint, integer, text, bigint, uuid)
    TO search_question;

RESET ROLE;
