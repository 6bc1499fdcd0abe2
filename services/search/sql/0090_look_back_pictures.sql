-- The pictures of reads that a look-back found and that match what the change of the hot lists brought: a hit has
-- pictures of its own, which outlast the read (ENF-051 II.D, IV.E.2). The permit stands in the name of whoever made the
-- change, as that of the look-back itself (0006_look_back.sql), and gives the keys of these reads' pictures alone.
SET LOCAL ROLE archive_owner;

-- Puts the question. `read_ids` are UUIDs joined by commas, as they stand in the log; at most 50.
CREATE FUNCTION archive.find_lookbackimage(
    permit text, from_us bigint, to_us bigint, page_size integer, intent_id text, changed_id text, read_ids text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_variable
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'lookbackimage');
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_start());
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    wanted uuid[];
    found_ids uuid[];
    found_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.general_question(
        'lookbackimage', from_us, to_us, page_size,
        archive.canonical_line('intent_id', archive.argument_value(intent_id)),
        archive.canonical_line('changed_id', archive.argument_value(changed_id)),
        archive.canonical_line('read_ids', archive.argument_value(read_ids))));
    wanted := (SELECT array_agg(DISTINCT w.one::uuid) FROM string_to_table(read_ids, ',') AS w (one));
    -- A read id names the millisecond of its capture, so each is looked up in one partition.
    SELECT array_agg(f.read_id ORDER BY f.read_id), array_agg(f.capture_time ORDER BY f.read_id)
      INTO found_ids, found_times
      FROM unnest(wanted[:least(page_size, 50)]) AS w (read_id)
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.capture_time FROM archive.read AS r
             WHERE r.read_id = w.read_id
               AND r.capture_time >= archive.read_millisecond(w.read_id)
               AND r.capture_time < archive.read_millisecond(w.read_id) + interval '1 millisecond'
               AND r.capture_time >= from_time AND r.capture_time < to_time
               AND r.agency_ori = ANY (opened.agency_oris)
               AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
             LIMIT 1) AS f;
    PERFORM archive.keep_answer(opened, found_ids, found_times, false);
END
$$;

-- Where the pictures of these reads are, what opens them, and where the plates are in them, in the order of read ids.
CREATE FUNCTION archive.lookbackimage_keys(permit text)
RETURNS TABLE (
    read_id uuid, image_sha256 bytea, image_day date, image_media_type text, image_size bigint, image_key bytea,
    recognition bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    kept archive.permit_used := archive.kept_answer(archive.opened_permit(permit, 'lookbackimage'));
BEGIN
    RETURN QUERY
    SELECT f.*
      FROM unnest(kept.read_ids, kept.capture_times) WITH ORDINALITY AS a (read_id, capture_time, n)
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.image_sha256, r.image_day, r.image_media_type, r.image_size, r.image_key, r.recognition
              FROM archive.read AS r
             WHERE r.read_id = a.read_id AND r.capture_time = a.capture_time
             LIMIT 1) AS f
     ORDER BY a.n;
END
$$;

REVOKE ALL ON FUNCTION
    archive.find_lookbackimage(text, bigint, bigint, integer, text, text, text),
    archive.lookbackimage_keys(text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.find_lookbackimage(text, bigint, bigint, integer, text, text, text),
    archive.lookbackimage_keys(text)
    TO search_question;

RESET ROLE;
