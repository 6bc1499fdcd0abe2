-- Legal holds: placing, releasing, and looking at what they kept (ENF-051 IV.E.3). README, "Retention".
SET LOCAL ROLE archive_owner;

-- Places a hold on reads of one agency, once, and gives how many reads it covers now. It covers later reads of its
-- window, too, and none that was too old to be found when it was placed.
CREATE FUNCTION archive.place_hold(
    hold_id uuid, intent_id uuid, agency_ori text, approver_id text, case_number_kind text, case_number text,
    document_sha256 bytea, reason text, from_time timestamptz, to_time timestamptz, plates text[], sensor_ids text[]
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_variable
DECLARE
    held_from timestamptz := greatest(from_time, archive.retention_start());
    matching bigint;
BEGIN
    IF cardinality(plates) + cardinality(sensor_ids) = 0 THEN
        RAISE EXCEPTION 'a hold names plates or sensors' USING ERRCODE = '22023';
    END IF;
    SELECT h.matching_rows INTO matching FROM archive.hold AS h
     WHERE h.hold_id = hold_id AND h.intent_id = intent_id;
    IF FOUND THEN
        RETURN matching;
    END IF;
    -- Two statements, so that each has its index.
    IF cardinality(plates) > 0 THEN
        SELECT count(*) INTO matching FROM archive.read AS r
         WHERE r.plate = ANY (plates) AND r.capture_time >= held_from AND r.capture_time < to_time
           AND r.agency_ori = agency_ori AND (cardinality(sensor_ids) = 0 OR r.sensor_id = ANY (sensor_ids));
    ELSE
        SELECT count(*) INTO matching FROM archive.read AS r
         WHERE r.sensor_id = ANY (sensor_ids) AND r.capture_time >= held_from AND r.capture_time < to_time
           AND r.agency_ori = agency_ori;
    END IF;
    INSERT INTO archive.hold (
        hold_id, intent_id, agency_ori, approver_id, case_number_kind, case_number, document_sha256, reason, placed_at,
        from_time, to_time, plates, sensor_ids, matching_rows)
    VALUES (hold_id, intent_id, agency_ori, approver_id, case_number_kind, case_number, document_sha256, reason,
            clock_timestamp(), held_from, to_time, plates, sensor_ids, matching);
    RETURN matching;
END
$$;

-- Holds of one agency by id, with what each has kept apart. No plate is among it.
CREATE FUNCTION archive.holds(wanted_agency text, after_id uuid, most integer)
RETURNS TABLE (
    hold_id uuid, agency_ori text, approver_id text, case_number_kind text, case_number text, document_sha256 bytea,
    reason text, placed_at timestamptz, from_time timestamptz, to_time timestamptz, plate_count integer,
    sensor_ids text[], matching_rows bigint, kept_rows bigint, released_at timestamptz, released_rows bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT h.hold_id, h.agency_ori, h.approver_id, h.case_number_kind, h.case_number, h.document_sha256, h.reason,
           h.placed_at, h.from_time, h.to_time, cardinality(h.plates), h.sensor_ids, h.matching_rows,
           (SELECT count(*) FROM archive.held_read AS r WHERE r.hold_id = h.hold_id), h.released_at, h.released_rows
      FROM archive.hold AS h
     WHERE h.agency_ori = wanted_agency AND h.hold_id > after_id
     ORDER BY h.hold_id
     LIMIT most;
END;

-- Releases a hold of this agency, once: its rule ends, and what it kept is gone when this commits. The read ids' digest
-- and their number, for the record; no row when there is no such hold, or another act released it.
CREATE FUNCTION archive.release_hold(hold uuid, intent uuid, agency text) RETURNS TABLE (rows bigint, digest bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    known archive.hold;
BEGIN
    SELECT h.* INTO known FROM archive.hold AS h WHERE h.hold_id = hold AND h.agency_ori = agency FOR UPDATE;
    IF NOT FOUND OR known.release_intent_id IS DISTINCT FROM intent AND known.released_at IS NOT NULL THEN
        RETURN;
    END IF;
    IF known.released_at IS NULL THEN
        SELECT count(*), sha256(coalesce(string_agg(uuid_send(r.read_id), '' ORDER BY r.read_id), ''))
          INTO rows, digest
          FROM archive.held_read AS r WHERE r.hold_id = hold;
        DELETE FROM archive.held_read AS r WHERE r.hold_id = hold;
        UPDATE archive.hold AS h
           SET released_at = clock_timestamp(), release_intent_id = intent, released_rows = release_hold.rows,
               released_digest = release_hold.digest, plates = '{}', sensor_ids = '{}'
         WHERE h.hold_id = hold;
    ELSE
        rows := known.released_rows;
        digest := known.released_digest;
    END IF;
    RETURN NEXT;
END
$$;
ALTER TABLE archive.hold ADD COLUMN released_digest bytea;
-- Whether the log has the outcomes of the two acts.
ALTER TABLE archive.hold ADD COLUMN place_recorded boolean NOT NULL DEFAULT false;
ALTER TABLE archive.hold ADD COLUMN release_recorded boolean NOT NULL DEFAULT false;

-- Acts older than a minute whose outcome the log may not have: the intent, and what its outcome says.
CREATE FUNCTION archive.hold_acts_to_record() RETURNS TABLE (
    intent_id uuid, hold_id uuid, released boolean, rows bigint, digest bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT h.intent_id, h.hold_id, false, h.matching_rows, NULL::bytea
      FROM archive.hold AS h
     WHERE NOT h.place_recorded AND h.placed_at < clock_timestamp() - interval '1 minute'
    UNION ALL
    SELECT h.release_intent_id, h.hold_id, true, h.released_rows, h.released_digest
      FROM archive.hold AS h
     WHERE NOT h.release_recorded AND h.released_at < clock_timestamp() - interval '1 minute';
END;

-- Notes that the log has the outcome.
CREATE FUNCTION archive.note_hold_act(intent uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    UPDATE archive.hold AS h
       SET place_recorded = h.place_recorded OR h.intent_id = intent,
           release_recorded = h.release_recorded OR h.release_intent_id IS NOT DISTINCT FROM intent
     WHERE h.intent_id = intent OR h.release_intent_id = intent;
END;

-- Holds in force: what lies in the object store under any other hold is to go.
CREATE FUNCTION archive.holds_in_force() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT h.hold_id FROM archive.hold AS h WHERE h.released_at IS NULL ORDER BY h.hold_id;
END;

-- Puts the question "which reads has this hold kept?": reads that are in the archive no more, oldest first, as JSON
-- without image keys. The one kind of question whose permit reaches past the retention period.
CREATE FUNCTION archive.find_held(
    permit text, from_us bigint, to_us bigint, page_size integer, hold uuid, after_read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'held');
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time);
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    rows_wanted integer := least(page_size, 1000);
    found jsonb[];
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('held', from_us, to_us, page_size,
        archive.canonical_line('hold_id', hold::text),
        archive.canonical_line('after_read_id', after_read_id::text)));
    SELECT array_agg(to_jsonb(p) - 'image_key' - 'image_apart' - 'hold_id' ORDER BY p.read_id)
      INTO found
      FROM (SELECT r.* FROM archive.held_read AS r
             WHERE r.hold_id = hold AND r.capture_time >= from_time AND r.capture_time < to_time
               AND r.read_id > coalesce(after_read_id, '00000000-0000-0000-0000-000000000000')
               AND r.agency_ori = ANY (opened.agency_oris)
               AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
             ORDER BY r.read_id LIMIT rows_wanted + 1) AS p;
    PERFORM archive.keep_computed(opened, coalesce(to_jsonb(found[:rows_wanted]), '[]')::text,
                                  coalesce(cardinality(found[:rows_wanted]), 0),
                                  coalesce(cardinality(found), 0) > rows_wanted);
END
$$;

-- Puts the question "show me the picture of this read that the hold has kept".
CREATE FUNCTION archive.find_held_image(
    permit text, from_us bigint, to_us bigint, page_size integer, hold uuid, read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'heldimage');
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('heldimage', from_us, to_us, page_size,
        archive.canonical_line('hold_id', hold::text),
        archive.canonical_line('read_id', read_id::text)));
    SELECT array_agg(r.read_id), array_agg(r.capture_time)
      INTO read_ids, capture_times
      FROM archive.held_read AS r
     WHERE r.hold_id = hold AND r.read_id = find_held_image.read_id AND r.image_apart
       AND r.capture_time >= greatest(archive.moment(from_us), opened.from_time)
       AND r.capture_time < least(archive.moment(to_us), opened.to_time)
       AND r.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups));
    PERFORM archive.keep_answer(opened, read_ids, capture_times, false);
END
$$;

-- What opens the picture under the hold's own seal; no row when there is none in the permit's answer.
CREATE FUNCTION archive.held_image_key(permit text, hold uuid, read_id uuid)
RETURNS TABLE (image_sha256 bytea, image_day date, image_media_type text, image_size bigint, image_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    kept archive.permit_used := archive.kept_answer(archive.opened_permit(permit, 'heldimage'));
BEGIN
    RETURN QUERY
    SELECT r.image_sha256, r.image_day, r.image_media_type, r.image_size, r.image_key
      FROM archive.held_read AS r
     WHERE r.hold_id = hold AND r.read_id = held_image_key.read_id AND r.read_id = kept.read_ids[1]
       AND r.capture_time = kept.capture_times[1];
END
$$;

REVOKE ALL ON FUNCTION
    archive.place_hold(uuid, uuid, text, text, text, text, bytea, text, timestamptz, timestamptz, text[], text[]),
    archive.holds(text, uuid, integer), archive.release_hold(uuid, uuid, text), archive.holds_in_force(),
    archive.hold_acts_to_record(), archive.note_hold_act(uuid),
    archive.find_held(text, bigint, bigint, integer, uuid, uuid),
    archive.find_held_image(text, bigint, bigint, integer, uuid, uuid),
    archive.held_image_key(text, uuid, uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.place_hold(uuid, uuid, text, text, text, text, bytea, text, timestamptz, timestamptz, text[], text[]),
    archive.holds(text, uuid, integer), archive.release_hold(uuid, uuid, text), archive.holds_in_force(),
    archive.hold_acts_to_record(), archive.note_hold_act(uuid)
    TO search_purge;
GRANT EXECUTE ON FUNCTION
    archive.find_held(text, bigint, bigint, integer, uuid, uuid),
    archive.find_held_image(text, bigint, bigint, integer, uuid, uuid),
    archive.held_image_key(text, uuid, uuid)
    TO search_question;

RESET ROLE;
