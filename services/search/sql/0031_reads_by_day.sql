-- The reads of an answer, a day at a time. One statement over all days makes ninety partitions ready to be looked into,
-- which takes longer than looking up the few reads that an answer mostly has.
SET LOCAL ROLE archive_owner;

-- The reads with these ids and capture times, in this order; those that are gone are left out. A statement for each run
-- of reads of one day, which looks into that day's partition alone. LIMIT keeps each a look-up by its id.
CREATE FUNCTION archive.reads_in_order(read_ids uuid[], capture_times timestamptz[]) RETURNS SETOF archive.read
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    first integer := 1;
    last integer;
    day_start timestamptz;
    day_end timestamptz;
BEGIN
    WHILE first <= cardinality(read_ids) LOOP
        day_start := archive.utc_day(capture_times[first])::timestamp AT TIME ZONE 'UTC';
        day_end := day_start + interval '1 day';
        last := first;
        WHILE capture_times[last + 1] >= day_start AND capture_times[last + 1] < day_end LOOP
            last := last + 1;
        END LOOP;
        RETURN QUERY
        SELECT f.*
          FROM unnest(read_ids[first:last], capture_times[first:last]) WITH ORDINALITY AS a (read_id, capture_time, n)
         CROSS JOIN LATERAL (
                SELECT r.*
                  FROM archive.read AS r
                 WHERE r.read_id = a.read_id AND r.capture_time = a.capture_time
                   AND r.capture_time >= day_start AND r.capture_time < day_end
                 LIMIT 1) AS f
         ORDER BY a.n;
        first := last + 1;
    END LOOP;
END
$$;

-- As in 0008_general_questions.sql.
CREATE OR REPLACE FUNCTION archive.general_reads(permit text, kind text)
RETURNS TABLE (
    read_id uuid, capture_time timestamptz, receive_time timestamptz, plate text, sensor_id text, agency_ori text,
    sensor_group text, provenance text, latitude double precision, longitude double precision, place text,
    recognition bytea, model_version text, sender_read_id text, image_sha256 bytea, image_day date,
    image_media_type text, image_size bigint, state text, confidence real)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    kept archive.permit_used := archive.general_kept(permit, kind);
BEGIN
    RETURN QUERY
    SELECT r.read_id, r.capture_time, r.receive_time, r.plate, r.sensor_id, r.agency_ori, r.sensor_group, r.provenance,
           r.latitude, r.longitude, r.place, r.recognition, r.model_version, r.sender_read_id, r.image_sha256,
           r.image_day, r.image_media_type, r.image_size, r.state, r.confidence
      FROM archive.reads_in_order(kept.read_ids, kept.capture_times) AS r;
END
$$;

REVOKE ALL ON FUNCTION archive.reads_in_order(uuid[], timestamptz[]) FROM PUBLIC;

RESET ROLE;
