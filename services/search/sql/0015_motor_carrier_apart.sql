-- The Motor Carrier Safety system as a data set of its own (ENF-051 II.H, III.E.5): tables, owner, logins and permit
-- key apart from those of all other reads. motor_carrier_owner reads no table of the archive, archive_owner none of
-- this schema, and no login has functions of both. Questions follow in 0080_motor_carrier_questions.sql.
DO $$
DECLARE
    login text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'motor_carrier_owner') THEN
        CREATE ROLE motor_carrier_owner NOLOGIN;
    END IF;
    IF NOT pg_has_role(current_user, 'motor_carrier_owner', 'SET') THEN
        EXECUTE format('GRANT motor_carrier_owner TO %I WITH INHERIT FALSE, SET TRUE', current_user);
    END IF;
    FOREACH login IN ARRAY ARRAY['search_mcs_append', 'search_mcs_question', 'search_mcs_purge'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT', login);
        END IF;
        -- As for the other logins of search (0000_roles.sql).
        BEGIN
            EXECUTE format('ALTER ROLE %I SET log_parameter_max_length = 0', login);
            EXECUTE format('ALTER ROLE %I SET log_error_verbosity = terse', login);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'set log_parameter_max_length = 0 and log_error_verbosity = terse for % by hand', login;
        END;
        EXECUTE format('ALTER ROLE %I SET log_parameter_max_length_on_error = 0', login);
    END LOOP;
END
$$;

CREATE SCHEMA motor_carrier AUTHORIZATION motor_carrier_owner;
REVOKE ALL ON SCHEMA motor_carrier FROM PUBLIC;
GRANT USAGE ON SCHEMA motor_carrier TO search_mcs_append, search_mcs_question, search_mcs_purge;

-- What both data sets spell the same way. None of these functions looks into a table, but for the retention period,
-- which is one for the whole system.
SET LOCAL ROLE archive_owner;
CREATE FUNCTION archive.retention_of_all() RETURNS timestamptz
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = archive, pg_temp
RETURN archive.retention_start();
REVOKE ALL ON FUNCTION archive.retention_of_all() FROM PUBLIC;
GRANT USAGE ON SCHEMA archive TO motor_carrier_owner;
GRANT EXECUTE ON FUNCTION
    archive.retention_of_all(),
    archive.read_millisecond(uuid),
    archive.hmac_block(bytea, integer),
    archive.moment(bigint),
    archive.canonical_line(text, text),
    archive.argument_value(text),
    archive.general_question(text, bigint, bigint, integer, text[]),
    archive.permit_fields(text),
    archive.require_question(archive.permit, text),
    archive.refuse()
    TO motor_carrier_owner;

SET LOCAL ROLE motor_carrier_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE motor_carrier_owner REVOKE ALL ON FUNCTIONS FROM PUBLIC;

-- As archive.read (0001_tables.sql).
CREATE TABLE motor_carrier.read (
    read_id uuid NOT NULL,
    capture_time timestamptz NOT NULL,
    receive_time timestamptz NOT NULL,
    plate text COLLATE "C" NOT NULL,
    state text COLLATE "C",
    sensor_id text COLLATE "C" NOT NULL,
    agency_ori text COLLATE "C" NOT NULL,
    sensor_group text COLLATE "C" NOT NULL,
    provenance text COLLATE "C" NOT NULL CHECK (provenance IN ('OWN', 'PARTNER', 'COMMERCIAL')),
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    place text NOT NULL,
    confidence real,
    recognition bytea NOT NULL,
    model_version text NOT NULL,
    sender_read_id text NOT NULL,
    image_sha256 bytea NOT NULL CHECK (octet_length(image_sha256) = 32),
    image_day date NOT NULL CHECK (image_day = (capture_time AT TIME ZONE 'UTC')::date),
    image_media_type text NOT NULL,
    image_size bigint NOT NULL,
    image_key bytea,                -- leaves through motor_carrier.image_key only
    content_digest bytea NOT NULL CHECK (octet_length(content_digest) = 32),
    match_revision bigint NOT NULL,
    CHECK (date_trunc('milliseconds', capture_time AT TIME ZONE 'UTC')
           = archive.read_millisecond(read_id) AT TIME ZONE 'UTC')
) PARTITION BY RANGE (capture_time);
CREATE INDEX read_by_plate ON motor_carrier.read (plate, capture_time DESC);
CREATE INDEX read_by_sensor ON motor_carrier.read (sensor_id, capture_time DESC);

CREATE TABLE motor_carrier.quarantine (
    read_id uuid NOT NULL,
    arrived_on date NOT NULL,
    arrive_time timestamptz NOT NULL,
    reason text NOT NULL,
    original bytea NOT NULL,        -- alpr.search.v1.ArchivedRead
    PRIMARY KEY (read_id, arrived_on)
) PARTITION BY RANGE (arrived_on);

-- Makes a table for one UTC day and attaches it (0002_partitions.sql).
CREATE FUNCTION motor_carrier.add_partition(parent text, suffix text, low text, high text, unique_column text)
RETURNS void
LANGUAGE plpgsql SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    partition_name text := parent || '_' || suffix;
BEGIN
    EXECUTE format('CREATE TABLE motor_carrier.%I (LIKE motor_carrier.%I INCLUDING ALL)', partition_name, parent);
    IF unique_column IS NOT NULL THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON motor_carrier.%I (%I)',
                       partition_name || '_' || unique_column, partition_name, unique_column);
    END IF;
    EXECUTE format('ALTER TABLE motor_carrier.%I ATTACH PARTITION motor_carrier.%I FOR VALUES FROM (%L) TO (%L)',
                   parent, partition_name, low, high);
END
$$;

-- Partitions for every day of the retention period and `days_ahead` days more, as far as they are not there; gives
-- the number of those made.
CREATE FUNCTION motor_carrier.ensure_partitions(days_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    day date := (archive.retention_of_all() AT TIME ZONE 'UTC')::date;
    last_day date := today + least(greatest(days_ahead, 0), 30);
    suffix text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('motor_carrier.ensure_partitions', 0));
    WHILE day <= last_day LOOP
        suffix := to_char(day, 'YYYYMMDD');
        IF to_regclass('motor_carrier.read_' || suffix) IS NULL THEN
            PERFORM motor_carrier.add_partition('read', suffix, day::text || ' 00:00:00+00',
                                                (day + 1)::text || ' 00:00:00+00', 'read_id');
            made := made + 1;
        END IF;
        IF day >= today AND to_regclass('motor_carrier.quarantine_' || suffix) IS NULL THEN
            PERFORM motor_carrier.add_partition('quarantine', suffix, day::text, (day + 1)::text, NULL);
            made := made + 1;
        END IF;
        day := day + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Stores reads and gives status and reason of each (0003_append.sql).
CREATE FUNCTION motor_carrier.append_reads(
    read_ids uuid[], capture_times timestamptz[], receive_times timestamptz[], plates text[], states text[],
    sensor_ids text[], agency_oris text[], sensor_groups text[], provenances text[], latitudes double precision[],
    longitudes double precision[], places text[], confidences real[], recognitions bytea[], model_versions text[],
    sender_read_ids text[], image_sha256s bytea[], image_days date[], image_media_types text[],
    image_sizes bigint[], image_keys bytea[], content_digests bytea[], match_revisions bigint[],
    shortcomings text[], originals bytea[]
) RETURNS TABLE (status text, status_reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    oldest timestamptz := archive.retention_of_all();
    stored_ids uuid[];
BEGIN
    INSERT INTO motor_carrier.quarantine (read_id, arrived_on, arrive_time, reason, original)
    SELECT s.read_id, (clock_timestamp() AT TIME ZONE 'UTC')::date, clock_timestamp(), s.reason, s.original
      FROM unnest(read_ids, capture_times, shortcomings, originals) AS s (read_id, capture_time, reason, original)
     WHERE s.reason IS NOT NULL AND (s.capture_time >= oldest OR s.capture_time IS NULL)
     ORDER BY s.read_id
        ON CONFLICT DO NOTHING;

    WITH stored AS (
        INSERT INTO motor_carrier.read (
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

    RETURN QUERY
    SELECT CASE
               WHEN s.capture_time < oldest THEN 'OUT_OF_RETENTION'
               WHEN s.reason IS NOT NULL THEN 'QUARANTINED'
               WHEN s.read_id = ANY (stored_ids) AND s.first THEN 'STORED'
               WHEN s.content_digest = found.content_digest THEN 'DUPLICATE'
               ELSE 'CONFLICT'
           END,
           CASE
               WHEN s.capture_time < oldest THEN NULL
               ELSE s.reason
           END
      FROM (SELECT u.*, row_number() OVER (PARTITION BY u.read_id, u.reason IS NULL ORDER BY u.n) = 1 AS first
              FROM unnest(read_ids, capture_times, content_digests, shortcomings) WITH ORDINALITY
                   AS u (read_id, capture_time, content_digest, reason, n)) AS s
      -- LIMIT keeps this a look-up in one partition for each read.
      LEFT JOIN LATERAL (
            SELECT r.content_digest
              FROM motor_carrier.read AS r
             WHERE r.read_id = s.read_id
               AND r.capture_time >= date_trunc('milliseconds', s.capture_time)
               AND r.capture_time < date_trunc('milliseconds', s.capture_time) + interval '1 millisecond'
             LIMIT 1) AS found ON true
     ORDER BY s.n;
END
$$;

-- The keys of this data set's permits; written by the migration command (0004_permit.sql).
CREATE TABLE motor_carrier.permit_key (
    key bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    inner_block bytea NOT NULL GENERATED ALWAYS AS (archive.hmac_block(key, 54)) STORED,
    outer_block bytea NOT NULL GENERATED ALWAYS AS (archive.hmac_block(key, 92)) STORED
);

GRANT EXECUTE ON FUNCTION motor_carrier.append_reads(
    uuid[], timestamptz[], timestamptz[], text[], text[], text[], text[], text[], text[], double precision[],
    double precision[], text[], real[], bytea[], text[], text[], bytea[], date[], text[], bigint[], bytea[],
    bytea[], bigint[], text[], bytea[]) TO search_mcs_append;
GRANT EXECUTE ON FUNCTION motor_carrier.ensure_partitions(integer) TO search_mcs_purge;

-- Reads that came before this file move over. Quarantined ones stay where they are: they are never searched, and go
-- with their day.
SELECT motor_carrier.ensure_partitions(2);
SET LOCAL ROLE archive_owner;
GRANT SELECT ON archive.read, archive.motor_carrier_sensor TO motor_carrier_owner;
SET LOCAL ROLE motor_carrier_owner;
INSERT INTO motor_carrier.read (
    read_id, capture_time, receive_time, plate, state, sensor_id, agency_ori, sensor_group, provenance,
    latitude, longitude, place, confidence, recognition, model_version, sender_read_id,
    image_sha256, image_day, image_media_type, image_size, image_key, content_digest, match_revision)
SELECT r.read_id, r.capture_time, r.receive_time, r.plate, r.state, r.sensor_id, r.agency_ori, r.sensor_group,
       r.provenance, r.latitude, r.longitude, r.place, r.confidence, r.recognition, r.model_version,
       r.sender_read_id, r.image_sha256, r.image_day, r.image_media_type, r.image_size, r.image_key,
       r.content_digest, r.match_revision
  FROM archive.read AS r
  JOIN archive.motor_carrier_sensor AS m ON m.sensor_id = r.sensor_id
 WHERE r.capture_time >= archive.retention_of_all();
SET LOCAL ROLE archive_owner;
DELETE FROM archive.read AS r USING archive.motor_carrier_sensor AS m WHERE m.sensor_id = r.sensor_id;
REVOKE SELECT ON archive.read, archive.motor_carrier_sensor FROM motor_carrier_owner;

-- archive.read holds nothing of them any more, so no question has to leave them out: the condition goes from every
-- function that has it (0007_motor_carrier.sql).
DROP FUNCTION archive.set_apart(text[]);
DO $$
DECLARE
    condition constant text :=
        'AND r.sensor_id <> ALL (ARRAY(SELECT m.sensor_id FROM archive.motor_carrier_sensor AS m))';
    definition text;
BEGIN
    FOR definition IN
        SELECT pg_get_functiondef(p.oid)
          FROM pg_proc AS p
         WHERE p.pronamespace = 'archive'::regnamespace AND position(condition IN p.prosrc) > 0
    LOOP
        EXECUTE replace(definition, condition, '');
    END LOOP;
END
$$;
DROP TABLE archive.motor_carrier_sensor;

RESET ROLE;
