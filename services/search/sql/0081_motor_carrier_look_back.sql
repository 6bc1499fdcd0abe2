-- Look-back over the Motor Carrier Safety data set, for changes of its own hot lists (ENF-051 II.D, II.H); put and
-- answered as in 0006_look_back.sql, with a permit of a kind and key of its own.
SET LOCAL ROLE motor_carrier_owner;

CREATE FUNCTION motor_carrier.look_back_question(
    intent_id uuid, changed_id uuid, match_revision bigint, from_us bigint, to_us bigint, plates text[],
    page_size integer, after_read_id uuid
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = motor_carrier, pg_temp
RETURN concat_ws(E'\n',
    archive.canonical_line('kind', 'mcslookback'),
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

-- Puts the question. No plates at all ask for reads of every plate; in the order of their ids.
CREATE FUNCTION motor_carrier.find_for_look_back(
    permit text, intent_id uuid, changed_id uuid, match_revision bigint, from_us bigint, to_us bigint, plates text[],
    page_size integer, after_read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcslookback');
    after_id uuid := coalesce(after_read_id, '00000000-0000-0000-0000-000000000000');
    first_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_of_all(),
                                       archive.read_millisecond(after_id));
    end_time timestamptz := least(archive.moment(to_us), opened.to_time);
    rows_wanted integer := least(page_size, 20000);
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, motor_carrier.look_back_question(
        intent_id, changed_id, match_revision, from_us, to_us, plates, page_size, after_read_id));
    SELECT array_agg(f.read_id), array_agg(f.capture_time)
      INTO read_ids, capture_times
      FROM (SELECT r.read_id, r.capture_time
              FROM motor_carrier.read AS r
             WHERE r.capture_time >= first_time AND r.capture_time < end_time
               AND r.read_id > after_id
               AND r.match_revision < find_for_look_back.match_revision
               AND (cardinality(plates) = 0 OR r.plate = ANY (plates))
               AND r.agency_ori = ANY (opened.agency_oris)
               AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
             ORDER BY r.read_id
             LIMIT rows_wanted + 1) AS f;
    PERFORM motor_carrier.keep_answer(opened, read_ids[:rows_wanted], capture_times[:rows_wanted],
                                      coalesce(cardinality(read_ids), 0) > rows_wanted);
END
$$;

CREATE FUNCTION motor_carrier.look_back_answer(permit text)
RETURNS TABLE (row_count integer, rows_digest bytea, has_more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, 'mcslookback');
BEGIN
    RETURN QUERY SELECT cardinality(kept.read_ids), motor_carrier.digest_of(kept.read_ids), kept.has_more;
END
$$;

CREATE FUNCTION motor_carrier.look_back_reads(permit text)
RETURNS TABLE (
    read_id uuid, capture_time timestamptz, receive_time timestamptz, plate text, sensor_id text, agency_ori text,
    sensor_group text, provenance text, latitude double precision, longitude double precision, place text,
    recognition bytea, model_version text, sender_read_id text, image_sha256 bytea, image_day date,
    image_media_type text, image_size bigint, match_revision bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, 'mcslookback');
    kept_ids uuid[] := kept.read_ids;
    first_time timestamptz := (SELECT min(t.moment) FROM unnest(kept.capture_times) AS t (moment));
    last_time timestamptz := (SELECT max(t.moment) FROM unnest(kept.capture_times) AS t (moment));
BEGIN
    RETURN QUERY
    SELECT r.read_id, r.capture_time, r.receive_time, r.plate, r.sensor_id, r.agency_ori,
           r.sensor_group, r.provenance, r.latitude, r.longitude, r.place,
           r.recognition, r.model_version, r.sender_read_id, r.image_sha256, r.image_day,
           r.image_media_type, r.image_size, r.match_revision
      FROM unnest(kept_ids) AS a (read_id)
      JOIN motor_carrier.read AS r ON r.read_id = a.read_id
     WHERE r.capture_time >= first_time AND r.capture_time <= last_time
     ORDER BY r.read_id;
END
$$;

GRANT EXECUTE ON FUNCTION
    motor_carrier.find_for_look_back(text, uuid, uuid, bigint, bigint, bigint, text[], integer, uuid),
    motor_carrier.look_back_answer(text),
    motor_carrier.look_back_reads(text)
    TO search_mcs_question;

RESET ROLE;
