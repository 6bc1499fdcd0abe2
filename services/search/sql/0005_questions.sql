-- The questions that the archive answers. Each is put in one transaction, which uses its permit and keeps the
-- answer's read ids, and answered in a later one, which sees them only if the first has committed.
SET LOCAL ROLE archive_owner;

-- One page of a plate's reads, newest first, and one row more if there is one. In a function of its own so that
-- archive.warm_up can have it planned; a plan over three months of partitions takes longer than the question.
CREATE FUNCTION archive.plate_page(
    wanted_plate text, from_time timestamptz, to_time timestamptz, before_time timestamptz, before_id uuid,
    agency_oris text[], sensor_groups text[], row_limit integer
) RETURNS TABLE (read_id uuid, capture_time timestamptz)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.read_id, r.capture_time
      FROM archive.read AS r
     WHERE r.plate = wanted_plate
       AND r.capture_time >= from_time AND r.capture_time < to_time
       AND r.capture_time <= before_time  -- for pruning, which does not look into the comparison of rows below
       AND (r.capture_time, r.read_id) < (before_time, before_id)
       AND r.agency_ori = ANY (agency_oris)
       AND (cardinality(sensor_groups) = 0 OR r.sensor_group = ANY (sensor_groups))
     ORDER BY r.capture_time DESC, r.read_id DESC
     LIMIT row_limit;
END
$$;

-- The canonical text of a plate question, as audit makes it (services/common/canonical.py).
CREATE FUNCTION archive.plate_question(
    plate text, from_us bigint, to_us bigint, page_size integer, before_us bigint, before_read_id uuid
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN concat_ws(E'\n',
    archive.canonical_line('kind', 'plate'),
    archive.canonical_line('plate', plate),
    archive.canonical_line('from_us', from_us::text),
    archive.canonical_line('to_us', to_us::text),
    archive.canonical_line('page_size', page_size::text),
    archive.canonical_line('before_us', before_us::text),
    archive.canonical_line('before_read_id', before_read_id::text));

-- Puts the question "where was this plate?" (ENF-051 IV.C.5, IV.E.1). Arguments as in the permit's question.
CREATE FUNCTION archive.find_plate(
    permit text, plate text, from_us bigint, to_us bigint, page_size integer, before_us bigint, before_read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'plate');
    rows_wanted integer := least(page_size, 1000);
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.plate_question(
        plate, from_us, to_us, page_size, before_us, before_read_id));
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

-- How many reads the answer to this question has, the SHA-256 of their ids in order, and whether there are older
-- ones. The question again, so that nobody is given the answer of another one.
CREATE FUNCTION archive.plate_answer(
    permit text, plate text, from_us bigint, to_us bigint, page_size integer, before_us bigint, before_read_id uuid
) RETURNS TABLE (row_count integer, rows_digest bytea, has_more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'plate');
    kept archive.permit_used := archive.kept_answer(opened);
BEGIN
    PERFORM archive.require_question(opened, archive.plate_question(
        plate, from_us, to_us, page_size, before_us, before_read_id));
    RETURN QUERY
    SELECT cardinality(kept.read_ids),
           sha256(coalesce((SELECT string_agg(uuid_send(a.read_id), ''::bytea ORDER BY a.n)
                              FROM unnest(kept.read_ids) WITH ORDINALITY AS a (read_id, n)), ''::bytea)),
           kept.has_more;
END
$$;

-- The reads of the answer, in its order, without their image keys. LIMIT keeps each a look-up in one partition.
CREATE FUNCTION archive.found_reads(permit text)
RETURNS TABLE (
    read_id uuid, capture_time timestamptz, receive_time timestamptz, plate text, sensor_id text, agency_ori text,
    sensor_group text, provenance text, latitude double precision, longitude double precision, place text,
    recognition bytea, model_version text, sender_read_id text, image_sha256 bytea, image_day date,
    image_media_type text, image_size bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    kept archive.permit_used := archive.kept_answer(archive.opened_permit(permit, 'plate'));
BEGIN
    RETURN QUERY
    SELECT f.*
      FROM unnest(kept.read_ids, kept.capture_times) WITH ORDINALITY AS a (read_id, capture_time, n)
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.capture_time, r.receive_time, r.plate, r.sensor_id, r.agency_ori,
                   r.sensor_group, r.provenance, r.latitude, r.longitude, r.place,
                   r.recognition, r.model_version, r.sender_read_id, r.image_sha256, r.image_day,
                   r.image_media_type, r.image_size
              FROM archive.read AS r
             WHERE r.read_id = a.read_id AND r.capture_time = a.capture_time
             LIMIT 1) AS f
     ORDER BY a.n;
END
$$;

-- The canonical text of an image question.
CREATE FUNCTION archive.image_question(read_id uuid) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN concat_ws(E'\n',
    archive.canonical_line('kind', 'image'),
    archive.canonical_line('read_id', read_id::text));

-- Puts the question "show me the picture of this read".
CREATE FUNCTION archive.find_image(permit text, read_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'image');
    captured timestamptz := archive.read_millisecond(read_id);
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.image_question(read_id));
    SELECT array_agg(r.read_id), array_agg(r.capture_time)
      INTO read_ids, capture_times
      FROM archive.read AS r
     WHERE r.read_id = find_image.read_id
       AND r.capture_time >= captured AND r.capture_time < captured + interval '1 millisecond'
       AND r.capture_time >= archive.retention_start()
       AND r.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups));
    PERFORM archive.keep_answer(opened, read_ids, capture_times, false);
END
$$;

-- Where the image of the read is and what opens it; no row when there is no such read in the permit's scope.
CREATE FUNCTION archive.image_key(permit text, read_id uuid)
RETURNS TABLE (image_sha256 bytea, image_day date, image_media_type text, image_size bigint, image_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    kept archive.permit_used := archive.kept_answer(archive.opened_permit(permit, 'image'));
BEGIN
    RETURN QUERY
    SELECT r.image_sha256, r.image_day, r.image_media_type, r.image_size, r.image_key
      FROM archive.read AS r
     WHERE r.read_id = kept.read_ids[1] AND r.read_id = image_key.read_id AND r.capture_time = kept.capture_times[1];
END
$$;

-- Has the plate question planned on this connection, and shows that the archive is there. Looks at no read: the
-- window is empty.
CREATE FUNCTION archive.warm_up() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
BEGIN
    PERFORM FROM archive.plate_page('', 'infinity', '-infinity', '-infinity',
                                    '00000000-0000-0000-0000-000000000000', '{}', '{}', 0);
    RETURN true;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA archive FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.find_plate(text, text, bigint, bigint, integer, bigint, uuid),
    archive.plate_answer(text, text, bigint, bigint, integer, bigint, uuid),
    archive.found_reads(text),
    archive.find_image(text, uuid),
    archive.image_key(text, uuid),
    archive.warm_up()
    TO search_question;

RESET ROLE;
