-- Look-back: reads that hot lists of before a change were compared with (ENF-051 II.D). Put and answered as the other
-- questions are (0005_questions.sql); its permit stands in the name of whoever made the change.
SET LOCAL ROLE archive_owner;

-- The canonical text of a look-back. No plates at all ask for reads of every plate.
CREATE FUNCTION archive.look_back_question(
    intent_id uuid, changed_id uuid, match_revision bigint, from_us bigint, to_us bigint, plates text[],
    page_size integer, after_read_id uuid
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN concat_ws(E'\n',
    archive.canonical_line('kind', 'lookback'),
    archive.canonical_line('intent_id', intent_id::text),
    archive.canonical_line('changed_id', changed_id::text),
    archive.canonical_line('match_revision', match_revision::text),
    archive.canonical_line('from_us', from_us::text),
    archive.canonical_line('to_us', to_us::text),
    archive.canonical_line('plate_count', cardinality(plates)::text),
    archive.canonical_line('plates_sha256',
                           encode(sha256(convert_to(array_to_string(plates, ',', '*'), 'UTF8')), 'hex')),
    archive.canonical_line('page_size', page_size::text),
    archive.canonical_line('after_read_id', after_read_id::text));

-- Reads of these plates by their index, in the order of their ids. Planned for each call: how many plates there are
-- decides how they are looked up, and a window of hours leaves two of ninety partitions.
CREATE FUNCTION archive.look_back_by_plate(
    plates text[], revision bigint, from_time timestamptz, to_time timestamptz, after_id uuid, agency_oris text[],
    sensor_groups text[], row_limit integer
) RETURNS TABLE (read_id uuid, capture_time timestamptz)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.read_id, r.capture_time
      FROM (SELECT DISTINCT u.plate COLLATE "C" AS plate FROM unnest(plates) AS u (plate)) AS wanted
      JOIN archive.read AS r ON r.plate = wanted.plate
     WHERE r.capture_time >= from_time AND r.capture_time < to_time
       AND r.read_id > after_id
       AND r.match_revision < revision
       AND r.agency_ori = ANY (agency_oris)
       AND (cardinality(sensor_groups) = 0 OR r.sensor_group = ANY (sensor_groups))
     ORDER BY r.read_id
     LIMIT row_limit;
END
$$;

-- All reads, in the order of their ids, which is that of their captures. `after_id` names a millisecond, too, so that
-- a further page does not look at the days before it.
CREATE FUNCTION archive.look_back_at_all(
    revision bigint, from_time timestamptz, to_time timestamptz, after_id uuid, agency_oris text[],
    sensor_groups text[], row_limit integer
) RETURNS TABLE (read_id uuid, capture_time timestamptz)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    first_time timestamptz := greatest(from_time, archive.read_millisecond(after_id));
BEGIN
    RETURN QUERY
    SELECT r.read_id, r.capture_time
      FROM archive.read AS r
     WHERE r.capture_time >= first_time AND r.capture_time < to_time
       AND r.read_id > after_id
       AND r.match_revision < revision
       AND r.agency_ori = ANY (agency_oris)
       AND (cardinality(sensor_groups) = 0 OR r.sensor_group = ANY (sensor_groups))
     ORDER BY r.read_id
     LIMIT row_limit;
END
$$;

-- Puts the question. Arguments as in the permit's question.
CREATE FUNCTION archive.find_for_look_back(
    permit text, intent_id uuid, changed_id uuid, match_revision bigint, from_us bigint, to_us bigint, plates text[],
    page_size integer, after_read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'lookback');
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_start());
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    after_id uuid := coalesce(after_read_id, '00000000-0000-0000-0000-000000000000');
    rows_wanted integer := least(page_size, 20000);
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.look_back_question(
        intent_id, changed_id, match_revision, from_us, to_us, plates, page_size, after_read_id));
    IF cardinality(plates) = 0 THEN
        SELECT array_agg(p.read_id), array_agg(p.capture_time)
          INTO read_ids, capture_times
          FROM archive.look_back_at_all(match_revision, from_time, to_time, after_id, opened.agency_oris,
                                        opened.sensor_groups, rows_wanted + 1) AS p;
    ELSE
        SELECT array_agg(p.read_id), array_agg(p.capture_time)
          INTO read_ids, capture_times
          FROM archive.look_back_by_plate(plates, match_revision, from_time, to_time, after_id, opened.agency_oris,
                                          opened.sensor_groups, rows_wanted + 1) AS p;
    END IF;
    PERFORM archive.keep_answer(opened, read_ids[:rows_wanted], capture_times[:rows_wanted],
                                coalesce(cardinality(read_ids), 0) > rows_wanted);
END
$$;

-- How many reads the permit's answer has, the SHA-256 of their ids in order, and whether there are later ones.
CREATE FUNCTION archive.look_back_answer(permit text)
RETURNS TABLE (row_count integer, rows_digest bytea, has_more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    kept archive.permit_used := archive.kept_answer(archive.opened_permit(permit, 'lookback'));
BEGIN
    RETURN QUERY
    SELECT cardinality(kept.read_ids),
           sha256(coalesce((SELECT string_agg(uuid_send(a.read_id), ''::bytea ORDER BY a.n)
                              FROM unnest(kept.read_ids) WITH ORDINALITY AS a (read_id, n)), ''::bytea)),
           kept.has_more;
END
$$;

-- The reads of the answer, in its order, without their image keys, each with the revision that it was compared at.
-- Thousands at once: planned for the days that they are of, and joined as a whole.
CREATE FUNCTION archive.look_back_reads(permit text)
RETURNS TABLE (
    read_id uuid, capture_time timestamptz, receive_time timestamptz, plate text, sensor_id text, agency_ori text,
    sensor_group text, provenance text, latitude double precision, longitude double precision, place text,
    recognition bytea, model_version text, sender_read_id text, image_sha256 bytea, image_day date,
    image_media_type text, image_size bigint, match_revision bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    kept archive.permit_used := archive.kept_answer(archive.opened_permit(permit, 'lookback'));
    kept_ids uuid[] := kept.read_ids;
    first_time timestamptz := (SELECT min(t.moment) FROM unnest(kept.capture_times) AS t (moment));
    last_time timestamptz := (SELECT max(t.moment) FROM unnest(kept.capture_times) AS t (moment));
BEGIN
    -- A read id is in the archive once, so the order of the answer is the order of the ids.
    RETURN QUERY
    SELECT r.read_id, r.capture_time, r.receive_time, r.plate, r.sensor_id, r.agency_ori,
           r.sensor_group, r.provenance, r.latitude, r.longitude, r.place,
           r.recognition, r.model_version, r.sender_read_id, r.image_sha256, r.image_day,
           r.image_media_type, r.image_size, r.match_revision
      FROM unnest(kept_ids) AS a (read_id)
      JOIN archive.read AS r ON r.read_id = a.read_id
     WHERE r.capture_time >= first_time AND r.capture_time <= last_time
     ORDER BY r.read_id;
END
$$;

REVOKE ALL ON FUNCTION
    archive.look_back_question(uuid, uuid, bigint, bigint, bigint, text[], integer, uuid),
    archive.look_back_by_plate(text[], bigint, timestamptz, timestamptz, uuid, text[], text[], integer),
    archive.look_back_at_all(bigint, timestamptz, timestamptz, uuid, text[], text[], integer),
    archive.find_for_look_back(text, uuid, uuid, bigint, bigint, bigint, text[], integer, uuid),
    archive.look_back_answer(text),
    archive.look_back_reads(text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.find_for_look_back(text, uuid, uuid, bigint, bigint, bigint, text[], integer, uuid),
    archive.look_back_answer(text),
    archive.look_back_reads(text)
    TO search_question;

RESET ROLE;
