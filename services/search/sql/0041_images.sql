-- "Show me the picture of this read", by the general form (0008_general_questions.sql): put by find_image, its end
-- recorded as of any question, and only then its key given out.
SET LOCAL ROLE archive_owner;

DROP FUNCTION archive.find_image(text, uuid);
DROP FUNCTION archive.image_question(uuid);
DROP FUNCTION archive.image_key(text, uuid);

-- Puts the question. The read is found by the millisecond that its id names.
CREATE FUNCTION archive.find_image(permit text, from_us bigint, to_us bigint, page_size integer, read_id uuid)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'image');
    captured timestamptz := archive.read_millisecond(read_id);
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_start());
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('image', from_us, to_us, page_size,
        archive.canonical_line('read_id', read_id::text)));
    SELECT array_agg(r.read_id), array_agg(r.capture_time)
      INTO read_ids, capture_times
      FROM archive.read AS r
     WHERE r.read_id = find_image.read_id
       AND r.capture_time >= captured AND r.capture_time < captured + interval '1 millisecond'
       AND r.capture_time >= from_time AND r.capture_time < to_time
       AND r.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups));
    PERFORM archive.keep_answer(opened, read_ids, capture_times, false);
END
$$;

-- Where the picture of the read is, what opens it, and what the recogniser said of the plate's place in it; no row when
-- there is no such read in the permit's scope.
CREATE FUNCTION archive.image_key(permit text, read_id uuid)
RETURNS TABLE (image_sha256 bytea, image_day date, image_media_type text, image_size bigint, image_key bytea,
               recognition bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    kept archive.permit_used := archive.kept_answer(archive.opened_permit(permit, 'image'));
BEGIN
    RETURN QUERY
    SELECT r.image_sha256, r.image_day, r.image_media_type, r.image_size, r.image_key, r.recognition
      FROM archive.read AS r
     WHERE r.read_id = kept.read_ids[1] AND r.read_id = image_key.read_id AND r.capture_time = kept.capture_times[1];
END
$$;

-- As in 0008_general_questions.sql, for every kind: how many rows a picture's answer has is recorded, too. What is in an
-- answer is still for general_reads and general_computed to give, or for image_key.
CREATE OR REPLACE FUNCTION archive.general_answer(permit text, kind text, question text)
RETURNS TABLE (row_count integer, rows_digest bytea, has_more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, kind);
    kept archive.permit_used := archive.kept_answer(opened);
BEGIN
    PERFORM archive.require_question(opened, question);
    RETURN QUERY
    SELECT coalesce(kept.computed_rows, cardinality(kept.read_ids)),
           coalesce(kept.computed_digest,
                    sha256(coalesce((SELECT string_agg(uuid_send(a.read_id), ''::bytea ORDER BY a.n)
                                       FROM unnest(kept.read_ids) WITH ORDINALITY AS a (read_id, n)), ''::bytea))),
           kept.has_more;
END
$$;

REVOKE ALL ON FUNCTION
    archive.find_image(text, bigint, bigint, integer, uuid),
    archive.image_key(text, uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.find_image(text, bigint, bigint, integer, uuid),
    archive.image_key(text, uuid)
    TO search_question;

RESET ROLE;
