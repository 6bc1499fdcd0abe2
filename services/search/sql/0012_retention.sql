-- How long reads are kept, what is held longer, and how a day ends (ENF-051 IV.E.1, IV.E.3). README, "Retention".
SET LOCAL ROLE archive_owner;

-- The revision of audit's setting that retention_days is of; 0 before audit was heard for the first time.
ALTER TABLE archive.setting ADD COLUMN revision bigint NOT NULL DEFAULT 0;

-- Follows audit's setting and gives the days of now. Whoever calls it: only audit can make the statement,
-- `retention/v1|revision|days|MAC`, and an older one changes nothing.
CREATE FUNCTION archive.follow_retention(statement text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    body text := left(statement, -65);
    field text[] := string_to_array(body, '|');
BEGIN
    IF (octet_length(statement) <= 200 AND substr(statement, length(statement) - 64, 1) = '|'
        AND archive.permit_is_genuine(body, right(statement, 64))
        AND field[1] = 'retention/v1' AND cardinality(field) = 3) IS NOT TRUE THEN
        PERFORM archive.refuse();
    END IF;
    UPDATE archive.setting AS s SET retention_days = field[3]::integer, revision = field[2]::bigint
     WHERE s.revision <= field[2]::bigint
       AND (s.retention_days, s.revision) IS DISTINCT FROM (field[3]::integer, field[2]::bigint);
    RETURN (SELECT s.retention_days FROM archive.setting AS s);
END
$$;

-- The first UTC day of which reads may still be found.
CREATE FUNCTION archive.first_kept_day() RETURNS date
LANGUAGE sql VOLATILE SET search_path = archive, pg_temp
RETURN (archive.retention_start() AT TIME ZONE 'UTC')::date;

-- A legal hold: a rule about reads of one agency. A read that it covers is kept apart when its day is purged. Case
-- number and approver are on it; the plates are forgotten when it is released.
CREATE TABLE archive.hold (
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
    released_rows bigint
);
CREATE INDEX hold_in_force ON archive.hold (from_time) WHERE released_at IS NULL;

-- Reads that outlived their day under a hold. No search reaches this table.
CREATE TABLE archive.held_read (
    hold_id uuid NOT NULL REFERENCES archive.hold,
    LIKE archive.read,
    image_apart boolean NOT NULL DEFAULT false,  -- the sealed image lies with the hold
    PRIMARY KEY (hold_id, read_id)
);
CREATE INDEX held_read_by_day ON archive.held_read (image_day);

-- The end of one UTC day. A day has a second one if anything of it was found again.
CREATE TABLE archive.purge (
    purge_id uuid PRIMARY KEY,
    intent_id uuid NOT NULL UNIQUE,
    day date NOT NULL,
    begun_at timestamptz NOT NULL,
    ended_at timestamptz,
    result text CHECK (result IN ('DONE', 'FAILED')),
    certificate jsonb,
    receipts bytea[],               -- alpr.type.v1.AuditReceipt of intent and outcome
    CHECK ((ended_at IS NULL) = (result IS NULL))
);
CREATE UNIQUE INDEX purge_under_way ON archive.purge (day) WHERE ended_at IS NULL;
CREATE INDEX purge_by_end ON archive.purge (ended_at DESC, purge_id);

-- What each step of a purge did, written in the step's own transaction, so that none is done twice.
CREATE TABLE archive.purge_step (
    purge_id uuid NOT NULL REFERENCES archive.purge,
    step text NOT NULL,
    result jsonb NOT NULL,
    PRIMARY KEY (purge_id, step)
);

-- Refuses a day of which a read may still be found. Ten minutes more, so that what was on its way when the day ended
-- has arrived, and clocks may differ a little.
CREATE FUNCTION archive.require_over(day date) RETURNS void
LANGUAGE plpgsql SET search_path = archive, pg_temp AS $$
BEGIN
    IF ((day + 1)::timestamp AT TIME ZONE 'UTC' + interval '10 minutes' <= archive.retention_start()) IS NOT TRUE THEN
        RAISE EXCEPTION 'reads of this day are still kept' USING ERRCODE = '55000';
    END IF;
END
$$;

-- Days that are over and still have tables, oldest first.
CREATE FUNCTION archive.days_over() RETURNS SETOF date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT to_date(right(c.relname, 8), 'YYYYMMDD') AS day
      FROM pg_catalog.pg_class AS c
     WHERE c.relnamespace = 'archive'::regnamespace AND c.relkind = 'r'
       AND c.relname ~ '^(read|quarantine)_[0-9]{8}$'
       AND (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC' + interval '10 minutes'
           <= archive.retention_start()
     ORDER BY day;
END;

-- The last day that is over (see require_over).
CREATE FUNCTION archive.last_day_over() RETURNS date
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = archive, pg_temp
RETURN ((archive.retention_start() - interval '10 minutes') AT TIME ZONE 'UTC')::date - 1;

-- How often the day has been purged to the end, or given up.
CREATE FUNCTION archive.purges_of(day date) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT count(*) FROM archive.purge AS p WHERE p.day = purges_of.day AND p.ended_at IS NOT NULL;
END;

-- Purges that have begun and not ended, oldest day first.
CREATE FUNCTION archive.purges_under_way() RETURNS TABLE (purge_id uuid, intent_id uuid, day date)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT p.purge_id, p.intent_id, p.day FROM archive.purge AS p WHERE p.ended_at IS NULL ORDER BY p.day;
END;

-- Begins the purge of a day that is over, once; its intent is in audit's log already.
CREATE FUNCTION archive.begin_purge(purge_id uuid, intent_id uuid, day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
BEGIN
    PERFORM archive.require_over(day);
    INSERT INTO archive.purge (purge_id, intent_id, day, begun_at)
    VALUES (begin_purge.purge_id, begin_purge.intent_id, begin_purge.day, clock_timestamp())
        ON CONFLICT DO NOTHING;
END
$$;

-- The day of a purge that is under way; locks it. Refuses any other.
CREATE FUNCTION archive.purged_day(purge uuid) RETURNS date
LANGUAGE plpgsql SET search_path = archive, pg_temp AS $$
DECLARE
    found_day date;
BEGIN
    SELECT p.day INTO found_day FROM archive.purge AS p WHERE p.purge_id = purge AND p.ended_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such purge is under way' USING ERRCODE = '55000';
    END IF;
    RETURN found_day;
END
$$;

-- Rows of a table of one day, the SHA-256 of their read ids in order (16 bytes each), and the table's bytes on disk.
-- Waits for whoever writes into it; then nobody does until the transaction ends.
CREATE FUNCTION archive.day_content(schema_name text, table_name text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = archive, pg_temp AS $$
DECLARE
    content jsonb;
BEGIN
    EXECUTE format('LOCK TABLE %I.%I IN SHARE MODE', schema_name, table_name);
    EXECUTE format(
        'SELECT jsonb_build_object(''rows'', count(*), ''digest'', encode(sha256(coalesce(
                string_agg(uuid_send(t.read_id), '''' ORDER BY t.read_id), '''')), ''hex''), ''bytes'', $1)
           FROM %I.%I AS t', schema_name, table_name)
       INTO content USING pg_total_relation_size(format('%I.%I', schema_name, table_name)::regclass);
    RETURN content;
END
$$;

-- Keeps the reads of a day that holds in force cover; how many holds keep how many reads of the day now.
CREATE FUNCTION archive.keep_held(day date) RETURNS jsonb
LANGUAGE plpgsql SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    day_start timestamptz := day::timestamp AT TIME ZONE 'UTC';
BEGIN
    INSERT INTO archive.held_read (
        hold_id, read_id, capture_time, receive_time, plate, state, sensor_id, agency_ori, sensor_group, provenance,
        latitude, longitude, place, confidence, recognition, model_version, sender_read_id,
        image_sha256, image_day, image_media_type, image_size, image_key, content_digest, match_revision)
    SELECT h.hold_id, r.read_id, r.capture_time, r.receive_time, r.plate, r.state, r.sensor_id, r.agency_ori,
           r.sensor_group, r.provenance, r.latitude, r.longitude, r.place, r.confidence, r.recognition,
           r.model_version, r.sender_read_id, r.image_sha256, r.image_day, r.image_media_type, r.image_size,
           r.image_key, r.content_digest, r.match_revision
      FROM archive.hold AS h
      JOIN archive.read AS r ON archive.is_held(h, r.agency_ori, r.plate, r.sensor_id)
       AND r.capture_time >= h.from_time AND r.capture_time < h.to_time
     WHERE h.released_at IS NULL AND h.from_time < day_start + interval '1 day' AND h.to_time > day_start
       AND r.capture_time >= day_start AND r.capture_time < day_start + interval '1 day'
        ON CONFLICT DO NOTHING;
    RETURN (SELECT jsonb_build_object('holds', count(DISTINCT k.hold_id), 'rows', count(DISTINCT k.read_id))
              FROM archive.held_read AS k WHERE k.image_day = day);
END
$$;

-- Whether a hold's rule covers reads of this agency, plate and sensor. Inlined: no search_path of its own.
CREATE FUNCTION archive.is_held(h archive.hold, agency_ori text, plate text, sensor_id text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN h.agency_ori = agency_ori
   AND (cardinality(h.plates) = 0 OR plate = ANY (h.plates))
   AND (cardinality(h.sensor_ids) = 0 OR sensor_id = ANY (h.sensor_ids));

-- Ends the rows of the purge's day: what holds cover is kept apart, the rest is gone when this commits. What it did is
-- written down with it, and given again when it is called again. A second at most it waits for readers, for other
-- readers wait behind it; then it is to be called again.
CREATE FUNCTION archive.drop_day(purge uuid) RETURNS jsonb
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
    content := content || jsonb_build_object('held', archive.keep_held(day));
    FOREACH parent IN ARRAY ARRAY['read', 'quarantine'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS archive.%I', parent || '_' || suffix);
    END LOOP;
    INSERT INTO archive.purge_step (purge_id, step, result) VALUES (purge, 'rows', content);
    RETURN content;
END
$$;

-- Has the dictionary forget days that are over, of at most `most` words, and gives how many it did; call it until that
-- is 0. The numbers add up in the purge's step.
CREATE FUNCTION archive.forget_words(purge uuid, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    forgotten integer;
BEGIN
    PERFORM archive.purged_day(purge);
    forgotten := archive.dictionary_forget(most);
    INSERT INTO archive.purge_step AS s (purge_id, step, result)
    VALUES (purge, 'dictionary', jsonb_build_object('words', forgotten))
        ON CONFLICT (purge_id, step) DO UPDATE
       SET result = jsonb_build_object('words', (s.result ->> 'words')::integer + forgotten);
    RETURN forgotten;
END
$$;

-- Writes down what a step outside of this schema did; the first word of a step stays. Gives what is written.
CREATE FUNCTION archive.note_step(purge uuid, step text, result jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
BEGIN
    PERFORM archive.purged_day(purge);
    INSERT INTO archive.purge_step (purge_id, step, result)
    VALUES (purge, note_step.step, note_step.result) ON CONFLICT DO NOTHING;
    RETURN (SELECT s.result FROM archive.purge_step AS s WHERE s.purge_id = purge AND s.step = note_step.step);
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

-- Ends a purge, once. `result` is DONE or FAILED.
CREATE FUNCTION archive.end_purge(purge uuid, result text, certificate jsonb, receipts bytea[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    UPDATE archive.purge AS p
       SET ended_at = clock_timestamp(), result = end_purge.result, certificate = end_purge.certificate,
           receipts = end_purge.receipts
     WHERE p.purge_id = purge AND p.ended_at IS NULL;
END;

-- What the steps of a purge did, by step; when it began, and by which setting.
CREATE FUNCTION archive.purge_result(purge uuid)
RETURNS TABLE (begun_at timestamptz, retention_days integer, setting_revision bigint, steps jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT p.begun_at, s.retention_days, s.revision,
           coalesce((SELECT jsonb_object_agg(t.step, t.result) FROM archive.purge_step AS t
                      WHERE t.purge_id = p.purge_id), '{}')
      FROM archive.purge AS p CROSS JOIN archive.setting AS s
     WHERE p.purge_id = purge;
END;

-- Purges that ended, newest first, before a position.
CREATE FUNCTION archive.purges(before_time timestamptz, before_id uuid, most integer)
RETURNS TABLE (purge_id uuid, day date, ended_at timestamptz, result text, certificate jsonb, receipts bytea[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT p.purge_id, p.day, p.ended_at, p.result, p.certificate, p.receipts
      FROM archive.purge AS p
     WHERE p.ended_at IS NOT NULL AND (p.ended_at, p.purge_id) < (before_time, before_id)
     ORDER BY p.ended_at DESC, p.purge_id DESC
     LIMIT most;
END;

-- When a purge last looked at all days, for the daily run.
ALTER TABLE archive.setting ADD COLUMN purged_on date;
CREATE FUNCTION archive.purge_is_due() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = archive, pg_temp
RETURN (SELECT s.purged_on IS DISTINCT FROM (clock_timestamp() AT TIME ZONE 'UTC')::date FROM archive.setting AS s);
CREATE FUNCTION archive.purge_was_run() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    UPDATE archive.setting SET purged_on = (clock_timestamp() AT TIME ZONE 'UTC')::date;
END;

REVOKE ALL ON FUNCTION
    archive.follow_retention(text), archive.first_kept_day(), archive.require_over(date), archive.days_over(),
    archive.last_day_over(), archive.purges_of(date), archive.purges_under_way(), archive.begin_purge(uuid, uuid, date),
    archive.purged_day(uuid), archive.day_content(text, text), archive.keep_held(date),
    archive.is_held(archive.hold, text, text, text), archive.drop_day(uuid), archive.forget_words(uuid, integer),
    archive.note_step(uuid, text, jsonb), archive.images_to_part(date), archive.image_parted(uuid, bytea),
    archive.held_images(date), archive.end_purge(uuid, text, jsonb, bytea[]), archive.purge_result(uuid),
    archive.purges(timestamptz, uuid, integer), archive.purge_is_due(), archive.purge_was_run()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.follow_retention(text), archive.days_over(), archive.last_day_over(), archive.purges_of(date),
    archive.purges_under_way(), archive.begin_purge(uuid, uuid, date), archive.drop_day(uuid),
    archive.forget_words(uuid, integer), archive.note_step(uuid, text, jsonb), archive.images_to_part(date),
    archive.image_parted(uuid, bytea), archive.held_images(date), archive.end_purge(uuid, text, jsonb, bytea[]),
    archive.purge_result(uuid), archive.purges(timestamptz, uuid, integer), archive.purge_is_due(),
    archive.purge_was_run()
    TO search_purge;

RESET ROLE;
