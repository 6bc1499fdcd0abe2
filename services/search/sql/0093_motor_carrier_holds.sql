-- Legal holds on reads of the Motor Carrier Safety data set (ENF-051 II.H, IV.E.3): as those of the archive
-- (0092_sealed_holds.sql), in tables of this house, by acts that audit signs with this house's key, sealed with keys that
-- its own key wraps. The end of a day with holds takes the place of 0062_motor_carrier_purge.sql.
SET LOCAL ROLE motor_carrier_owner;

-- As archive.hold.
CREATE TABLE motor_carrier.hold (
    hold_id uuid PRIMARY KEY,
    intent_id uuid NOT NULL UNIQUE,
    agency_ori text COLLATE "C" NOT NULL,
    approver_id text NOT NULL,
    case_number_kind text NOT NULL,
    case_number text NOT NULL,
    document_sha256 bytea NOT NULL CHECK (octet_length(document_sha256) = 32),
    reason text NOT NULL,
    placed_at timestamptz NOT NULL,
    from_time timestamptz NOT NULL,
    to_time timestamptz NOT NULL CHECK (to_time > from_time),
    plates text[] COLLATE "C" NOT NULL,
    sensor_ids text[] COLLATE "C" NOT NULL,
    matching_rows bigint NOT NULL,
    released_at timestamptz,
    release_intent_id uuid,
    released_rows bigint,
    released_digest bytea,
    place_recorded boolean NOT NULL DEFAULT false,      -- the log has the outcomes of the two acts
    release_recorded boolean NOT NULL DEFAULT false,
    wrapped_key bytea,
    key_digest bytea CHECK (octet_length(key_digest) = 32),
    CHECK ((wrapped_key IS NULL) = (released_at IS NOT NULL) AND (key_digest IS NULL) = (wrapped_key IS NULL))
);
CREATE INDEX hold_in_force ON motor_carrier.hold (from_time) WHERE released_at IS NULL;
COMMENT ON TABLE motor_carrier.hold IS 'kept: which holds there were; once they are released, without plates and key';

-- As archive.is_held.
CREATE FUNCTION motor_carrier.is_held(h motor_carrier.hold, agency_ori text, plate text, sensor_id text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN h.agency_ori = agency_ori
   AND (cardinality(h.plates) = 0 OR plate = ANY (h.plates))
   AND (cardinality(h.sensor_ids) = 0 OR sensor_id = ANY (h.sensor_ids));

-- As archive.require_over.
CREATE FUNCTION motor_carrier.require_over(day date) RETURNS void
LANGUAGE plpgsql SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    IF ((day + 1)::timestamp AT TIME ZONE 'UTC' + interval '10 minutes' <= archive.retention_of_all()) IS NOT TRUE THEN
        RAISE EXCEPTION 'reads of this day are still kept' USING ERRCODE = '55000';
    END IF;
END
$$;

-- As archive.hold_acts_to_record.
CREATE FUNCTION motor_carrier.hold_acts_to_record() RETURNS TABLE (
    intent_id uuid, hold_id uuid, released boolean, rows bigint, digest bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT h.intent_id, h.hold_id, false, h.matching_rows, NULL::bytea
      FROM motor_carrier.hold AS h
     WHERE NOT h.place_recorded AND h.placed_at < clock_timestamp() - interval '1 minute'
    UNION ALL
    SELECT h.release_intent_id, h.hold_id, true, h.released_rows, h.released_digest
      FROM motor_carrier.hold AS h
     WHERE NOT h.release_recorded AND h.released_at < clock_timestamp() - interval '1 minute';
END;

-- As archive.note_hold_act.
CREATE FUNCTION motor_carrier.note_hold_act(intent uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    UPDATE motor_carrier.hold AS h
       SET place_recorded = h.place_recorded OR h.intent_id = intent,
           release_recorded = h.release_recorded OR h.release_intent_id IS NOT DISTINCT FROM intent
     WHERE h.intent_id = intent OR h.release_intent_id = intent;
END;

-- As archive.holds_in_force.
CREATE FUNCTION motor_carrier.holds_in_force() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT h.hold_id FROM motor_carrier.hold AS h WHERE h.released_at IS NULL ORDER BY h.hold_id;
END;

-- Reads that outlived their day under a hold. In clear is what says whose they are, when they were and which picture is
-- theirs; the rest is sealed (motor_carrier.sealed), and what opens the picture is sealed by itself.
CREATE TABLE motor_carrier.held_read (
    hold_id uuid NOT NULL REFERENCES motor_carrier.hold,
    read_id uuid NOT NULL,
    capture_time timestamptz NOT NULL,
    agency_ori text COLLATE "C" NOT NULL,
    sensor_group text COLLATE "C" NOT NULL,
    image_day date NOT NULL,
    image_sha256 bytea NOT NULL CHECK (octet_length(image_sha256) = 32),
    image_apart boolean NOT NULL DEFAULT false,  -- the sealed image lies with the hold
    sealed_read bytea NOT NULL,
    sealed_image_key bytea,
    PRIMARY KEY (hold_id, read_id)
);
CREATE INDEX held_read_by_day ON motor_carrier.held_read (image_day);

-- As archive.place_hold.
CREATE FUNCTION motor_carrier.place_hold(
    statement text, hold_id uuid, case_number_kind text, case_number text, document_sha256 bytea, reason text,
    from_time timestamptz, to_time timestamptz, plates text[], sensor_ids text[], wrapped_key bytea, key_digest bytea
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_variable
DECLARE
    act archive.act := motor_carrier.signed_act(statement, 'mcs_hold.place',
        archive.act_line('resource', hold_id::text),
        archive.act_line('case_number_kind', case_number_kind),
        archive.act_line('case_number', case_number),
        archive.act_line('document_sha256', encode(document_sha256, 'hex')),
        archive.act_line('from', archive.act_moment(from_time)),
        archive.act_line('plates', archive.argument_value(array_to_string(plates, ','))),
        archive.act_line('reason', reason),
        archive.act_line('sensors', archive.argument_value(array_to_string(sensor_ids, ','))),
        archive.act_line('to', archive.act_moment(to_time)));
    held_from timestamptz := greatest(from_time, archive.retention_of_all());
    matching bigint;
BEGIN
    IF cardinality(plates) + cardinality(sensor_ids) = 0 THEN
        RAISE EXCEPTION 'a hold names plates or sensors' USING ERRCODE = '22023';
    END IF;
    SELECT h.matching_rows INTO matching FROM motor_carrier.hold AS h
     WHERE h.hold_id = hold_id AND h.intent_id = act.intent_id;
    IF FOUND THEN
        RETURN matching;
    END IF;
    -- Two statements, so that each has its index.
    IF cardinality(plates) > 0 THEN
        SELECT count(*) INTO matching FROM motor_carrier.read AS r
         WHERE r.plate = ANY (plates) AND r.capture_time >= held_from AND r.capture_time < to_time
           AND r.agency_ori = act.agency_ori AND (cardinality(sensor_ids) = 0 OR r.sensor_id = ANY (sensor_ids));
    ELSE
        SELECT count(*) INTO matching FROM motor_carrier.read AS r
         WHERE r.sensor_id = ANY (sensor_ids) AND r.capture_time >= held_from AND r.capture_time < to_time
           AND r.agency_ori = act.agency_ori;
    END IF;
    INSERT INTO motor_carrier.hold (
        hold_id, intent_id, agency_ori, approver_id, case_number_kind, case_number, document_sha256, reason, placed_at,
        from_time, to_time, plates, sensor_ids, matching_rows, wrapped_key, key_digest)
    VALUES (hold_id, act.intent_id, act.agency_ori, act.account_id, case_number_kind, case_number, document_sha256,
            reason, clock_timestamp(), held_from, to_time, plates, sensor_ids, matching, wrapped_key, key_digest);
    RETURN matching;
END
$$;

-- As archive.holds.
CREATE FUNCTION motor_carrier.holds(wanted_agency text, after_id uuid, most integer)
RETURNS TABLE (
    hold_id uuid, agency_ori text, approver_id text, case_number_kind text, case_number text, document_sha256 bytea,
    reason text, placed_at timestamptz, from_time timestamptz, to_time timestamptz, plate_count integer,
    sensor_ids text[], matching_rows bigint, kept_rows bigint, released_at timestamptz, released_rows bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT h.hold_id, h.agency_ori, h.approver_id, h.case_number_kind, h.case_number, h.document_sha256, h.reason,
           h.placed_at, h.from_time, h.to_time, cardinality(h.plates), h.sensor_ids, h.matching_rows,
           (SELECT count(*) FROM motor_carrier.held_read AS r WHERE r.hold_id = h.hold_id), h.released_at, h.released_rows
      FROM motor_carrier.hold AS h
     WHERE h.agency_ori = wanted_agency AND h.hold_id > after_id
     ORDER BY h.hold_id
     LIMIT most;
END;

-- As archive.release_hold.
CREATE FUNCTION motor_carrier.release_hold(statement text, hold uuid, reason text)
RETURNS TABLE (rows bigint, digest bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    act archive.act := motor_carrier.signed_act(statement, 'mcs_hold.release',
        archive.act_line('resource', hold::text), archive.act_line('reason', reason));
    known motor_carrier.hold;
BEGIN
    SELECT h.* INTO known FROM motor_carrier.hold AS h
     WHERE h.hold_id = hold AND h.agency_ori = act.agency_ori FOR UPDATE;
    IF NOT FOUND OR known.release_intent_id IS DISTINCT FROM act.intent_id AND known.released_at IS NOT NULL THEN
        RETURN;
    END IF;
    IF known.released_at IS NULL THEN
        SELECT count(*), sha256(coalesce(string_agg(uuid_send(r.read_id), '' ORDER BY r.read_id), ''))
          INTO rows, digest
          FROM motor_carrier.held_read AS r WHERE r.hold_id = hold;
        DELETE FROM motor_carrier.held_read AS r WHERE r.hold_id = hold;
        UPDATE motor_carrier.hold AS h
           SET released_at = clock_timestamp(), release_intent_id = act.intent_id, released_rows = release_hold.rows,
               released_digest = release_hold.digest, plates = '{}', sensor_ids = '{}', wrapped_key = NULL,
               key_digest = NULL
         WHERE h.hold_id = hold;
    ELSE
        rows := known.released_rows;
        digest := known.released_digest;
    END IF;
    RETURN NEXT;
END
$$;

-- As archive.hold_keys.
CREATE FUNCTION motor_carrier.hold_keys(day date) RETURNS TABLE (hold_id uuid, wrapped_key bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT h.hold_id, h.wrapped_key FROM motor_carrier.hold AS h
     WHERE h.released_at IS NULL
       AND h.from_time < (hold_keys.day + 1)::timestamp AT TIME ZONE 'UTC'
       AND h.to_time > hold_keys.day::timestamp AT TIME ZONE 'UTC'
     ORDER BY h.hold_id;
END;

-- As archive.require_hold_keys.
CREATE FUNCTION motor_carrier.require_hold_keys(day date, hold_ids uuid[], keys bytea[]) RETURNS void
LANGUAGE plpgsql SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM motor_carrier.hold_keys(day) AS d JOIN motor_carrier.hold AS h ON h.hold_id = d.hold_id
                WHERE NOT EXISTS (SELECT FROM unnest(hold_ids, keys) AS k (hold_id, key)
                                   WHERE k.hold_id = h.hold_id AND archive.hold_key_digest(k.key) = h.key_digest)) THEN
        RAISE EXCEPTION 'a hold on this day lacks its key' USING ERRCODE = '22023';
    END IF;
END
$$;

-- As archive.seal_held.
CREATE FUNCTION motor_carrier.seal_held(day date, hold_ids uuid[], keys bytea[], most integer) RETURNS integer
LANGUAGE plpgsql SET search_path = motor_carrier, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    day_start timestamptz := day::timestamp AT TIME ZONE 'UTC';
    sealed_now integer;
BEGIN
    PERFORM motor_carrier.require_hold_keys(day, hold_ids, keys);
    INSERT INTO motor_carrier.held_read (
        hold_id, read_id, capture_time, agency_ori, sensor_group, image_day, image_sha256, sealed_read, sealed_image_key)
    SELECT c.hold_id, (c.r).read_id, (c.r).capture_time, (c.r).agency_ori, (c.r).sensor_group, (c.r).image_day,
           (c.r).image_sha256,
           archive.sealed(c.key, format('held-read/v1/%s/%s', c.hold_id, (c.r).read_id),
                          convert_to((to_jsonb(c.r) - 'image_key')::text, 'UTF8')),
           archive.sealed(c.key, format('held-image-key/v1/%s/%s', c.hold_id, (c.r).read_id), (c.r).image_key)
      FROM (SELECT h.hold_id, k.key, r
              FROM motor_carrier.hold AS h
              JOIN unnest(hold_ids, keys) AS k (hold_id, key) ON k.hold_id = h.hold_id
              JOIN motor_carrier.read AS r ON motor_carrier.is_held(h, r.agency_ori, r.plate, r.sensor_id)
               AND r.capture_time >= h.from_time AND r.capture_time < h.to_time
             WHERE h.released_at IS NULL
               AND r.capture_time >= day_start AND r.capture_time < day_start + interval '1 day'
               AND NOT EXISTS (SELECT FROM motor_carrier.held_read AS s WHERE s.hold_id = h.hold_id AND s.read_id = r.read_id)
             LIMIT most) AS c
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS sealed_now = ROW_COUNT;
    RETURN sealed_now;
END
$$;

-- As archive.seal_day.
CREATE FUNCTION motor_carrier.seal_day(day date, hold_ids uuid[], keys bytea[], most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    PERFORM motor_carrier.require_over(day);
    RETURN motor_carrier.seal_held(day, hold_ids, keys, most);
END
$$;

-- As archive.drop_day.
CREATE FUNCTION motor_carrier.drop_day(purge uuid, day date, hold_ids uuid[], keys bytea[]) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    suffix text := to_char(day, 'YYYYMMDD');
    content jsonb := (SELECT s.result FROM motor_carrier.purge_step AS s WHERE s.purge_id = purge);
    parent text;
BEGIN
    IF content IS NOT NULL THEN
        RETURN content;
    END IF;
    PERFORM motor_carrier.require_over(day);
    content := '{}';
    FOREACH parent IN ARRAY ARRAY['read', 'quarantine'] LOOP
        IF to_regclass('motor_carrier.' || parent || '_' || suffix) IS NOT NULL THEN
            content := content
                || jsonb_build_object(parent, archive.day_content('motor_carrier', parent || '_' || suffix));
        END IF;
    END LOOP;
    PERFORM motor_carrier.seal_held(day, hold_ids, keys, NULL);
    content := content || (
        SELECT jsonb_build_object('held', jsonb_build_object(
                   'holds', count(DISTINCT k.hold_id), 'rows', count(DISTINCT k.read_id)))
          FROM motor_carrier.held_read AS k WHERE k.image_day = drop_day.day);
    FOREACH parent IN ARRAY ARRAY['read', 'quarantine'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS motor_carrier.%I', parent || '_' || suffix);
    END LOOP;
    INSERT INTO motor_carrier.purge_step (purge_id, day, result) VALUES (purge, drop_day.day, content);
    RETURN content;
END
$$;

-- As archive.images_to_part.
CREATE FUNCTION motor_carrier.images_to_part(day date) RETURNS TABLE (hold_id uuid, image_sha256 bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT h.hold_id, h.image_sha256
      FROM motor_carrier.held_read AS h
     WHERE h.image_day = images_to_part.day AND NOT h.image_apart
     ORDER BY h.hold_id, h.image_sha256;
END;

-- As archive.image_parted.
CREATE FUNCTION motor_carrier.image_parted(hold uuid, sha256 bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    UPDATE motor_carrier.held_read AS h SET image_apart = true WHERE h.hold_id = hold AND h.image_sha256 = sha256;
END;

-- As archive.held_images.
CREATE FUNCTION motor_carrier.held_images(day date) RETURNS TABLE (parted bigint, missing bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT count(DISTINCT h.image_sha256) FILTER (WHERE h.image_apart),
           count(DISTINCT h.image_sha256) FILTER (WHERE NOT h.image_apart)
      FROM motor_carrier.held_read AS h
     WHERE h.image_day = held_images.day;
END;

CREATE FUNCTION motor_carrier.held_question(
    from_us bigint, to_us bigint, page_size integer, hold uuid, after_read_id uuid
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = motor_carrier, pg_temp
RETURN archive.general_question('mcsheld', from_us, to_us, page_size,
    archive.canonical_line('hold_id', hold::text),
    archive.canonical_line('after_read_id', after_read_id::text));

-- As archive.find_held.
CREATE FUNCTION motor_carrier.find_mcsheld(
    permit text, from_us bigint, to_us bigint, page_size integer, hold uuid, after_read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsheld');
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time);
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    rows_wanted integer := least(page_size, 1000);
    found_ids uuid[];
    found_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, motor_carrier.held_question(from_us, to_us, page_size, hold, after_read_id));
    SELECT array_agg(p.read_id ORDER BY p.read_id), array_agg(p.capture_time ORDER BY p.read_id)
      INTO found_ids, found_times
      FROM (SELECT r.read_id, r.capture_time FROM motor_carrier.held_read AS r
             WHERE r.hold_id = hold AND r.capture_time >= from_time AND r.capture_time < to_time
               AND r.read_id > coalesce(after_read_id, '00000000-0000-0000-0000-000000000000')
               AND r.agency_ori = ANY (opened.agency_oris)
               AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
             ORDER BY r.read_id LIMIT rows_wanted + 1) AS p;
    PERFORM motor_carrier.keep_answer(opened, found_ids[:rows_wanted], found_times[:rows_wanted],
                                coalesce(cardinality(found_ids), 0) > rows_wanted);
END
$$;

-- As archive.held_reads.
CREATE FUNCTION motor_carrier.held_reads(
    permit text, from_us bigint, to_us bigint, page_size integer, hold uuid, after_read_id uuid
) RETURNS TABLE (read_id uuid, sealed_read bytea, wrapped_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
#variable_conflict use_column
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsheld');
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, 'mcsheld');
BEGIN
    PERFORM archive.require_question(opened, motor_carrier.held_question(from_us, to_us, page_size, hold, after_read_id));
    RETURN QUERY
    SELECT r.read_id, r.sealed_read, h.wrapped_key
      FROM motor_carrier.held_read AS r JOIN motor_carrier.hold AS h ON h.hold_id = r.hold_id
     WHERE r.hold_id = hold AND r.read_id = ANY (kept.read_ids)
     ORDER BY r.read_id;
END
$$;

CREATE FUNCTION motor_carrier.held_image_question(
    from_us bigint, to_us bigint, page_size integer, hold uuid, read_id uuid
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = motor_carrier, pg_temp
RETURN archive.general_question('mcsheldimage', from_us, to_us, page_size,
    archive.canonical_line('hold_id', hold::text),
    archive.canonical_line('read_id', read_id::text));

-- As archive.find_heldimage.
CREATE FUNCTION motor_carrier.find_mcsheldimage(
    permit text, from_us bigint, to_us bigint, page_size integer, hold uuid, read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsheldimage');
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, motor_carrier.held_image_question(from_us, to_us, page_size, hold, read_id));
    SELECT array_agg(r.read_id), array_agg(r.capture_time)
      INTO read_ids, capture_times
      FROM motor_carrier.held_read AS r
     WHERE r.hold_id = hold AND r.read_id = find_mcsheldimage.read_id AND r.image_apart
       AND r.capture_time >= greatest(archive.moment(from_us), opened.from_time)
       AND r.capture_time < least(archive.moment(to_us), opened.to_time)
       AND r.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups));
    PERFORM motor_carrier.keep_answer(opened, read_ids, capture_times, false);
END
$$;

-- As archive.held_image_key.
CREATE FUNCTION motor_carrier.held_image_key(
    permit text, from_us bigint, to_us bigint, page_size integer, hold uuid, read_id uuid
) RETURNS TABLE (image_day date, image_sha256 bytea, sealed_read bytea, sealed_image_key bytea, wrapped_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
#variable_conflict use_column
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsheldimage');
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, 'mcsheldimage');
BEGIN
    PERFORM archive.require_question(opened, motor_carrier.held_image_question(
        from_us, to_us, page_size, hold, held_image_key.read_id));
    RETURN QUERY
    SELECT r.image_day, r.image_sha256, r.sealed_read, r.sealed_image_key, h.wrapped_key
      FROM motor_carrier.held_read AS r JOIN motor_carrier.hold AS h ON h.hold_id = r.hold_id
     WHERE r.hold_id = hold AND r.read_id = held_image_key.read_id AND r.read_id = kept.read_ids[1];
END
$$;

DROP FUNCTION motor_carrier.drop_day(uuid, date);

GRANT EXECUTE ON FUNCTION
    motor_carrier.place_hold(
        text, uuid, text, text, bytea, text, timestamptz, timestamptz, text[], text[], bytea, bytea),
    motor_carrier.holds(text, uuid, integer), motor_carrier.release_hold(text, uuid, text),
    motor_carrier.holds_in_force(), motor_carrier.hold_acts_to_record(), motor_carrier.note_hold_act(uuid),
    motor_carrier.hold_keys(date), motor_carrier.seal_day(date, uuid[], bytea[], integer),
    motor_carrier.drop_day(uuid, date, uuid[], bytea[]), motor_carrier.images_to_part(date),
    motor_carrier.image_parted(uuid, bytea), motor_carrier.held_images(date)
    TO search_mcs_purge;
GRANT EXECUTE ON FUNCTION
    motor_carrier.find_mcsheld(text, bigint, bigint, integer, uuid, uuid),
    motor_carrier.held_reads(text, bigint, bigint, integer, uuid, uuid),
    motor_carrier.find_mcsheldimage(text, bigint, bigint, integer, uuid, uuid),
    motor_carrier.held_image_key(text, bigint, bigint, integer, uuid, uuid)
    TO search_mcs_question;

RESET ROLE;
