-- Questions to the Motor Carrier Safety data set (ENF-051 II.H, III.E.5): as those to the archive (0004_permit.sql,
-- 0008_general_questions.sql), with permits that are signed with this data set's own key and are of kinds of their own.
-- A permit for the archive opens nothing here, and none of these opens anything there.
SET LOCAL ROLE motor_carrier_owner;

-- Permits that were used, each with the one answer it gave: ids only.
CREATE TABLE motor_carrier.permit_used (
    permit_id uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    kind text NOT NULL,
    question_digest text NOT NULL,
    used_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    read_ids uuid[] NOT NULL,
    capture_times timestamptz[] NOT NULL,
    has_more boolean NOT NULL
);
CREATE INDEX permit_used_by_expiry ON motor_carrier.permit_used (expires_at);

CREATE FUNCTION motor_carrier.permit_is_genuine(body text, mac text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = motor_carrier, pg_temp
RETURN coalesce((
    SELECT bool_or(
        sha256(k.key || convert_to(mac, 'UTF8')) = sha256(k.key || convert_to(encode(
            sha256(k.outer_block || sha256(k.inner_block || convert_to(body, 'UTF8'))), 'hex'), 'UTF8')))
      FROM motor_carrier.permit_key AS k), false);

-- The contents of a genuine, live permit of the kind asked for; refuses every other.
CREATE FUNCTION motor_carrier.opened_permit(permit text, wanted_kind text) RETURNS archive.permit
LANGUAGE plpgsql VOLATILE SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    body text := left(permit, -65);
    opened archive.permit;
BEGIN
    IF (octet_length(permit) <= 16384 AND substr(permit, length(permit) - 64, 1) = '|'
        AND motor_carrier.permit_is_genuine(body, right(permit, 64))
        AND starts_with(body, 'v1|') AND cardinality(string_to_array(body, '|')) = 10) IS NOT TRUE THEN
        PERFORM archive.refuse();
    END IF;
    opened := archive.permit_fields(permit);
    IF (opened.kind = wanted_kind AND opened.expires_at > clock_timestamp()) IS NOT TRUE THEN
        PERFORM archive.refuse();
    END IF;
    RETURN opened;
EXCEPTION
    WHEN data_exception THEN
        PERFORM archive.refuse();
END
$$;

-- Keeps the permit's one answer; refuses a permit that has one already.
CREATE FUNCTION motor_carrier.keep_answer(
    opened archive.permit, read_ids uuid[], capture_times timestamptz[], has_more boolean
) RETURNS void
LANGUAGE plpgsql SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    INSERT INTO motor_carrier.permit_used (
        permit_id, expires_at, kind, question_digest, read_ids, capture_times, has_more)
    VALUES (opened.permit_id, opened.expires_at, opened.kind, opened.question_digest,
            coalesce(keep_answer.read_ids, '{}'), coalesce(keep_answer.capture_times, '{}'), keep_answer.has_more)
        ON CONFLICT (permit_id) DO NOTHING;
    IF NOT FOUND THEN
        PERFORM archive.refuse();
    END IF;
END
$$;

-- The answer that a permit gave; refused until the transaction that used the permit has committed.
CREATE FUNCTION motor_carrier.kept_answer(permit text, kind text) RETURNS motor_carrier.permit_used
LANGUAGE plpgsql VOLATILE SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, kind);
    kept motor_carrier.permit_used;
BEGIN
    SELECT u.* INTO kept
      FROM motor_carrier.permit_used AS u
     WHERE u.permit_id = opened.permit_id AND u.kind = opened.kind
       AND u.question_digest = opened.question_digest
       AND u.used_by IS DISTINCT FROM pg_current_xact_id_if_assigned();
    IF NOT FOUND THEN
        PERFORM archive.refuse();
    END IF;
    RETURN kept;
END
$$;

-- SHA-256 of read ids in their order, 16 raw bytes each.
CREATE FUNCTION motor_carrier.digest_of(read_ids uuid[]) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = motor_carrier, pg_temp
RETURN sha256(coalesce((SELECT string_agg(uuid_send(a.read_id), ''::bytea ORDER BY a.n)
                          FROM unnest(read_ids) WITH ORDINALITY AS a (read_id, n)), ''::bytea));

-- One page of the reads of a plate, of a sensor, or of both, newest first, and one row more if there is one.
CREATE FUNCTION motor_carrier.page(
    wanted_plate text, wanted_sensor text, from_time timestamptz, to_time timestamptz, before_time timestamptz,
    before_id uuid, agency_oris text[], sensor_groups text[], row_limit integer
) RETURNS TABLE (read_id uuid, capture_time timestamptz)
LANGUAGE plpgsql STABLE SET search_path = motor_carrier, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.read_id, r.capture_time
      FROM motor_carrier.read AS r
     WHERE (wanted_plate = '' OR r.plate = wanted_plate)
       AND (wanted_sensor = '' OR r.sensor_id = wanted_sensor)
       AND r.capture_time >= from_time AND r.capture_time < to_time
       AND r.capture_time <= before_time  -- for pruning, which does not look into the comparison of rows below
       AND (r.capture_time, r.read_id) < (before_time, before_id)
       AND r.agency_ori = ANY (agency_oris)
       AND (cardinality(sensor_groups) = 0 OR r.sensor_group = ANY (sensor_groups))
     ORDER BY r.capture_time DESC, r.read_id DESC
     LIMIT row_limit;
END
$$;

-- Puts "where was this plate, or what did this sensor see?". One of `plate` and `sensor_id` may be empty, not both.
CREATE FUNCTION motor_carrier.find_mcsreads(
    permit text, from_us bigint, to_us bigint, page_size integer, plate text, sensor_id text, before_us bigint,
    before_read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsreads');
    rows_wanted integer := least(page_size, 1000);
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('mcsreads', from_us, to_us, page_size,
        archive.canonical_line('plate', archive.argument_value(plate)),
        archive.canonical_line('sensor_id', archive.argument_value(sensor_id)),
        archive.canonical_line('before_us', before_us::text),
        archive.canonical_line('before_read_id', before_read_id::text)));
    IF plate IS NULL OR sensor_id IS NULL OR (plate = '' AND sensor_id = '') THEN
        PERFORM archive.refuse();
    END IF;
    SELECT array_agg(p.read_id), array_agg(p.capture_time)
      INTO read_ids, capture_times
      FROM motor_carrier.page(
               plate, sensor_id,
               greatest(archive.moment(from_us), opened.from_time, archive.retention_of_all()),
               least(archive.moment(to_us), opened.to_time),
               coalesce(archive.moment(before_us), 'infinity'),
               coalesce(before_read_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
               opened.agency_oris, opened.sensor_groups, rows_wanted + 1) AS p;
    PERFORM motor_carrier.keep_answer(opened, read_ids[:rows_wanted], capture_times[:rows_wanted],
                                      coalesce(cardinality(read_ids), 0) > rows_wanted);
END
$$;

-- Puts "show me the picture of this read".
CREATE FUNCTION motor_carrier.find_mcsimage(
    permit text, from_us bigint, to_us bigint, page_size integer, read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsimage');
    captured timestamptz := archive.read_millisecond(read_id);
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('mcsimage', from_us, to_us, page_size,
        archive.canonical_line('read_id', read_id::text)));
    SELECT array_agg(r.read_id), array_agg(r.capture_time)
      INTO read_ids, capture_times
      FROM motor_carrier.read AS r
     WHERE r.read_id = find_mcsimage.read_id
       AND r.capture_time >= captured AND r.capture_time < captured + interval '1 millisecond'
       AND r.capture_time >= greatest(archive.moment(from_us), opened.from_time, archive.retention_of_all())
       AND r.capture_time < least(archive.moment(to_us), opened.to_time)
       AND r.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups));
    PERFORM motor_carrier.keep_answer(opened, read_ids, capture_times, false);
END
$$;

-- How many reads the answer to this question has, the digest of their ids in order, and whether there is more.
CREATE FUNCTION motor_carrier.general_answer(permit text, kind text, question text)
RETURNS TABLE (row_count integer, rows_digest bytea, has_more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, kind);
BEGIN
    PERFORM archive.require_question(motor_carrier.opened_permit(permit, kind), question);
    RETURN QUERY SELECT cardinality(kept.read_ids), motor_carrier.digest_of(kept.read_ids), kept.has_more;
END
$$;

-- The reads of the answer, in its order, without their image keys.
CREATE FUNCTION motor_carrier.general_reads(permit text, kind text)
RETURNS TABLE (
    read_id uuid, capture_time timestamptz, receive_time timestamptz, plate text, sensor_id text, agency_ori text,
    sensor_group text, provenance text, latitude double precision, longitude double precision, place text,
    recognition bytea, model_version text, sender_read_id text, image_sha256 bytea, image_day date,
    image_media_type text, image_size bigint, state text, confidence real)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, kind);
BEGIN
    RETURN QUERY
    SELECT f.*
      FROM unnest(kept.read_ids, kept.capture_times) WITH ORDINALITY AS a (read_id, capture_time, n)
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.capture_time, r.receive_time, r.plate, r.sensor_id, r.agency_ori,
                   r.sensor_group, r.provenance, r.latitude, r.longitude, r.place,
                   r.recognition, r.model_version, r.sender_read_id, r.image_sha256, r.image_day,
                   r.image_media_type, r.image_size, r.state, r.confidence
              FROM motor_carrier.read AS r
             WHERE r.read_id = a.read_id AND r.capture_time = a.capture_time
             LIMIT 1) AS f
     WHERE kind = 'mcsreads'
     ORDER BY a.n;
END
$$;

-- Where the image of the read is and what opens it; no row when there is no such read in the permit's scope.
CREATE FUNCTION motor_carrier.image_key(permit text, read_id uuid)
RETURNS TABLE (
    image_sha256 bytea, image_day date, image_media_type text, image_size bigint, image_key bytea, recognition bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
#variable_conflict use_column
DECLARE
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, 'mcsimage');
BEGIN
    RETURN QUERY
    SELECT r.image_sha256, r.image_day, r.image_media_type, r.image_size, r.image_key, r.recognition
      FROM motor_carrier.read AS r
     WHERE r.read_id = kept.read_ids[1] AND r.read_id = image_key.read_id AND r.capture_time = kept.capture_times[1];
END
$$;

CREATE FUNCTION motor_carrier.warm_up() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    PERFORM FROM motor_carrier.page('', '', 'infinity', '-infinity', '-infinity',
                                    '00000000-0000-0000-0000-000000000000', '{}', '{}', 0);
    RETURN true;
END
$$;

-- Forgets permits that ended over an hour ago, and gives their number.
CREATE FUNCTION motor_carrier.forget_expired_permits() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    DELETE FROM motor_carrier.permit_used WHERE expires_at < clock_timestamp() - interval '1 hour';
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;

GRANT EXECUTE ON FUNCTION
    motor_carrier.find_mcsreads(text, bigint, bigint, integer, text, text, bigint, uuid),
    motor_carrier.find_mcsimage(text, bigint, bigint, integer, uuid),
    motor_carrier.general_answer(text, text, text),
    motor_carrier.general_reads(text, text),
    motor_carrier.image_key(text, uuid),
    motor_carrier.warm_up()
    TO search_mcs_question;
GRANT EXECUTE ON FUNCTION motor_carrier.forget_expired_permits() TO search_mcs_purge;

RESET ROLE;
