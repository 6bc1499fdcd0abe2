-- The pattern of one plate: where and when it was seen (ENF-051 IV.C.3). services/search/core/habits.py makes tables
-- and map data of it.
SET LOCAL ROLE archive_owner;

-- Counts of the reads of a plate as JSON, the number of its places and whether there were more. A place is a sensor, or
-- for one that moves a square of a thousandth of a degree. `quarters` are quarters
-- of an hour since 1970-01-01T00Z with their reads; every time zone has whole ones.
CREATE FUNCTION archive.pattern_evidence(
    wanted_plate text, from_time timestamptz, to_time timestamptz, time_zone text, agencies text[], groups text[],
    row_limit integer
) RETURNS TABLE (answer text, row_count integer, has_more boolean)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH seen AS MATERIALIZED (
        SELECT r.read_id, r.capture_time, (r.capture_time AT TIME ZONE time_zone)::date AS day, r.sensor_id, r.agency_ori,
               r.sensor_group, r.provenance, r.latitude, r.longitude, r.place,
               round(r.latitude::numeric, 3) AS row_of_map, round(r.longitude::numeric, 3) AS column_of_map
          FROM archive.read AS r
         WHERE r.plate = wanted_plate
           AND r.capture_time >= from_time AND r.capture_time < to_time
           AND r.agency_ori = ANY (agencies)
           AND (cardinality(groups) = 0 OR r.sensor_group = ANY (groups))
    ), spot AS (
        SELECT s.sensor_id, s.agency_ori, s.sensor_group, s.provenance, avg(s.latitude) AS latitude,
               avg(s.longitude) AS longitude, (array_agg(s.place ORDER BY s.capture_time DESC))[1] AS place,
               count(*) AS reads, count(DISTINCT s.day) AS days, min(s.capture_time) AS first_time,
               max(s.capture_time) AS last_time
          FROM seen AS s
         GROUP BY s.sensor_id, s.agency_ori, s.sensor_group, s.provenance, s.row_of_map, s.column_of_map
    ), ranked AS (
        SELECT p.*, row_number() OVER (ORDER BY p.reads DESC, p.last_time DESC, p.sensor_id) AS n FROM spot AS p
    ), step AS (
        SELECT lag(s.sensor_id) OVER in_time AS from_sensor, s.sensor_id AS to_sensor,
               s.capture_time - lag(s.capture_time) OVER in_time AS took
          FROM seen AS s
        WINDOW in_time AS (ORDER BY s.capture_time, s.read_id)
    ), leg AS (
        SELECT t.from_sensor, t.to_sensor, count(*) AS times,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM t.took)::double precision) AS seconds
          FROM step AS t
         WHERE t.from_sensor <> t.to_sensor AND t.took <= interval '2 hours'
         GROUP BY t.from_sensor, t.to_sensor
         ORDER BY count(*) DESC, t.from_sensor, t.to_sensor
         LIMIT 100
    ), quarter AS (
        SELECT floor(extract(epoch FROM s.capture_time) / 900)::bigint AS quarter, count(*) AS reads
          FROM seen AS s
         GROUP BY 1
    )
    SELECT json_build_object(
               'places', coalesce((SELECT json_agg(json_build_array(
                    p.sensor_id, p.agency_ori, p.sensor_group, p.provenance, p.latitude, p.longitude, p.place, p.reads,
                    p.days, archive.microseconds(p.first_time), archive.microseconds(p.last_time)) ORDER BY p.n)
                  FROM ranked AS p WHERE p.n <= row_limit), '[]'),
               'legs', coalesce((SELECT json_agg(json_build_array(l.from_sensor, l.to_sensor, l.times, l.seconds)
                                                 ORDER BY l.times DESC, l.from_sensor, l.to_sensor)
                                   FROM leg AS l), '[]'),
               'quarters', coalesce((SELECT json_agg(json_build_array(q.quarter, q.reads) ORDER BY q.quarter)
                                      FROM quarter AS q), '[]'),
               'reads', (SELECT count(*) FROM seen),
               'days', (SELECT count(DISTINCT s.day) FROM seen AS s))::text,
           least((SELECT count(*) FROM ranked), row_limit)::integer,
           (SELECT count(*) FROM ranked) > row_limit;
END
$$;

-- Puts the question "where and when is this plate usually seen?".
CREATE FUNCTION archive.find_pattern(
    permit text, from_us bigint, to_us bigint, page_size integer, plate text, time_zone text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'pattern');
    found record;
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('pattern', from_us, to_us, page_size,
        archive.canonical_line('plate', archive.argument_value(plate)),
        archive.canonical_line('time_zone', archive.argument_value(time_zone))));
    SELECT e.* INTO found
      FROM archive.pattern_evidence(
               plate,
               greatest(archive.moment(from_us), opened.from_time, archive.retention_start()),
               least(archive.moment(to_us), opened.to_time), time_zone,
               opened.agency_oris, opened.sensor_groups, least(page_size, 1000)) AS e;
    PERFORM archive.keep_computed(opened, found.answer, found.row_count, found.has_more);
END
$$;

REVOKE ALL ON FUNCTION
    archive.pattern_evidence(text, timestamptz, timestamptz, text, text[], text[], integer),
    archive.find_pattern(text, bigint, bigint, integer, text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.find_pattern(text, bigint, bigint, integer, text, text) TO search_question;

RESET ROLE;
