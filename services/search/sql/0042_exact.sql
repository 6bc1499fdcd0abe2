-- An exact plate, and an answer's reads, looked up in the partitions of their days alone. Every statement locks all
-- partitions, and makes those ready that it may look into: so one statement for eight days, which names them. (One for
-- each day would lock ninety partitions each time; one for all days would make ninety ready for a handful of reads.)
SET LOCAL ROLE archive_owner;

-- Whether the moment is on one of these days, given by their first moments, eight at most. For partitions to be left
-- out it must be inlined, so it has no search_path of its own.
CREATE FUNCTION archive.is_on(moment timestamptz, days timestamptz[]) RETURNS boolean
LANGUAGE sql STABLE
RETURN (moment >= days[1] AND moment < days[1] + interval '24 hours')
    OR (moment >= days[2] AND moment < days[2] + interval '24 hours')
    OR (moment >= days[3] AND moment < days[3] + interval '24 hours')
    OR (moment >= days[4] AND moment < days[4] + interval '24 hours')
    OR (moment >= days[5] AND moment < days[5] + interval '24 hours')
    OR (moment >= days[6] AND moment < days[6] + interval '24 hours')
    OR (moment >= days[7] AND moment < days[7] + interval '24 hours')
    OR (moment >= days[8] AND moment < days[8] + interval '24 hours');

-- Reads of exactly this plate on these days, newest first.
CREATE FUNCTION archive.exact_on(
    wanted_plate text, wanted archive.wanted_reads, days timestamptz[], row_limit integer
) RETURNS TABLE (read_id uuid, capture_time timestamptz)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    from_time timestamptz := (wanted).from_time;
    to_time timestamptz := (wanted).to_time;
    before_time timestamptz := (wanted).before_time;
    before_id uuid := (wanted).before_id;
BEGIN
    RETURN QUERY
    SELECT f.read_id, f.capture_time
      FROM (SELECT r.read_id, r.capture_time, r.agency_ori, r.sensor_group, r.state, r.provenance, r.sensor_id,
                   r.latitude, r.longitude
              FROM archive.read AS r
             WHERE r.plate = wanted_plate AND archive.is_on(r.capture_time, days)
            OFFSET 0) AS f
     WHERE f.capture_time >= from_time AND f.capture_time < to_time
       AND (f.capture_time, f.read_id) < (before_time, before_id)
       AND archive.is_wanted(wanted, f.agency_ori, f.sensor_group, f.state, f.provenance, f.sensor_id, f.latitude,
                             f.longitude)
     ORDER BY f.capture_time DESC, f.read_id DESC
     LIMIT row_limit;
END
$$;

-- Reads of exactly this plate, newest first.
CREATE FUNCTION archive.exact_page(wanted_plate text, wanted archive.wanted_reads, row_limit integer)
RETURNS TABLE (read_id uuid, capture_time timestamptz)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    days timestamptz[] := ARRAY(
        SELECT u.day::timestamp AT TIME ZONE 'UTC'
          FROM archive.dictionary_any(ARRAY[wanted_plate], archive.utc_day((wanted).from_time),
                                      archive.utc_day(least((wanted).to_time, (wanted).before_time))) AS s
         CROSS JOIN LATERAL unnest(s.days) AS u (day)
         ORDER BY u.day DESC);
    missing integer := row_limit;
    found_now integer;
BEGIN
    WHILE missing > 0 AND cardinality(days) > 0 LOOP
        RETURN QUERY SELECT e.* FROM archive.exact_on(wanted_plate, wanted, days[:8], missing) AS e;
        GET DIAGNOSTICS found_now = ROW_COUNT;
        missing := missing - found_now;
        days := days[9:];
    END LOOP;
END
$$;

-- The reads with these ids and capture times, which are on these days, in this order. LIMIT keeps each a look-up by its
-- id.
CREATE FUNCTION archive.reads_on(read_ids uuid[], capture_times timestamptz[], days timestamptz[])
RETURNS SETOF archive.read
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT f.*
      FROM unnest(read_ids, capture_times) WITH ORDINALITY AS a (read_id, capture_time, n)
     CROSS JOIN LATERAL (
            SELECT r.*
              FROM archive.read AS r
             WHERE r.read_id = a.read_id AND r.capture_time = a.capture_time AND archive.is_on(r.capture_time, days)
             LIMIT 1) AS f
     ORDER BY a.n;
END
$$;

-- As in 0031_reads_by_day.sql: the reads with these ids and capture times, in this order; those that are gone are left
-- out.
CREATE OR REPLACE FUNCTION archive.reads_in_order(read_ids uuid[], capture_times timestamptz[])
RETURNS SETOF archive.read
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    first integer := 1;
    last integer := 0;
    day timestamptz;
    days timestamptz[];
BEGIN
    WHILE first <= cardinality(read_ids) LOOP
        days := '{}';
        WHILE last < cardinality(read_ids) LOOP
            day := archive.utc_day(capture_times[last + 1])::timestamp AT TIME ZONE 'UTC';
            IF days[cardinality(days)] IS DISTINCT FROM day THEN
                EXIT WHEN cardinality(days) = 8;
                days := days || day;
            END IF;
            last := last + 1;
        END LOOP;
        RETURN QUERY SELECT r.* FROM archive.reads_on(read_ids[first:last], capture_times[first:last], days) AS r;
        first := last + 1;
    END LOOP;
END
$$;

-- As in 0040_reads.sql. No read is on no day.
CREATE OR REPLACE FUNCTION archive.warm_up() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    nothing archive.wanted_reads := ROW ('infinity', '-infinity', '-infinity', NULL, '{}', '{}', '', '{}',
                                         archive.place_of(''));
BEGIN
    PERFORM FROM archive.dictionary_any('{}', NULL, NULL);
    PERFORM FROM archive.exact_on('', nothing, '{}', 0);
    PERFORM FROM archive.plates_page('{}', nothing, 'infinity', '-infinity', 0);
    PERFORM FROM archive.sensors_page('{}', nothing, 'infinity', '-infinity', 0);
    PERFORM FROM archive.reads_on('{}', '{}', '{}');
    RETURN true;
END
$$;

REVOKE ALL ON FUNCTION
    archive.is_on(timestamptz, timestamptz[]),
    archive.exact_on(text, archive.wanted_reads, timestamptz[], integer),
    archive.exact_page(text, archive.wanted_reads, integer),
    archive.reads_on(uuid[], timestamptz[], timestamptz[])
    FROM PUBLIC;

RESET ROLE;
