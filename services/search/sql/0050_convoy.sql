-- Convoys: which plates passed the same cameras as a plate (ENF-051 IV.C.3). What is counted here is weighed in
-- services/search/core/convoy.py.
SET LOCAL ROLE archive_owner;

-- One passage of the plate that is asked about, with the local time by which habits are compared.
CREATE TYPE archive.convoy_sighting AS (
    n integer,                  -- from 0, oldest first
    journey integer,
    sensor_id text,
    capture_time timestamptz,
    latitude double precision,
    longitude double precision,
    place text,
    clock double precision,     -- seconds since midnight
    is_workday boolean          -- Monday to Friday
);

-- The passages of a plate, the newest `most`, oldest first. Several reads by one camera within `pause` are one passage;
-- passages less than half an hour apart are one journey.
CREATE FUNCTION archive.convoy_sightings(
    wanted_plate text, from_time timestamptz, to_time timestamptz, pause interval, time_zone text,
    agencies text[], groups text[], most integer
) RETURNS SETOF archive.convoy_sighting
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH newest AS (
        SELECT r.sensor_id, r.capture_time, r.latitude, r.longitude, r.place
          FROM archive.read AS r
         WHERE r.plate = wanted_plate
           AND r.capture_time >= from_time AND r.capture_time < to_time
           AND r.agency_ori = ANY (agencies)
           AND (cardinality(groups) = 0 OR r.sensor_group = ANY (groups))
         ORDER BY r.capture_time DESC, r.read_id DESC
         LIMIT most
    ), passage AS (
        SELECT *
          FROM (SELECT n.*, lag(n.capture_time) OVER (PARTITION BY n.sensor_id ORDER BY n.capture_time) AS last_time
                  FROM newest AS n) AS p
         WHERE p.last_time IS NULL OR p.capture_time - p.last_time > pause
    ), gap AS (
        SELECT p.*, (p.capture_time - lag(p.capture_time) OVER (ORDER BY p.capture_time, p.sensor_id)
                     > interval '30 minutes') IS TRUE AS is_new_journey
          FROM passage AS p
    )
    SELECT (row_number() OVER in_time)::integer - 1, (count(*) FILTER (WHERE g.is_new_journey) OVER in_time)::integer,
           g.sensor_id, g.capture_time, g.latitude, g.longitude, g.place,
           date_part('epoch', (g.capture_time AT TIME ZONE time_zone)::time),
           extract(isodow FROM g.capture_time AT TIME ZONE time_zone) < 6
      FROM gap AS g
    WINDOW in_time AS (ORDER BY g.capture_time, g.sensor_id)
     ORDER BY 1;
END
$$;

-- Another plate at a sighting, so much later (negative: before).
CREATE TYPE archive.convoy_meeting AS (n integer, plate text, later interval);

-- The plates round the sightings, each at its nearest read.
CREATE FUNCTION archive.convoy_meetings(
    wanted_plate text, sightings archive.convoy_sighting[], from_time timestamptz, to_time timestamptz,
    within interval, agencies text[], groups text[]
) RETURNS SETOF archive.convoy_meeting
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT DISTINCT ON (s.n, r.plate) s.n, r.plate, r.capture_time - s.capture_time
      FROM unnest(sightings) AS s
     CROSS JOIN LATERAL (
            SELECT r.plate, r.capture_time
              FROM archive.read AS r
             WHERE r.sensor_id = s.sensor_id
               AND r.capture_time >= greatest(s.capture_time - within, from_time)
               AND r.capture_time <= s.capture_time + within
               AND r.capture_time < to_time
               AND r.plate <> wanted_plate
               AND r.agency_ori = ANY (agencies)
               AND (cardinality(groups) = 0 OR r.sensor_group = ANY (groups))
            OFFSET 0) AS r  -- looked up for each sighting, whatever the planner thinks of their number
     ORDER BY s.n, r.plate, greatest(r.capture_time - s.capture_time, s.capture_time - r.capture_time), r.capture_time;
END
$$;

-- What these plates do without the plate that is asked about, or would do by habit.
--
-- `expected`: journeys on which they would be met if their days were shuffled. That is the number of pairs of a journey
-- and a day of the plate, both of one kind (Monday to Friday, or the others), that meet by the time of day, at
-- whichever camera, divided by the number of days of that kind from the first to the last on which anything was seen.
-- `ways`: for each way from one camera to the next on a journey, how often the plate passed the first camera alone, and
-- how often of these it came to the second one within half an hour: [from, to, passed, followed].
CREATE FUNCTION archive.convoy_habits(
    plates text[], sightings archive.convoy_sighting[], meetings archive.convoy_meeting[], from_time timestamptz,
    to_time timestamptz, within interval, time_zone text, agencies text[], groups text[]
) RETURNS TABLE (plate text, expected double precision, ways json)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_nestloop = off  -- the planner takes lists of thousands for short ones
SET work_mem = '16MB'
AS $$
#variable_conflict use_column
DECLARE
    near double precision := extract(epoch FROM within);
    parts integer := floor(86400 / near);  -- of the day; who meets is in the same part or in the next one
BEGIN
    RETURN QUERY
    WITH passed AS MATERIALIZED (
        SELECT r.plate, r.sensor_id, r.capture_time, r.capture_time AT TIME ZONE time_zone AS local
          FROM archive.read AS r
         WHERE r.plate = ANY (plates)
           AND r.sensor_id = ANY (ARRAY(SELECT DISTINCT s.sensor_id FROM unnest(sightings) AS s))
           AND r.capture_time >= from_time AND r.capture_time < to_time
           AND r.agency_ori = ANY (agencies)
           AND (cardinality(groups) = 0 OR r.sensor_group = ANY (groups))
    ), clocked AS MATERIALIZED (
        SELECT p.plate, p.sensor_id, p.local::date AS day, extract(isodow FROM p.local) < 6 AS is_workday,
               date_part('epoch', p.local::time) AS clock
          FROM passed AS p
    ), sighted AS MATERIALIZED (
        SELECT s.sensor_id, s.is_workday, s.journey, s.clock,
               (floor(s.clock * parts / 86400)::integer + n.neighbour + parts) % parts AS part
          FROM unnest(sightings) AS s
         CROSS JOIN (VALUES (-1), (0), (1)) AS n (neighbour)
    ), pair AS (
        SELECT DISTINCT c.plate, s.journey, c.day, c.is_workday
          FROM clocked AS c
          JOIN sighted AS s ON s.sensor_id = c.sensor_id AND s.is_workday = c.is_workday
           AND s.part = floor(c.clock * parts / 86400)::integer
           AND (abs(c.clock - s.clock) <= near OR abs(c.clock - s.clock) >= 86400 - near)
    ), span AS (  -- from the first day on which one of them was seen to the last: an archive may be young
        SELECT min(d.day) AS first_day, max(d.day) AS last_day
          FROM (SELECT c.day FROM clocked AS c
                 UNION ALL
                SELECT (s.capture_time AT TIME ZONE time_zone)::date FROM unnest(sightings) AS s) AS d
    ), kind AS (
        SELECT extract(isodow FROM g.day) < 6 AS is_workday, count(*)::double precision AS days
          FROM span AS s
         CROSS JOIN generate_series(s.first_day::timestamp, s.last_day::timestamp, interval '1 day') AS g (day)
         GROUP BY 1
    ), by_habit AS (
        SELECT p.plate, sum(1 / k.days) AS expected
          FROM pair AS p JOIN kind AS k ON k.is_workday = p.is_workday
         GROUP BY p.plate
    ), way AS (
        SELECT DISTINCT b.sensor_id AS from_sensor, s.sensor_id AS to_sensor
          FROM unnest(sightings) AS s
          JOIN unnest(sightings) AS b ON b.n = s.n - 1 AND b.journey = s.journey AND b.sensor_id <> s.sensor_id
    ), step AS (
        SELECT p.plate, p.sensor_id, p.capture_time, lead(p.sensor_id) OVER in_time AS next_sensor,
               lead(p.capture_time) OVER in_time - p.capture_time AS took
          FROM passed AS p
        WINDOW in_time AS (PARTITION BY p.plate ORDER BY p.capture_time, p.sensor_id)
    ), alone AS (
        SELECT t.*
          FROM step AS t
          LEFT JOIN (SELECT m.plate, s.sensor_id, s.capture_time + m.later AS capture_time
                       FROM unnest(meetings) AS m JOIN unnest(sightings) AS s ON s.n = m.n) AS met
                 ON met.plate = t.plate AND met.sensor_id = t.sensor_id AND met.capture_time = t.capture_time
         WHERE met.plate IS NULL
    ), gone AS (
        SELECT a.plate, w.from_sensor, w.to_sensor, count(*) AS passed,
               count(*) FILTER (WHERE a.next_sensor = w.to_sensor AND a.took <= interval '30 minutes') AS followed
          FROM alone AS a
          JOIN way AS w ON w.from_sensor = a.sensor_id
         GROUP BY a.plate, w.from_sensor, w.to_sensor
    )
    SELECT k.plate, coalesce(h.expected, 0), coalesce(g.ways, '[]')
      FROM unnest(plates) AS k (plate)
      LEFT JOIN by_habit AS h ON h.plate = k.plate
      LEFT JOIN (SELECT o.plate, json_agg(json_build_array(o.from_sensor, o.to_sensor, o.passed, o.followed)
                                          ORDER BY o.from_sensor, o.to_sensor) AS ways
                   FROM gone AS o
                  GROUP BY o.plate) AS g ON g.plate = k.plate;
END
$$;

-- The sightings as core/convoy.py takes them: with how many plates were round each, and how many of those round the one
-- before in the same journey stayed, of how many.
CREATE FUNCTION archive.convoy_sightings_json(sightings archive.convoy_sighting[], meetings archive.convoy_meeting[])
RETURNS json
LANGUAGE sql STABLE SET search_path = archive, pg_temp
BEGIN ATOMIC
    WITH around AS (
        SELECT s.n, s.journey, count(m.plate) AS plates
          FROM unnest(sightings) AS s LEFT JOIN unnest(meetings) AS m ON m.n = s.n
         GROUP BY s.n, s.journey
    ), stayed AS (
        SELECT m.n, count(*) AS plates
          FROM unnest(meetings) AS m
          JOIN unnest(meetings) AS b ON b.n = m.n - 1 AND b.plate = m.plate
         GROUP BY m.n
    )
    SELECT coalesce(json_agg(json_build_array(
               s.sensor_id, archive.microseconds(s.capture_time), s.latitude, s.longitude, s.place, s.journey, a.plates,
               CASE WHEN b.n IS NULL THEN 0 ELSE coalesce(t.plates, 0) END, coalesce(b.plates, 0)) ORDER BY s.n), '[]')
      FROM unnest(sightings) AS s
      JOIN around AS a ON a.n = s.n
      LEFT JOIN around AS b ON b.n = s.n - 1 AND b.journey = s.journey
      LEFT JOIN stayed AS t ON t.n = s.n;
END;

-- All that core/convoy.py weighs, as JSON, with the number of candidates and whether there were more. Looks at the
-- newest thousand reads of the plate.
CREATE FUNCTION archive.convoy_evidence(
    wanted_plate text, from_time timestamptz, to_time timestamptz, within interval, min_cameras integer,
    time_zone text, agencies text[], groups text[], row_limit integer
) RETURNS TABLE (answer text, row_count integer, has_more boolean)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp AS $$
DECLARE
    most CONSTANT integer := 1000;
    sightings archive.convoy_sighting[];
    meetings archive.convoy_meeting[];
    plates text[];
    kept text[];
    candidates json;
BEGIN
    sightings := ARRAY(SELECT s FROM archive.convoy_sightings(
        wanted_plate, from_time, to_time, within, time_zone, agencies, groups, most) AS s);
    meetings := ARRAY(SELECT m FROM archive.convoy_meetings(
        wanted_plate, sightings, from_time, to_time, within, agencies, groups) AS m);
    plates := ARRAY(
        SELECT m.plate
          FROM unnest(meetings) AS m JOIN unnest(sightings) AS s ON s.n = m.n
         GROUP BY m.plate
        HAVING count(DISTINCT s.sensor_id) >= min_cameras
         ORDER BY count(DISTINCT s.sensor_id) DESC, count(DISTINCT s.journey) DESC, count(*) DESC, m.plate
         LIMIT row_limit + 1);
    kept := plates[:row_limit];
    SELECT json_agg(json_build_array(c.plate, h.expected, c.together, h.ways) ORDER BY c.plate)
      INTO candidates
      FROM (SELECT m.plate, json_agg(json_build_array(m.n, (extract(epoch FROM m.later) * 1000000)::bigint)
                                     ORDER BY m.n) AS together
              FROM unnest(meetings) AS m
             WHERE m.plate = ANY (kept)
             GROUP BY m.plate) AS c
      JOIN archive.convoy_habits(
               kept, sightings, meetings, from_time, to_time, within, time_zone, agencies, groups) AS h
        ON h.plate = c.plate;
    RETURN QUERY
    SELECT json_build_object(
               'sightings', archive.convoy_sightings_json(sightings, meetings),
               'candidates', coalesce(candidates, '[]'),
               'plates_met', (SELECT count(DISTINCT m.plate) FROM unnest(meetings) AS m),
               'left_out', archive.has_more_reads(wanted_plate, from_time, to_time, agencies, groups, most))::text,
           cardinality(kept), cardinality(plates) > row_limit;
END
$$;

-- Whether the plate has more than `most` reads in the window.
CREATE FUNCTION archive.has_more_reads(
    wanted_plate text, from_time timestamptz, to_time timestamptz, agencies text[], groups text[], most integer
) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (SELECT count(*) > most
              FROM (SELECT FROM archive.read AS r
                     WHERE r.plate = wanted_plate
                       AND r.capture_time >= from_time AND r.capture_time < to_time
                       AND r.agency_ori = ANY (agencies)
                       AND (cardinality(groups) = 0 OR r.sensor_group = ANY (groups))
                     LIMIT most + 1) AS seen);
END
$$;

-- Puts the question "which plates travel with this one?".
CREATE FUNCTION archive.find_convoy(
    permit text, from_us bigint, to_us bigint, page_size integer, plate text, within_seconds integer,
    min_cameras integer, time_zone text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'convoy');
    found record;
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('convoy', from_us, to_us, page_size,
        archive.canonical_line('plate', archive.argument_value(plate)),
        archive.canonical_line('within_seconds', within_seconds::text),
        archive.canonical_line('min_cameras', min_cameras::text),
        archive.canonical_line('time_zone', archive.argument_value(time_zone))));
    SELECT e.* INTO found
      FROM archive.convoy_evidence(
               plate,
               greatest(archive.moment(from_us), opened.from_time, archive.retention_start()),
               least(archive.moment(to_us), opened.to_time),
               make_interval(secs => least(within_seconds, 600)), min_cameras, time_zone,
               opened.agency_oris, opened.sensor_groups, least(page_size, 500)) AS e;
    PERFORM archive.keep_computed(opened, found.answer, found.row_count, found.has_more);
END
$$;

REVOKE ALL ON FUNCTION
    archive.convoy_sightings(text, timestamptz, timestamptz, interval, text, text[], text[], integer),
    archive.convoy_meetings(text, archive.convoy_sighting[], timestamptz, timestamptz, interval, text[], text[]),
    archive.convoy_habits(text[], archive.convoy_sighting[], archive.convoy_meeting[], timestamptz, timestamptz, interval,
                          text, text[], text[]),
    archive.convoy_sightings_json(archive.convoy_sighting[], archive.convoy_meeting[]),
    archive.convoy_evidence(text, timestamptz, timestamptz, interval, integer, text, text[], text[], integer),
    archive.has_more_reads(text, timestamptz, timestamptz, text[], text[], integer),
    archive.find_convoy(text, bigint, bigint, integer, text, integer, integer, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.find_convoy(text, bigint, bigint, integer, text, integer, integer, text)
    TO search_question;

RESET ROLE;
