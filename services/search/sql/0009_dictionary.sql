-- The dictionary: which plates and which places were seen on which days, so that a question with unknown characters
-- or an area looks at a few million words and not at every read. It holds nothing that no read holds and goes with its
-- days; no login reads it, only the question functions do. README, "Dictionary", says how it is asked.

-- LIKE '%BC1%' by index. In public, where it is when the database's administrator made it before us.
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;

SET LOCAL ROLE archive_owner;

-- A distinct plate with its days (UTC, of capture) in ascending order. first_day is days[1] in a column of its own:
-- with the index on that one, a day more changes no indexed column, and no index is touched.
CREATE TABLE archive.plate_seen (
    plate text COLLATE "C" PRIMARY KEY,
    first_day date NOT NULL,
    days date[] NOT NULL CHECK (cardinality(days) > 0 AND days[1] = first_day)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX plate_seen_by_end ON archive.plate_seen (reverse(plate) COLLATE "C");
CREATE INDEX plate_seen_by_part ON archive.plate_seen USING gin (plate public.gin_trgm_ops)
    WITH (gin_pending_list_limit = 256);
CREATE INDEX plate_seen_by_first_day ON archive.plate_seen (first_day);

-- In which cells of 0.01 by 0.01 degrees a sensor's reads were, in which group, and on which days. A fixed sensor has one
-- row.
CREATE TABLE archive.place_seen (
    cell_latitude smallint NOT NULL,
    cell_longitude smallint NOT NULL,
    sensor_id text COLLATE "C" NOT NULL,
    sensor_group text COLLATE "C" NOT NULL,
    first_day date NOT NULL,
    days date[] NOT NULL CHECK (cardinality(days) > 0 AND days[1] = first_day),
    PRIMARY KEY (cell_latitude, cell_longitude, sensor_id, sensor_group)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX place_seen_by_group ON archive.place_seen (sensor_group);
CREATE INDEX place_seen_by_first_day ON archive.place_seen (first_day);

-- Reads of a sensor in the order of time (areas, convoys, summaries, sensor health), and a time by itself: reads
-- arrive nearly in its order, so ranges of pages will do.
CREATE INDEX read_by_sensor ON archive.read (sensor_id, capture_time DESC);
CREATE INDEX read_by_time ON archive.read USING brin (capture_time) WITH (pages_per_range = 32);

-- Without a search_path of their own, which would keep them from being inlined: their bodies are parsed here and now.
CREATE FUNCTION archive.utc_day(moment timestamptz) RETURNS date
LANGUAGE sql IMMUTABLE RETURN (moment AT TIME ZONE 'UTC')::date;

CREATE FUNCTION archive.cell(degrees double precision) RETURNS smallint
LANGUAGE sql IMMUTABLE RETURN floor(degrees * 100)::smallint;

-- Notes that these plates were seen on these days, one array element each. In the order of the plates, so that two
-- replicas wait for each other instead of deadlocking. What is known is not written again: most of a day's reads are
-- of plates that were seen that day before. Without sequential scans, as the plan is made while the table is empty.
CREATE FUNCTION archive.note_plates(plates text[], seen_days date[]) RETURNS void
LANGUAGE plpgsql SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO archive.plate_seen AS p (plate, first_day, days)
    SELECT n.plate, min(n.day), array_agg(DISTINCT n.day ORDER BY n.day)
      FROM unnest(plates, seen_days) AS n (plate, day)
     WHERE NOT EXISTS (SELECT FROM archive.plate_seen AS k WHERE k.plate = n.plate AND n.day = ANY (k.days))
     GROUP BY n.plate
     ORDER BY n.plate
        ON CONFLICT (plate) DO UPDATE
       SET first_day = least(p.first_day, excluded.first_day),
           days = CASE WHEN excluded.first_day > p.days[cardinality(p.days)] THEN p.days || excluded.days
                       ELSE ARRAY(SELECT DISTINCT d.day FROM unnest(p.days || excluded.days) AS d (day)
                                   ORDER BY d.day) END;
END
$$;

-- As note_plates, for places.
CREATE FUNCTION archive.note_places(
    latitudes double precision[], longitudes double precision[], sensor_ids text[], sensor_groups text[],
    seen_days date[]
) RETURNS void
LANGUAGE plpgsql SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO archive.place_seen AS p (cell_latitude, cell_longitude, sensor_id, sensor_group, first_day, days)
    SELECT n.cell_latitude, n.cell_longitude, n.sensor_id, n.sensor_group, min(n.day), array_agg(n.day ORDER BY n.day)
      FROM (SELECT DISTINCT archive.cell(u.latitude) AS cell_latitude, archive.cell(u.longitude) AS cell_longitude,
                   u.sensor_id, u.sensor_group, u.day
              FROM unnest(latitudes, longitudes, sensor_ids, sensor_groups, seen_days)
                   AS u (latitude, longitude, sensor_id, sensor_group, day)) AS n
     WHERE NOT EXISTS (SELECT FROM archive.place_seen AS k
                        WHERE k.cell_latitude = n.cell_latitude AND k.cell_longitude = n.cell_longitude
                          AND k.sensor_id = n.sensor_id AND k.sensor_group = n.sensor_group AND n.day = ANY (k.days))
     GROUP BY n.cell_latitude, n.cell_longitude, n.sensor_id, n.sensor_group
     ORDER BY n.cell_latitude, n.cell_longitude, n.sensor_id, n.sensor_group
        ON CONFLICT (cell_latitude, cell_longitude, sensor_id, sensor_group) DO UPDATE
       SET first_day = least(p.first_day, excluded.first_day),
           days = CASE WHEN excluded.first_day > p.days[cardinality(p.days)] THEN p.days || excluded.days
                       ELSE ARRAY(SELECT DISTINCT d.day FROM unnest(p.days || excluded.days) AS d (day)
                                   ORDER BY d.day) END;
END
$$;

-- At most `most` plates of the form `pattern` (capitals, digits, `?` for one unknown character, `*` for any number of
-- them) that were seen from from_day to to_day, with those days, ascending. No plate for what is no such form.
-- Planned for each pattern: whether its beginning, its end or a part of it is looked up is the planner's choice.
CREATE FUNCTION archive.dictionary_like(pattern text, from_day date, to_day date, most integer)
RETURNS TABLE (plate text, days date[])
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
    form text := translate(pattern, '?*', '_%');
    mirrored text := reverse(form);
BEGIN
    IF (pattern ~ '^[A-Z0-9?*]{1,40}$') IS NOT TRUE THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT s.plate, w.days
      FROM archive.plate_seen AS s
     CROSS JOIN LATERAL (
            SELECT ARRAY(SELECT d.day FROM unnest(s.days) AS d (day) WHERE d.day BETWEEN from_day AND to_day)) AS w (days)
     WHERE s.plate LIKE form AND reverse(s.plate) COLLATE "C" LIKE mirrored AND cardinality(w.days) > 0
     LIMIT most;
END
$$;

-- Those of `wanted` that were seen from from_day to to_day, with those days, ascending.
CREATE FUNCTION archive.dictionary_any(wanted text[], from_day date, to_day date)
RETURNS TABLE (plate text, days date[])
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT s.plate, w.days
      FROM archive.plate_seen AS s
     CROSS JOIN LATERAL (
            SELECT ARRAY(SELECT d.day FROM unnest(s.days) AS d (day) WHERE d.day BETWEEN from_day AND to_day)) AS w (days)
     WHERE s.plate = ANY (wanted) AND cardinality(w.days) > 0;
END
$$;

-- `plate` and every text that is one character off: one replaced, left out or added. Some 550 for seven characters.
CREATE FUNCTION archive.one_off_texts(plate text) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN ARRAY(
    SELECT DISTINCT left(plate, n.at) || c.added || substr(plate, n.at + 1 + n.dropped)
      FROM (SELECT g.at, w.dropped
              FROM generate_series(0, length(plate)) AS g (at) CROSS JOIN (VALUES (0), (1)) AS w (dropped)) AS n
     CROSS JOIN unnest(array_append(string_to_array('ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', NULL), '')) AS c (added)
     WHERE n.at + n.dropped <= length(plate));

-- Sensors that had reads, from from_day to to_day, in a cell that the box touches, with those days, ascending. Which
-- reads lie in the box is for the caller to see: a sensor that moves has others.
CREATE FUNCTION archive.dictionary_sensors(
    south double precision, west double precision, north double precision, east double precision,
    from_day date, to_day date
) RETURNS TABLE (sensor_id text, days date[])
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT s.sensor_id, array_agg(DISTINCT d.day ORDER BY d.day)
      FROM archive.place_seen AS s
     CROSS JOIN LATERAL unnest(s.days) AS d (day)
     WHERE s.cell_latitude BETWEEN archive.cell(south) AND archive.cell(north)
       AND s.cell_longitude BETWEEN archive.cell(west) AND archive.cell(east)
       AND d.day BETWEEN from_day AND to_day
     GROUP BY s.sensor_id;
END
$$;

-- Forgets the days that lie wholly before the retention period, of at most `most` plates and of all places, and gives
-- the number of those plates and places. To be called until it gives 0, when no more reads of those days can come in.
-- Locks in the order of note_plates and note_places.
CREATE FUNCTION archive.dictionary_forget(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    oldest date := archive.utc_day(archive.retention_start());
    old_plates text[] := ARRAY(SELECT p.plate FROM archive.plate_seen AS p WHERE p.first_day < oldest LIMIT most);
    old_places bigint;
BEGIN
    PERFORM FROM archive.plate_seen AS p WHERE p.plate = ANY (old_plates) ORDER BY p.plate FOR UPDATE;
    DELETE FROM archive.plate_seen AS p
     WHERE p.plate = ANY (old_plates) AND p.days[cardinality(p.days)] < oldest;
    UPDATE archive.plate_seen AS p
       SET first_day = (SELECT min(d.day) FROM unnest(p.days) AS d (day) WHERE d.day >= oldest),
           days = ARRAY(SELECT d.day FROM unnest(p.days) AS d (day) WHERE d.day >= oldest ORDER BY d.day)
     WHERE p.plate = ANY (old_plates);

    PERFORM FROM archive.place_seen AS p WHERE p.first_day < oldest
      ORDER BY p.cell_latitude, p.cell_longitude, p.sensor_id, p.sensor_group FOR UPDATE;
    GET DIAGNOSTICS old_places = ROW_COUNT;
    DELETE FROM archive.place_seen AS p WHERE p.first_day < oldest AND p.days[cardinality(p.days)] < oldest;
    UPDATE archive.place_seen AS p
       SET first_day = (SELECT min(d.day) FROM unnest(p.days) AS d (day) WHERE d.day >= oldest),
           days = ARRAY(SELECT d.day FROM unnest(p.days) AS d (day) WHERE d.day >= oldest ORDER BY d.day)
     WHERE p.first_day < oldest;
    RETURN cardinality(old_plates) + old_places;
END
$$;

-- Notes the reads that were stored now, as they stand in the archive: an id may have come twice, with other contents.
CREATE FUNCTION archive.note_stored(stored_ids uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    seen record;
BEGIN
    SELECT array_agg(r.plate) AS plates, array_agg(r.latitude) AS latitudes, array_agg(r.longitude) AS longitudes,
           array_agg(r.sensor_id) AS sensor_ids, array_agg(r.sensor_group) AS sensor_groups,
           array_agg(r.image_day) AS days
      INTO seen
      FROM unnest(stored_ids) AS i (read_id)
     CROSS JOIN LATERAL (
            SELECT k.plate, k.latitude, k.longitude, k.sensor_id, k.sensor_group, k.image_day
              FROM archive.read AS k
             WHERE k.read_id = i.read_id
               AND k.capture_time >= archive.read_millisecond(i.read_id)
               AND k.capture_time < archive.read_millisecond(i.read_id) + interval '1 millisecond'
             LIMIT 1) AS r;
    PERFORM archive.note_plates(seen.plates, seen.days);
    PERFORM archive.note_places(seen.latitudes, seen.longitudes, seen.sensor_ids, seen.sensor_groups, seen.days);
END
$$;

-- As in 0003_append.sql; what is stored is noted in the dictionary in the same transaction. The image's day is the
-- day of capture (a check of the table).
CREATE OR REPLACE FUNCTION archive.append_reads(
    read_ids uuid[], capture_times timestamptz[], receive_times timestamptz[], plates text[], states text[],
    sensor_ids text[], agency_oris text[], sensor_groups text[], provenances text[], latitudes double precision[],
    longitudes double precision[], places text[], confidences real[], recognitions bytea[], model_versions text[],
    sender_read_ids text[], image_sha256s bytea[], image_days date[], image_media_types text[],
    image_sizes bigint[], image_keys bytea[], content_digests bytea[], match_revisions bigint[],
    shortcomings text[], originals bytea[]
) RETURNS TABLE (status text, status_reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    oldest timestamptz := archive.retention_start();
    stored_ids uuid[];
    stored_digests bytea[];
BEGIN
    IF num_nonnulls(VARIADIC shortcomings) > 0 THEN
        INSERT INTO archive.quarantine (read_id, arrived_on, arrive_time, reason, original)
        SELECT s.read_id, (clock_timestamp() AT TIME ZONE 'UTC')::date, clock_timestamp(), s.reason, s.original
          FROM unnest(read_ids, capture_times, shortcomings, originals) AS s (read_id, capture_time, reason, original)
         WHERE s.reason IS NOT NULL AND (s.capture_time >= oldest OR s.capture_time IS NULL)
         ORDER BY s.read_id
            ON CONFLICT DO NOTHING;
    END IF;

    -- In the order of the ids, so that two replicas with the same reads wait for each other instead of deadlocking.
    WITH stored AS (
        INSERT INTO archive.read (
            read_id, capture_time, receive_time, plate, state, sensor_id, agency_ori, sensor_group, provenance,
            latitude, longitude, place, confidence, recognition, model_version, sender_read_id,
            image_sha256, image_day, image_media_type, image_size, image_key, content_digest, match_revision)
        SELECT s.read_id, s.capture_time, s.receive_time, s.plate, s.state, s.sensor_id, s.agency_ori,
               s.sensor_group, s.provenance, s.latitude, s.longitude, s.place, s.confidence, s.recognition,
               s.model_version, s.sender_read_id, s.image_sha256, s.image_day, s.image_media_type, s.image_size,
               s.image_key, s.content_digest, s.match_revision
          FROM unnest(read_ids, capture_times, receive_times, plates, states, sensor_ids, agency_oris,
                      sensor_groups, provenances, latitudes, longitudes, places, confidences, recognitions,
                      model_versions, sender_read_ids, image_sha256s, image_days, image_media_types, image_sizes,
                      image_keys, content_digests, match_revisions, shortcomings) WITH ORDINALITY
               AS s (read_id, capture_time, receive_time, plate, state, sensor_id, agency_ori, sensor_group,
                     provenance, latitude, longitude, place, confidence, recognition, model_version,
                     sender_read_id, image_sha256, image_day, image_media_type, image_size, image_key,
                     content_digest, match_revision, reason, n)
         WHERE s.reason IS NULL AND s.capture_time >= oldest
         ORDER BY s.read_id, s.n
            ON CONFLICT DO NOTHING
        RETURNING read_id)
    SELECT array_agg(stored.read_id) INTO stored_ids FROM stored;

    IF cardinality(stored_ids) = cardinality(read_ids) THEN
        PERFORM archive.note_plates(plates, image_days);
        PERFORM archive.note_places(latitudes, longitudes, sensor_ids, sensor_groups, image_days);
        RETURN QUERY SELECT 'STORED', NULL::text FROM generate_series(1, cardinality(read_ids));
        RETURN;
    END IF;
    PERFORM archive.note_stored(stored_ids);

    -- The digest that is stored now, for reads that were there before or came twice in this batch.
    -- LIMIT keeps this a look-up in one partition for each read.
    SELECT array_agg(found.content_digest ORDER BY s.n)
      INTO stored_digests
      FROM unnest(read_ids, capture_times) WITH ORDINALITY AS s (read_id, capture_time, n)
      LEFT JOIN LATERAL (
            SELECT r.content_digest
              FROM archive.read AS r
             WHERE r.read_id = s.read_id
               AND r.capture_time >= date_trunc('milliseconds', s.capture_time)
               AND r.capture_time < date_trunc('milliseconds', s.capture_time) + interval '1 millisecond'
             LIMIT 1) AS found ON true;

    RETURN QUERY
    SELECT CASE
               WHEN s.capture_time < oldest THEN 'OUT_OF_RETENTION'
               WHEN s.reason IS NOT NULL THEN 'QUARANTINED'
               WHEN stored.read_id IS NOT NULL AND s.first THEN 'STORED'
               WHEN s.content_digest = s.stored_digest THEN 'DUPLICATE'
               ELSE 'CONFLICT'
           END,
           CASE
               WHEN s.capture_time < oldest THEN NULL
               ELSE s.reason
           END
      FROM (SELECT u.*, row_number() OVER (PARTITION BY u.read_id, u.reason IS NULL ORDER BY u.n) = 1 AS first
              FROM unnest(read_ids, capture_times, content_digests, stored_digests, shortcomings) WITH ORDINALITY
                   AS u (read_id, capture_time, content_digest, stored_digest, reason, n)) AS s
      LEFT JOIN unnest(stored_ids) AS stored (read_id) ON stored.read_id = s.read_id
     ORDER BY s.n;
END
$$;

-- What was stored before there was a dictionary, without Motor Carrier Safety reads, which leave the archive.
INSERT INTO archive.plate_seen (plate, first_day, days)
SELECT s.plate, min(s.day), array_agg(s.day ORDER BY s.day)
  FROM (SELECT DISTINCT r.plate, r.image_day AS day
          FROM archive.read AS r
         WHERE r.sensor_id <> ALL (ARRAY(SELECT m.sensor_id FROM archive.motor_carrier_sensor AS m))) AS s
 GROUP BY s.plate;
INSERT INTO archive.place_seen (cell_latitude, cell_longitude, sensor_id, sensor_group, first_day, days)
SELECT s.cell_latitude, s.cell_longitude, s.sensor_id, s.sensor_group, min(s.day), array_agg(s.day ORDER BY s.day)
  FROM (SELECT DISTINCT archive.cell(r.latitude) AS cell_latitude, archive.cell(r.longitude) AS cell_longitude,
               r.sensor_id, r.sensor_group, r.image_day AS day
          FROM archive.read AS r
         WHERE r.sensor_id <> ALL (ARRAY(SELECT m.sensor_id FROM archive.motor_carrier_sensor AS m))) AS s
 GROUP BY s.cell_latitude, s.cell_longitude, s.sensor_id, s.sensor_group;

REVOKE ALL ON FUNCTION
    archive.utc_day(timestamptz),
    archive.cell(double precision),
    archive.note_plates(text[], date[]),
    archive.note_stored(uuid[]),
    archive.note_places(double precision[], double precision[], text[], text[], date[]),
    archive.dictionary_like(text, date, date, integer),
    archive.dictionary_any(text[], date, date),
    archive.one_off_texts(text),
    archive.dictionary_sensors(double precision, double precision, double precision, double precision, date, date),
    archive.dictionary_forget(integer)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.dictionary_forget(integer) TO search_purge;

RESET ROLE;
