-- The full export of the reads of Motor Carrier Safety that an agency owns (ENF-051 II.H, IV.A.3): as that of the archive
-- (0070_export.sql), by permits of this house.
SET LOCAL ROLE motor_carrier_owner;

CREATE FUNCTION motor_carrier.export_question(
    from_us bigint, to_us bigint, page_size integer, pictures boolean, after_read_id uuid
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = motor_carrier, pg_temp
RETURN archive.general_question('mcsexport', from_us, to_us, page_size,
    archive.canonical_line('pictures', CASE WHEN pictures THEN 'yes' ELSE 'no' END),
    archive.canonical_line('after_read_id', after_read_id::text));

-- Puts the question "give me the next reads that this agency owns".
CREATE FUNCTION motor_carrier.find_mcsexport(
    permit text, from_us bigint, to_us bigint, page_size integer, pictures boolean, after_read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsexport');
    rows_wanted integer := least(page_size, 5000);
    first_id uuid := coalesce(after_read_id, '00000000-0000-0000-0000-000000000000');
    -- A read id names its millisecond, so all after it are not earlier: partitions of earlier days are left out.
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_of_all(),
                                      archive.read_millisecond(first_id));
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    found_ids uuid[];
    found_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, motor_carrier.export_question(
        from_us, to_us, page_size, pictures, after_read_id));
    SELECT array_agg(p.read_id ORDER BY p.read_id), array_agg(p.capture_time ORDER BY p.read_id)
      INTO found_ids, found_times
      FROM (SELECT r.read_id, r.capture_time
              FROM motor_carrier.read AS r
             WHERE r.read_id > first_id
               AND r.capture_time >= from_time AND r.capture_time < to_time
               AND r.provenance = 'OWN'
               AND r.agency_ori = ANY (opened.agency_oris)
               AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
             ORDER BY r.read_id LIMIT rows_wanted + 1) AS p;
    PERFORM motor_carrier.keep_answer(opened, found_ids[:rows_wanted], found_times[:rows_wanted],
                                      coalesce(cardinality(found_ids), 0) > rows_wanted);
END
$$;

-- Where the pictures of a page are and what opens them, if the recorded question asked for pictures.
CREATE FUNCTION motor_carrier.export_pictures(
    permit text, from_us bigint, to_us bigint, page_size integer, pictures boolean, after_read_id uuid
) RETURNS TABLE (read_id uuid, image_sha256 bytea, image_day date, image_media_type text, image_size bigint,
                 image_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
#variable_conflict use_column
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsexport');
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, 'mcsexport');
BEGIN
    PERFORM archive.require_question(opened, motor_carrier.export_question(
        from_us, to_us, page_size, pictures, after_read_id));
    IF pictures IS NOT TRUE THEN
        PERFORM archive.refuse();
    END IF;
    RETURN QUERY SELECT * FROM motor_carrier.pictures_of(kept.read_ids, kept.capture_times);
END
$$;

GRANT EXECUTE ON FUNCTION
    motor_carrier.find_mcsexport(text, bigint, bigint, integer, boolean, uuid),
    motor_carrier.export_pictures(text, bigint, bigint, integer, boolean, uuid)
    TO search_mcs_question;

RESET ROLE;
