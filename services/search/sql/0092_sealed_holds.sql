-- Legal holds to the end (ENF-051 IV.E.3), in the place of 0060_holds.sql: audit signs each hold and each release, and
-- what a hold keeps is sealed with its own key in the transaction that keeps it. The key comes from the search service,
-- which wraps it; the archive has it wrapped, until the release forgets it.
DO $$
BEGIN
    -- No earlier version was released: what one kept lies in clear, and nobody signed its holds.
    IF EXISTS (SELECT FROM archive.hold WHERE released_at IS NULL) THEN
        RAISE EXCEPTION 'release the legal holds of the version before this one, and place them anew';
    END IF;
END
$$;

SET LOCAL ROLE archive_owner;

ALTER TABLE archive.hold
    ADD COLUMN wrapped_key bytea,
    ADD COLUMN key_digest bytea CHECK (octet_length(key_digest) = 32),
    ADD CHECK ((wrapped_key IS NULL) = (released_at IS NOT NULL) AND (key_digest IS NULL) = (wrapped_key IS NULL));
COMMENT ON TABLE archive.hold IS 'kept: which holds there were; once they are released, without plates and key';

DROP FUNCTION archive.place_hold(
    uuid, uuid, text, text, text, text, bytea, text, timestamptz, timestamptz, text[], text[]);
DROP FUNCTION archive.holds(text, uuid, integer);
DROP FUNCTION archive.release_hold(uuid, uuid, text);
DROP FUNCTION archive.find_held_image(text, bigint, bigint, integer, uuid, uuid);
DROP FUNCTION archive.held_image_key(text, uuid, uuid);
DROP FUNCTION archive.keep_held(date);
DROP FUNCTION archive.drop_day(uuid);
DROP FUNCTION archive.images_to_part(date);
DROP FUNCTION archive.image_parted(uuid, bytea);
DROP FUNCTION archive.held_images(date);
DROP TABLE archive.held_read;

-- Reads that outlived their day under a hold. In clear is what says whose they are, when they were and which picture is
-- theirs; the rest is sealed (archive.sealed), and what opens the picture is sealed by itself.
CREATE TABLE archive.held_read (
    hold_id uuid NOT NULL REFERENCES archive.hold,
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
CREATE INDEX held_read_by_day ON archive.held_read (image_day);

-- Places a hold on reads of the actor's agency, once, and gives how many reads it covers now; refuses one that audit did
-- not sign. It covers later reads of its window, too, and none that was too old to be found when it was placed.
CREATE FUNCTION archive.place_hold(
    statement text, hold_id uuid, case_number_kind text, case_number text, document_sha256 bytea, reason text,
    from_time timestamptz, to_time timestamptz, plates text[], sensor_ids text[], wrapped_key bytea, key_digest bytea
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_variable
DECLARE
    act archive.act := archive.signed_act(statement, 'hold.place',
        archive.act_line('resource', hold_id::text),
        archive.act_line('case_number_kind', case_number_kind),
        archive.act_line('case_number', case_number),
        archive.act_line('document_sha256', encode(document_sha256, 'hex')),
        archive.act_line('from', archive.act_moment(from_time)),
        archive.act_line('plates', archive.argument_value(array_to_string(plates, ','))),
        archive.act_line('reason', reason),
        archive.act_line('sensors', archive.argument_value(array_to_string(sensor_ids, ','))),
        archive.act_line('to', archive.act_moment(to_time)));
    held_from timestamptz := greatest(from_time, archive.retention_start());
    matching bigint;
BEGIN
    IF cardinality(plates) + cardinality(sensor_ids) = 0 THEN
        RAISE EXCEPTION 'a hold names plates or sensors' USING ERRCODE = '22023';
    END IF;
    SELECT h.matching_rows INTO matching FROM archive.hold AS h
     WHERE h.hold_id = hold_id AND h.intent_id = act.intent_id;
    IF FOUND THEN
        RETURN matching;
    END IF;
    -- Two statements, so that each has its index.
    IF cardinality(plates) > 0 THEN
        SELECT count(*) INTO matching FROM archive.read AS r
         WHERE r.plate = ANY (plates) AND r.capture_time >= held_from AND r.capture_time < to_time
           AND r.agency_ori = act.agency_ori AND (cardinality(sensor_ids) = 0 OR r.sensor_id = ANY (sensor_ids));
    ELSE
        SELECT count(*) INTO matching FROM archive.read AS r
         WHERE r.sensor_id = ANY (sensor_ids) AND r.capture_time >= held_from AND r.capture_time < to_time
           AND r.agency_ori = act.agency_ori;
    END IF;
    INSERT INTO archive.hold (
        hold_id, intent_id, agency_ori, approver_id, case_number_kind, case_number, document_sha256, reason, placed_at,
        from_time, to_time, plates, sensor_ids, matching_rows, wrapped_key, key_digest)
    VALUES (hold_id, act.intent_id, act.agency_ori, act.account_id, case_number_kind, case_number, document_sha256,
            reason, clock_timestamp(), held_from, to_time, plates, sensor_ids, matching, wrapped_key, key_digest);
    RETURN matching;
END
$$;

-- Holds of one agency by id, with what each has kept apart. No plate is among it, and no key.
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

-- Releases a hold of the actor's agency, once: its rule ends, and its key and what it kept are gone when this commits.
-- The read ids' digest and their number, for the record; no row when there is no such hold, or another act released it.
-- Refuses a release that audit did not sign.
CREATE FUNCTION archive.release_hold(statement text, hold uuid, reason text)
RETURNS TABLE (rows bigint, digest bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    act archive.act := archive.signed_act(statement, 'hold.release',
        archive.act_line('resource', hold::text), archive.act_line('reason', reason));
    known archive.hold;
BEGIN
    SELECT h.* INTO known FROM archive.hold AS h
     WHERE h.hold_id = hold AND h.agency_ori = act.agency_ori FOR UPDATE;
    IF NOT FOUND OR known.release_intent_id IS DISTINCT FROM act.intent_id AND known.released_at IS NOT NULL THEN
        RETURN;
    END IF;
    IF known.released_at IS NULL THEN
        SELECT count(*), sha256(coalesce(string_agg(uuid_send(r.read_id), '' ORDER BY r.read_id), ''))
          INTO rows, digest
          FROM archive.held_read AS r WHERE r.hold_id = hold;
        DELETE FROM archive.held_read AS r WHERE r.hold_id = hold;
        UPDATE archive.hold AS h
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

-- Holds in force that reach into a day, with their wrapped keys.
CREATE FUNCTION archive.hold_keys(day date) RETURNS TABLE (hold_id uuid, wrapped_key bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT h.hold_id, h.wrapped_key FROM archive.hold AS h
     WHERE h.released_at IS NULL
       AND h.from_time < (hold_keys.day + 1)::timestamp AT TIME ZONE 'UTC'
       AND h.to_time > hold_keys.day::timestamp AT TIME ZONE 'UTC'
     ORDER BY h.hold_id;
END;

-- Refuses keys that lack one of a hold that reaches into the day, or have another one than it was placed with.
CREATE FUNCTION archive.require_hold_keys(day date, hold_ids uuid[], keys bytea[]) RETURNS void
LANGUAGE plpgsql SET search_path = archive, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM archive.hold_keys(day) AS d JOIN archive.hold AS h ON h.hold_id = d.hold_id
                WHERE NOT EXISTS (SELECT FROM unnest(hold_ids, keys) AS k (hold_id, key)
                                   WHERE k.hold_id = h.hold_id AND archive.hold_key_digest(k.key) = h.key_digest)) THEN
        RAISE EXCEPTION 'a hold on this day lacks its key' USING ERRCODE = '22023';
    END IF;
END
$$;

-- Seals with the holds' keys what they cover of the day, at most so many reads, and gives how many it sealed; 0 when
-- all of it is sealed. Reads that are sealed already stay as they are.
CREATE FUNCTION archive.seal_held(day date, hold_ids uuid[], keys bytea[], most integer) RETURNS integer
LANGUAGE plpgsql SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    day_start timestamptz := day::timestamp AT TIME ZONE 'UTC';
    sealed_now integer;
BEGIN
    PERFORM archive.require_hold_keys(day, hold_ids, keys);
    INSERT INTO archive.held_read (
        hold_id, read_id, capture_time, agency_ori, sensor_group, image_day, image_sha256, sealed_read, sealed_image_key)
    SELECT c.hold_id, (c.r).read_id, (c.r).capture_time, (c.r).agency_ori, (c.r).sensor_group, (c.r).image_day,
           (c.r).image_sha256,
           archive.sealed(c.key, format('held-read/v1/%s/%s', c.hold_id, (c.r).read_id),
                          convert_to((to_jsonb(c.r) - 'image_key')::text, 'UTF8')),
           archive.sealed(c.key, format('held-image-key/v1/%s/%s', c.hold_id, (c.r).read_id), (c.r).image_key)
      FROM (SELECT h.hold_id, k.key, r
              FROM archive.hold AS h
              JOIN unnest(hold_ids, keys) AS k (hold_id, key) ON k.hold_id = h.hold_id
              JOIN archive.read AS r ON archive.is_held(h, r.agency_ori, r.plate, r.sensor_id)
               AND r.capture_time >= h.from_time AND r.capture_time < h.to_time
             WHERE h.released_at IS NULL
               AND r.capture_time >= day_start AND r.capture_time < day_start + interval '1 day'
               AND NOT EXISTS (SELECT FROM archive.held_read AS s WHERE s.hold_id = h.hold_id AND s.read_id = r.read_id)
             LIMIT most) AS c
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS sealed_now = ROW_COUNT;
    RETURN sealed_now;
END
$$;

-- As seal_held, of a day that is over: call it until it gives 0, so that little is left to seal in the transaction that
-- drops the day.
CREATE FUNCTION archive.seal_day(day date, hold_ids uuid[], keys bytea[], most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
BEGIN
    PERFORM archive.require_over(day);
    RETURN archive.seal_held(day, hold_ids, keys, most);
END
$$;

-- Ends the rows of the purge's day: what holds cover is kept apart, sealed with their keys; the rest is gone when this
-- commits. What it did is written down with it, and given again when it is called again. A second at most it waits for
-- readers, for other readers wait behind it; then it is to be called again.
CREATE FUNCTION archive.drop_day(purge uuid, hold_ids uuid[], keys bytea[]) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    day date := archive.purged_day(purge);
    suffix text := to_char(day, 'YYYYMMDD');
    content jsonb := (SELECT s.result FROM archive.purge_step AS s WHERE s.purge_id = purge AND s.step = 'rows');
    parent text;
BEGIN
    IF content IS NOT NULL THEN
        RETURN content;
    END IF;
    PERFORM archive.require_over(day);
    content := '{}';
    FOREACH parent IN ARRAY ARRAY['read', 'quarantine'] LOOP
        IF to_regclass('archive.' || parent || '_' || suffix) IS NOT NULL THEN
            content := content || jsonb_build_object(parent, archive.day_content('archive', parent || '_' || suffix));
        END IF;
    END LOOP;
    PERFORM archive.seal_held(day, hold_ids, keys, NULL);
    content := content || (
        SELECT jsonb_build_object('held', jsonb_build_object(
                   'holds', count(DISTINCT k.hold_id), 'rows', count(DISTINCT k.read_id)))
          FROM archive.held_read AS k WHERE k.image_day = day);
    FOREACH parent IN ARRAY ARRAY['read', 'quarantine'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS archive.%I', parent || '_' || suffix);
    END LOOP;
    INSERT INTO archive.purge_step (purge_id, step, result) VALUES (purge, 'rows', content);
    RETURN content;
END
$$;

-- Images of a day that holds need and that do not lie with them yet: hashes alone, what opens them stays here.
CREATE FUNCTION archive.images_to_part(day date) RETURNS TABLE (hold_id uuid, image_sha256 bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT h.hold_id, h.image_sha256
      FROM archive.held_read AS h
     WHERE h.image_day = images_to_part.day AND NOT h.image_apart
     ORDER BY h.hold_id, h.image_sha256;
END;

-- Notes that the sealed image lies with the hold.
CREATE FUNCTION archive.image_parted(hold uuid, sha256 bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    UPDATE archive.held_read AS h SET image_apart = true WHERE h.hold_id = hold AND h.image_sha256 = sha256;
END;

-- Of the images of a day that holds need: how many lie with their holds now, and how many do not.
CREATE FUNCTION archive.held_images(day date) RETURNS TABLE (parted bigint, missing bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT count(DISTINCT h.image_sha256) FILTER (WHERE h.image_apart),
           count(DISTINCT h.image_sha256) FILTER (WHERE NOT h.image_apart)
      FROM archive.held_read AS h
     WHERE h.image_day = held_images.day;
END;

CREATE FUNCTION archive.held_question(
    from_us bigint, to_us bigint, page_size integer, hold uuid, after_read_id uuid
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN archive.general_question('held', from_us, to_us, page_size,
    archive.canonical_line('hold_id', hold::text),
    archive.canonical_line('after_read_id', after_read_id::text));

-- Puts the question "which reads has this hold kept?": reads that are in the archive no more, by id. The one kind of
-- question, with that for their pictures, whose permit reaches past the retention period.
CREATE OR REPLACE FUNCTION archive.find_held(
    permit text, from_us bigint, to_us bigint, page_size integer, hold uuid, after_read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'held');
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time);
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    rows_wanted integer := least(page_size, 1000);
    found_ids uuid[];
    found_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.held_question(from_us, to_us, page_size, hold, after_read_id));
    SELECT array_agg(p.read_id ORDER BY p.read_id), array_agg(p.capture_time ORDER BY p.read_id)
      INTO found_ids, found_times
      FROM (SELECT r.read_id, r.capture_time FROM archive.held_read AS r
             WHERE r.hold_id = hold AND r.capture_time >= from_time AND r.capture_time < to_time
               AND r.read_id > coalesce(after_read_id, '00000000-0000-0000-0000-000000000000')
               AND r.agency_ori = ANY (opened.agency_oris)
               AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
             ORDER BY r.read_id LIMIT rows_wanted + 1) AS p;
    PERFORM archive.keep_answer(opened, found_ids[:rows_wanted], found_times[:rows_wanted],
                                coalesce(cardinality(found_ids), 0) > rows_wanted);
END
$$;

-- The reads of the answer by id, each sealed, with the wrapped key that opens them.
CREATE FUNCTION archive.held_reads(
    permit text, from_us bigint, to_us bigint, page_size integer, hold uuid, after_read_id uuid
) RETURNS TABLE (read_id uuid, sealed_read bytea, wrapped_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'held');
    kept archive.permit_used := archive.kept_answer(opened);
BEGIN
    PERFORM archive.require_question(opened, archive.held_question(from_us, to_us, page_size, hold, after_read_id));
    RETURN QUERY
    SELECT r.read_id, r.sealed_read, h.wrapped_key
      FROM archive.held_read AS r JOIN archive.hold AS h ON h.hold_id = r.hold_id
     WHERE r.hold_id = hold AND r.read_id = ANY (kept.read_ids)
     ORDER BY r.read_id;
END
$$;

CREATE FUNCTION archive.held_image_question(
    from_us bigint, to_us bigint, page_size integer, hold uuid, read_id uuid
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN archive.general_question('heldimage', from_us, to_us, page_size,
    archive.canonical_line('hold_id', hold::text),
    archive.canonical_line('read_id', read_id::text));

-- Puts the question "show me the picture of this read that the hold has kept".
CREATE FUNCTION archive.find_heldimage(
    permit text, from_us bigint, to_us bigint, page_size integer, hold uuid, read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'heldimage');
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.held_image_question(from_us, to_us, page_size, hold, read_id));
    SELECT array_agg(r.read_id), array_agg(r.capture_time)
      INTO read_ids, capture_times
      FROM archive.held_read AS r
     WHERE r.hold_id = hold AND r.read_id = find_heldimage.read_id AND r.image_apart
       AND r.capture_time >= greatest(archive.moment(from_us), opened.from_time)
       AND r.capture_time < least(archive.moment(to_us), opened.to_time)
       AND r.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups));
    PERFORM archive.keep_answer(opened, read_ids, capture_times, false);
END
$$;

-- What opens the picture under the hold's own seal, sealed with the hold's key, and that key wrapped; no row when there
-- is none in the permit's answer.
CREATE FUNCTION archive.held_image_key(
    permit text, from_us bigint, to_us bigint, page_size integer, hold uuid, read_id uuid
) RETURNS TABLE (image_day date, image_sha256 bytea, sealed_read bytea, sealed_image_key bytea, wrapped_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'heldimage');
    kept archive.permit_used := archive.kept_answer(opened);
BEGIN
    PERFORM archive.require_question(opened, archive.held_image_question(
        from_us, to_us, page_size, hold, held_image_key.read_id));
    RETURN QUERY
    SELECT r.image_day, r.image_sha256, r.sealed_read, r.sealed_image_key, h.wrapped_key
      FROM archive.held_read AS r JOIN archive.hold AS h ON h.hold_id = r.hold_id
     WHERE r.hold_id = hold AND r.read_id = held_image_key.read_id AND r.read_id = kept.read_ids[1];
END
$$;

REVOKE ALL ON FUNCTION
    archive.place_hold(
        text, uuid, text, text, bytea, text, timestamptz, timestamptz, text[], text[], bytea, bytea),
    archive.holds(text, uuid, integer), archive.release_hold(text, uuid, text), archive.hold_keys(date),
    archive.require_hold_keys(date, uuid[], bytea[]), archive.seal_held(date, uuid[], bytea[], integer),
    archive.seal_day(date, uuid[], bytea[], integer), archive.drop_day(uuid, uuid[], bytea[]),
    archive.images_to_part(date), archive.image_parted(uuid, bytea), archive.held_images(date),
    archive.held_question(bigint, bigint, integer, uuid, uuid),
    archive.held_reads(text, bigint, bigint, integer, uuid, uuid),
    archive.held_image_question(bigint, bigint, integer, uuid, uuid),
    archive.find_heldimage(text, bigint, bigint, integer, uuid, uuid),
    archive.held_image_key(text, bigint, bigint, integer, uuid, uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.place_hold(
        text, uuid, text, text, bytea, text, timestamptz, timestamptz, text[], text[], bytea, bytea),
    archive.holds(text, uuid, integer), archive.release_hold(text, uuid, text), archive.hold_keys(date),
    archive.seal_day(date, uuid[], bytea[], integer), archive.drop_day(uuid, uuid[], bytea[]),
    archive.images_to_part(date), archive.image_parted(uuid, bytea), archive.held_images(date)
    TO search_purge;
GRANT EXECUTE ON FUNCTION
    archive.held_reads(text, bigint, bigint, integer, uuid, uuid),
    archive.find_heldimage(text, bigint, bigint, integer, uuid, uuid),
    archive.held_image_key(text, bigint, bigint, integer, uuid, uuid)
    TO search_question;

RESET ROLE;
