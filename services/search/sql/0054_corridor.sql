-- Corridors: which plates travelled along a line on the map (ENF-051 IV.C.3).
SET LOCAL ROLE archive_owner;

-- A plate beside the line; `run` counts journeys.
CREATE TYPE archive.corridor_passage AS (
    plate text,
    capture_time timestamptz,
    sensor_id text,
    along double precision,     -- metres from the first point of the line
    beside double precision,    -- metres off the line
    run integer
);

-- The pieces of a line of points [latitude, longitude], each with the metres before it.
CREATE FUNCTION archive.corridor_pieces(line jsonb)
RETURNS TABLE (n bigint, latitude double precision, longitude double precision, end_latitude double precision,
               end_longitude double precision, starts_at double precision, meters double precision)
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
BEGIN ATOMIC
    WITH spot AS (
        SELECT e.n, (e.spot ->> 0)::double precision AS latitude, (e.spot ->> 1)::double precision AS longitude
          FROM jsonb_array_elements(line) WITH ORDINALITY AS e (spot, n)
    ), piece AS (
        SELECT a.n, a.latitude, a.longitude, b.latitude AS end_latitude, b.longitude AS end_longitude,
               archive.meters_between(a.latitude, a.longitude, b.latitude, b.longitude) AS meters
          FROM spot AS a JOIN spot AS b ON b.n = a.n + 1
    )
    SELECT p.n, p.latitude, p.longitude, p.end_latitude, p.end_longitude,
           sum(p.meters) OVER (ORDER BY p.n) - p.meters, p.meters
      FROM piece AS p;
END;

-- How far along the line and beside it a point is, by the nearest piece. A piece is so short that the earth is flat.
CREATE FUNCTION archive.corridor_position(line jsonb, latitude double precision, longitude double precision)
RETURNS TABLE (along double precision, beside double precision)
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT f.starts_at + f.share * f.meters,
           sqrt((f.east - f.share * f.end_east) ^ 2 + (f.north - f.share * f.end_north) ^ 2) AS beside
      FROM (SELECT m.*, least(greatest((m.east * m.end_east + m.north * m.end_north)
                                       / nullif(m.end_east ^ 2 + m.end_north ^ 2, 0), 0), 1) AS share
              FROM (SELECT p.n, p.starts_at, p.meters,
                           (corridor_position.longitude - p.longitude) * e.meters_east AS east,
                           (corridor_position.latitude - p.latitude) * 111195.08 AS north,
                           (p.end_longitude - p.longitude) * e.meters_east AS end_east,
                           (p.end_latitude - p.latitude) * 111195.08 AS end_north
                      FROM archive.corridor_pieces(line) AS p
                     CROSS JOIN LATERAL (SELECT 111195.08 * cosd((p.latitude + p.end_latitude) / 2)) AS e (meters_east)
                   ) AS m) AS f
     ORDER BY 2, f.n
     LIMIT 1;
END;

-- The passages beside the line, by plate and time.
CREATE FUNCTION archive.corridor_passages(
    line jsonb, within_meters integer, from_time timestamptz, to_time timestamptz, agencies text[], groups text[]
) RETURNS SETOF archive.corridor_passage
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    south double precision;
    west double precision;
    north double precision;
    east double precision;
    margin double precision := within_meters / 110000.0;
BEGIN
    SELECT min((e.spot ->> 0)::double precision) - margin, max((e.spot ->> 0)::double precision) + margin,
           min((e.spot ->> 1)::double precision), max((e.spot ->> 1)::double precision)
      INTO south, north, west, east
      FROM jsonb_array_elements(line) AS e (spot);
    margin := margin / greatest(cosd(least(greatest(abs(south), abs(north)), 89.0)), 0.01);
    west := west - margin;
    east := east + margin;
    RETURN QUERY
    WITH seen AS MATERIALIZED (
        SELECT r.*
          FROM archive.dictionary_sensors(south, west, north, east, archive.utc_day(from_time),
                                          archive.utc_day(to_time)) AS s
         CROSS JOIN LATERAL unnest(s.days) AS d (day)
         CROSS JOIN LATERAL (
                SELECT r.plate, r.capture_time, r.sensor_id, r.latitude, r.longitude
                  FROM archive.read AS r
                 WHERE r.sensor_id = s.sensor_id
                   AND r.capture_time >= greatest(from_time, d.day::timestamp AT TIME ZONE 'UTC')
                   AND r.capture_time < least(to_time, (d.day + 1)::timestamp AT TIME ZONE 'UTC')
                   AND r.latitude BETWEEN south AND north AND r.longitude BETWEEN west AND east
                   AND r.agency_ori = ANY (agencies)
                   AND (cardinality(groups) = 0 OR r.sensor_group = ANY (groups))
                OFFSET 0) AS r  -- looked up for each sensor and day, whatever the planner thinks of their number
    ), spot AS MATERIALIZED (  -- a fixed sensor has one, for all of its reads
        SELECT o.latitude, o.longitude, c.along, c.beside
          FROM (SELECT DISTINCT s.latitude, s.longitude FROM seen AS s) AS o
         CROSS JOIN LATERAL archive.corridor_position(line, o.latitude, o.longitude) AS c
         WHERE c.beside <= within_meters
    )
    SELECT s.plate, s.capture_time, s.sensor_id, o.along, o.beside, 0
      FROM seen AS s
      JOIN spot AS o ON o.latitude = s.latitude AND o.longitude = s.longitude
     ORDER BY s.plate, s.capture_time, s.sensor_id;
END
$$;

-- The same, each with the number of its journey: one plate, one way along the line, no longer pause than `pause`.
CREATE FUNCTION archive.corridor_runs(
    line jsonb, within_meters integer, pause interval, from_time timestamptz, to_time timestamptz, agencies text[],
    groups text[]
) RETURNS SETOF archive.corridor_passage
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp AS $$
DECLARE
    passed archive.corridor_passage;
    before archive.corridor_passage;
    heading double precision := 0;  -- 1 from the first point of the line to the last, -1 back, 0 not known yet
    step double precision;
    number integer := 0;
BEGIN
    FOR passed IN
        SELECT p.* FROM archive.corridor_passages(line, within_meters, from_time, to_time, agencies, groups) AS p
    LOOP
        step := sign(passed.along - before.along);
        IF passed.plate IS DISTINCT FROM before.plate OR passed.capture_time - before.capture_time > pause
           OR (heading <> 0 AND step <> 0 AND step <> heading) THEN
            number := number + 1;
            heading := 0;
        ELSIF step <> 0 THEN
            heading := step;
        END IF;
        passed.run := number;
        before := passed;
        RETURN NEXT passed;
    END LOOP;
END
$$;

-- Puts the question "who travelled along this line?". `direction` is "forward", "backward" or "either".
CREATE FUNCTION archive.find_corridor(
    permit text, from_us bigint, to_us bigint, page_size integer, line text, within_meters integer, direction text,
    min_cameras integer, max_gap_minutes integer
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'corridor');
    rows_wanted integer := least(page_size, 500);
    journeys json;
    number integer;
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('corridor', from_us, to_us, page_size,
        archive.canonical_line('line', archive.argument_value(line)),
        archive.canonical_line('within_meters', within_meters::text),
        archive.canonical_line('direction', archive.argument_value(direction)),
        archive.canonical_line('min_cameras', min_cameras::text),
        archive.canonical_line('max_gap_minutes', max_gap_minutes::text)));
    SELECT json_agg(json_build_array(f.plate, f.passages) ORDER BY f.n) FILTER (WHERE f.n <= rows_wanted), count(*)
      INTO journeys, number
      FROM (SELECT j.plate, j.passages, row_number() OVER (ORDER BY j.first_time, j.plate) AS n
              FROM (SELECT r.plate, min(r.capture_time) AS first_time,
                           json_agg(json_build_array(r.sensor_id, archive.microseconds(r.capture_time), r.along, r.beside)
                                    ORDER BY r.capture_time, r.sensor_id) AS passages
                      FROM archive.corridor_runs(
                               line::jsonb, within_meters, make_interval(mins => max_gap_minutes),
                               greatest(archive.moment(from_us), opened.from_time, archive.retention_start()),
                               least(archive.moment(to_us), opened.to_time),
                               opened.agency_oris, opened.sensor_groups) AS r
                     GROUP BY r.plate, r.run
                    HAVING count(DISTINCT r.sensor_id) >= min_cameras
                       AND (direction = 'either' OR (direction = 'forward') =
                            ((array_agg(r.along ORDER BY r.capture_time DESC, r.sensor_id DESC))[1]
                             > (array_agg(r.along ORDER BY r.capture_time, r.sensor_id))[1]))) AS j
             ORDER BY j.first_time, j.plate
             LIMIT rows_wanted + 1) AS f;
    PERFORM archive.keep_computed(
        opened,
        json_build_object('journeys', coalesce(journeys, '[]'),
                          'line_meters', (SELECT sum(p.meters) FROM archive.corridor_pieces(line::jsonb) AS p))::text,
        least(number, rows_wanted), number > rows_wanted);
END
$$;

REVOKE ALL ON FUNCTION
    archive.corridor_pieces(jsonb),
    archive.corridor_position(jsonb, double precision, double precision),
    archive.corridor_passages(jsonb, integer, timestamptz, timestamptz, text[], text[]),
    archive.corridor_runs(jsonb, integer, interval, timestamptz, timestamptz, text[], text[]),
    archive.find_corridor(text, bigint, bigint, integer, text, integer, text, integer, integer)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.find_corridor(text, bigint, bigint, integer, text, integer, text, integer, integer)
    TO search_question;

RESET ROLE;
