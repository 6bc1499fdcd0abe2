-- Counts and summaries (ENF-051 IV.C.3). No plate leaves with them.
SET LOCAL ROLE archive_owner;

-- The first and all other quarters of an hour of the window, since 1970-01-01T00Z, each as the first one that is the
-- same by the dimensions asked for. Every time zone has whole quarters, so that none is on two days.
CREATE FUNCTION archive.summary_quarters(by text[], from_time timestamptz, to_time timestamptz, time_zone text)
RETURNS integer[]
LANGUAGE sql STABLE SET search_path = archive, pg_temp
RETURN ARRAY(
    SELECT min(q.quarter) OVER (PARTITION BY CASE WHEN 'day' = ANY (by) THEN to_char(q.local, 'YYYY-MM-DD') END,
                                             CASE WHEN 'hour' = ANY (by) THEN to_char(q.local, 'HH24') END,
                                             CASE WHEN 'weekday' = ANY (by) THEN to_char(q.local, 'ID') END)
      FROM (SELECT g.quarter, archive.moment(g.quarter::bigint * 900000000) AT TIME ZONE time_zone AS local
              FROM generate_series(floor(date_part('epoch', from_time) / 900)::integer,
                                   floor(date_part('epoch', to_time) / 900)::integer) AS g (quarter)) AS q
     ORDER BY q.quarter);

-- Reads in an area (services/search/core/area.py; an empty text is everywhere), counted by the dimensions that `by`
-- names; the others are NULL. A time is a quarter of an hour, or, where `plate` is not NULL because plates are counted,
-- too, the first one like it: then a plate has few rows. Planned for each question, so that what was not asked for costs
-- nothing.
CREATE FUNCTION archive.summary_counts(
    by text[], area text, from_time timestamptz, to_time timestamptz, time_zone text, count_plates boolean,
    agencies text[], groups text[]
) RETURNS TABLE (
    quarter integer, sensor text, sensor_group text, agency text, provenance text, state text, plate text, reads bigint)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off
SET work_mem = '64MB' AS $$
#variable_conflict use_column
DECLARE
    wanted archive.place := archive.place_of(area);
    by_time boolean := by && ARRAY['day', 'hour', 'weekday'];
    quarters integer[] := archive.summary_quarters(by, from_time, to_time, time_zone);
    before_first integer := floor(date_part('epoch', from_time) / 900)::integer - 1;
BEGIN
    RETURN QUERY
    SELECT CASE WHEN by_time AND count_plates
                THEN quarters[floor(date_part('epoch', r.capture_time) / 900)::integer - before_first]
                WHEN by_time THEN floor(date_part('epoch', r.capture_time) / 900)::integer END,
           CASE WHEN 'sensor' = ANY (by) THEN r.sensor_id END,
           CASE WHEN 'sensor_group' = ANY (by) THEN r.sensor_group END,
           CASE WHEN 'agency' = ANY (by) THEN r.agency_ori END,
           CASE WHEN 'provenance' = ANY (by) THEN r.provenance END,
           CASE WHEN 'state' = ANY (by) THEN coalesce(r.state, '') END,
           CASE WHEN count_plates THEN r.plate END,
           count(*)
      FROM (SELECT a.capture_time, a.sensor_id, a.sensor_group, a.agency_ori, a.provenance, a.state, a.plate
              FROM archive.read AS a
             WHERE area = ''
               AND a.capture_time >= from_time AND a.capture_time < to_time
             UNION ALL
            SELECT i.capture_time, i.sensor_id, i.sensor_group, i.agency_ori, i.provenance, i.state, i.plate
              FROM archive.place_sensors(wanted, archive.utc_day(from_time), archive.utc_day(to_time)) AS d
             CROSS JOIN LATERAL (
                    SELECT b.*
                      FROM archive.read AS b
                     WHERE b.sensor_id = d.sensor_id
                       AND b.capture_time >= greatest(from_time, d.day::timestamp AT TIME ZONE 'UTC')
                       AND b.capture_time < least(to_time, (d.day + 1)::timestamp AT TIME ZONE 'UTC')
                       AND archive.is_in_place(wanted, b.latitude, b.longitude, b.sensor_group, b.sensor_id)
                    OFFSET 0) AS i  -- looked up for each sensor and day, whatever the planner thinks of their number
             WHERE area <> '') AS r
     WHERE r.agency_ori = ANY (agencies)
       AND (cardinality(groups) = 0 OR r.sensor_group = ANY (groups))
     GROUP BY 1, 2, 3, 4, 5, 6, 7;
END
$$;

-- The rows as JSON, each with its values in the order of `by`, then reads and plates; their number, and whether
-- there were more.
CREATE FUNCTION archive.summary_evidence(
    by text[], area text, from_time timestamptz, to_time timestamptz, time_zone text, count_plates boolean,
    agencies text[], groups text[], row_limit integer
) RETURNS TABLE (answer text, row_count integer, has_more boolean)
LANGUAGE sql STABLE SET search_path = archive, pg_temp SET work_mem = '64MB'
BEGIN ATOMIC
    WITH counted AS MATERIALIZED (
        SELECT s.*
          FROM archive.summary_counts(by, area, from_time, to_time, time_zone, count_plates, agencies, groups) AS s
    ), moment AS MATERIALIZED (
        SELECT q.quarter, archive.moment(q.quarter::bigint * 900000000) AT TIME ZONE time_zone AS local
          FROM (SELECT DISTINCT c.quarter FROM counted AS c) AS q
    ), shown_moment AS MATERIALIZED (
        SELECT m.quarter, to_char(m.local, 'YYYY-MM-DD') AS day, to_char(m.local, 'HH24') AS hour,
               to_char(m.local, 'ID') AS weekday
          FROM moment AS m
    ), valued AS MATERIALIZED (
        SELECT k.shown, sum(k.reads)::bigint AS reads,
               count(DISTINCT k.plate) AS plates
          FROM (SELECT c.reads, c.plate,
                       ARRAY(SELECT CASE b.dimension
                                        WHEN 'day' THEN m.day WHEN 'hour' THEN m.hour WHEN 'weekday' THEN m.weekday
                                        WHEN 'sensor' THEN c.sensor WHEN 'sensor_group' THEN c.sensor_group
                                        WHEN 'agency' THEN c.agency WHEN 'provenance' THEN c.provenance
                                        WHEN 'state' THEN c.state
                                    END COLLATE "C"
                               FROM unnest(by) WITH ORDINALITY AS b (dimension, n) ORDER BY b.n) AS shown
                  FROM counted AS c
                  LEFT JOIN shown_moment AS m ON m.quarter = c.quarter) AS k
         GROUP BY k.shown
    ), first_rows AS (
        SELECT v.* FROM valued AS v ORDER BY v.shown LIMIT row_limit
    )
    SELECT json_build_object(
               'rows', coalesce((SELECT json_agg(json_build_array(f.shown, f.reads, f.plates) ORDER BY f.shown)
                                   FROM first_rows AS f), '[]'),
               'reads', (SELECT coalesce(sum(v.reads), 0) FROM valued AS v))::text,
           (SELECT count(*) FROM first_rows)::integer,
           (SELECT count(*) FROM valued) > row_limit;
END;

-- Puts the question "how many reads were there?".
CREATE FUNCTION archive.find_summary(
    permit text, from_us bigint, to_us bigint, page_size integer, by text[], area text, time_zone text,
    count_plates boolean
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'summary');
    found record;
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('summary', from_us, to_us, page_size,
        archive.canonical_line('by', archive.argument_value(array_to_string(by, ','))),
        archive.canonical_line('area', archive.argument_value(area)),
        archive.canonical_line('time_zone', archive.argument_value(time_zone)),
        archive.canonical_line('count_plates', CASE WHEN count_plates THEN 'yes' ELSE 'no' END)));
    SELECT e.* INTO found
      FROM archive.summary_evidence(
               by, area,
               greatest(archive.moment(from_us), opened.from_time, archive.retention_start()),
               least(archive.moment(to_us), opened.to_time), time_zone, count_plates,
               opened.agency_oris, opened.sensor_groups, least(page_size, 5000)) AS e;
    PERFORM archive.keep_computed(opened, found.answer, found.row_count, found.has_more);
END
$$;

REVOKE ALL ON FUNCTION
    archive.summary_quarters(text[], timestamptz, timestamptz, text),
    archive.summary_counts(text[], text, timestamptz, timestamptz, text, boolean, text[], text[]),
    archive.summary_evidence(text[], text, timestamptz, timestamptz, text, boolean, text[], text[], integer),
    archive.find_summary(text, bigint, bigint, integer, text[], text, text, boolean)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.find_summary(text, bigint, bigint, integer, text[], text, text, boolean)
    TO search_question;

RESET ROLE;
