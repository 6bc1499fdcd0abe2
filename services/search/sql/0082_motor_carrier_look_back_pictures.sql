-- The pictures of reads that a look-back over the Motor Carrier Safety data set found and that match what the change
-- brought; as in 0090_look_back_pictures.sql, with a permit of a kind and key of its own.
SET LOCAL ROLE motor_carrier_owner;

-- Puts the question. `read_ids` are UUIDs joined by commas, as they stand in the log; at most 50.
CREATE FUNCTION motor_carrier.find_mcslookbackimage(
    permit text, from_us bigint, to_us bigint, page_size integer, intent_id text, changed_id text, read_ids text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_variable
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcslookbackimage');
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_of_all());
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    wanted uuid[];
    found_ids uuid[];
    found_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.general_question(
        'mcslookbackimage', from_us, to_us, page_size,
        archive.canonical_line('intent_id', archive.argument_value(intent_id)),
        archive.canonical_line('changed_id', archive.argument_value(changed_id)),
        archive.canonical_line('read_ids', archive.argument_value(read_ids))));
    wanted := (SELECT array_agg(DISTINCT w.one::uuid) FROM string_to_table(read_ids, ',') AS w (one));
    SELECT array_agg(f.read_id ORDER BY f.read_id), array_agg(f.capture_time ORDER BY f.read_id)
      INTO found_ids, found_times
      FROM unnest(wanted[:least(page_size, 50)]) AS w (read_id)
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.capture_time FROM motor_carrier.read AS r
             WHERE r.read_id = w.read_id
               AND r.capture_time >= archive.read_millisecond(w.read_id)
               AND r.capture_time < archive.read_millisecond(w.read_id) + interval '1 millisecond'
               AND r.capture_time >= from_time AND r.capture_time < to_time
               AND r.agency_ori = ANY (opened.agency_oris)
               AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
             LIMIT 1) AS f;
    PERFORM motor_carrier.keep_answer(opened, found_ids, found_times, false);
END
$$;

-- Where the pictures of these reads are, what opens them, and where the plates are in them, in the order of read ids.
CREATE FUNCTION motor_carrier.mcslookbackimage_keys(permit text)
RETURNS TABLE (
    read_id uuid, image_sha256 bytea, image_day date, image_media_type text, image_size bigint, image_key bytea,
    recognition bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, 'mcslookbackimage');
BEGIN
    RETURN QUERY
    SELECT f.*
      FROM unnest(kept.read_ids, kept.capture_times) WITH ORDINALITY AS a (read_id, capture_time, n)
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.image_sha256, r.image_day, r.image_media_type, r.image_size, r.image_key, r.recognition
              FROM motor_carrier.read AS r
             WHERE r.read_id = a.read_id AND r.capture_time = a.capture_time
             LIMIT 1) AS f
     ORDER BY a.n;
END
$$;

GRANT EXECUTE ON FUNCTION
    motor_carrier.find_mcslookbackimage(text, bigint, bigint, integer, text, text, text),
    motor_carrier.mcslookbackimage_keys(text)
    TO search_mcs_question;

RESET ROLE;
