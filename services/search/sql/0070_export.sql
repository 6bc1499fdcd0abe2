-- The full export of the reads that an agency owns (ENF-051 IV.A.3): page by page in the order of read ids, which is that
-- of their capture. Every page is a question of its own, and its permit is for its position, too.
SET LOCAL ROLE archive_owner;

CREATE FUNCTION archive.export_question(
    from_us bigint, to_us bigint, page_size integer, pictures boolean, after_read_id uuid
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN archive.general_question('export', from_us, to_us, page_size,
    archive.canonical_line('pictures', CASE WHEN pictures THEN 'yes' ELSE 'no' END),
    archive.canonical_line('after_read_id', after_read_id::text));

-- Puts the question "give me the next reads that this agency owns", its partners' and bought ones left out.
CREATE FUNCTION archive.find_export(
    permit text, from_us bigint, to_us bigint, page_size integer, pictures boolean, after_read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'export');
    rows_wanted integer := least(page_size, 5000);
    first_id uuid := coalesce(after_read_id, '00000000-0000-0000-0000-000000000000');
    -- A read id names its millisecond, so all after it are not earlier: partitions of earlier days are left out.
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_start(),
                                      archive.read_millisecond(first_id));
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    found_ids uuid[];
    found_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.export_question(
        from_us, to_us, page_size, pictures, after_read_id));
    SELECT array_agg(p.read_id ORDER BY p.read_id), array_agg(p.capture_time ORDER BY p.read_id)
      INTO found_ids, found_times
      FROM (SELECT r.read_id, r.capture_time
              FROM archive.read AS r
             WHERE r.read_id > first_id
               AND r.capture_time >= from_time AND r.capture_time < to_time
               AND r.provenance = 'OWN'
               AND r.agency_ori = ANY (opened.agency_oris)
               AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
             ORDER BY r.read_id LIMIT rows_wanted + 1) AS p;
    PERFORM archive.keep_answer(opened, found_ids[:rows_wanted], found_times[:rows_wanted],
                                coalesce(cardinality(found_ids), 0) > rows_wanted);
END
$$;

-- Where the pictures of a page are and what opens them, if the recorded question asked for pictures.
CREATE FUNCTION archive.export_pictures(
    permit text, from_us bigint, to_us bigint, page_size integer, pictures boolean, after_read_id uuid
) RETURNS TABLE (read_id uuid, image_sha256 bytea, image_day date, image_media_type text, image_size bigint,
                 image_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'export');
    kept archive.permit_used := archive.kept_answer(opened);
BEGIN
    PERFORM archive.require_question(opened, archive.export_question(
        from_us, to_us, page_size, pictures, after_read_id));
    IF pictures IS NOT TRUE THEN
        PERFORM archive.refuse();
    END IF;
    RETURN QUERY SELECT * FROM archive.pictures_of(kept.read_ids, kept.capture_times);
END
$$;

REVOKE ALL ON FUNCTION
    archive.export_question(bigint, bigint, integer, boolean, uuid),
    archive.find_export(text, bigint, bigint, integer, boolean, uuid),
    archive.export_pictures(text, bigint, bigint, integer, boolean, uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.find_export(text, bigint, bigint, integer, boolean, uuid),
    archive.export_pictures(text, bigint, bigint, integer, boolean, uuid)
    TO search_question;

RESET ROLE;
