-- Comparison with a data set of the caller's: plates, or incidents with time and place (ENF-051 IV.C.3). The data set
-- comes as an argument and is kept nowhere; every row of it is part of the recorded question.
SET LOCAL ROLE archive_owner;

-- Those of the plates that were read, with count, first and last read, and some of their sensors, as JSON; their
-- number, and whether there were more.
CREATE FUNCTION archive.compared_plates(
    plates text[], from_time timestamptz, to_time timestamptz, agencies text[], groups text[], row_limit integer
) RETURNS TABLE (answer text, row_count integer, has_more boolean)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH found AS MATERIALIZED (
        SELECT d.plate, count(*) AS reads, min(r.capture_time) AS first_time, max(r.capture_time) AS last_time,
               (array_agg(DISTINCT r.sensor_id ORDER BY r.sensor_id))[:20] AS sensor_ids
          FROM archive.dictionary_any(plates, archive.utc_day(from_time), archive.utc_day(to_time)) AS d
         CROSS JOIN LATERAL unnest(d.days) AS o (day)
         CROSS JOIN LATERAL (
                SELECT r.capture_time, r.sensor_id
                  FROM archive.read AS r
                 WHERE r.plate = d.plate
                   AND r.capture_time >= greatest(from_time, o.day::timestamp AT TIME ZONE 'UTC')
                   AND r.capture_time < least(to_time, (o.day + 1)::timestamp AT TIME ZONE 'UTC')
                   AND r.agency_ori = ANY (agencies)
                   AND (cardinality(groups) = 0 OR r.sensor_group = ANY (groups))
                OFFSET 0) AS r  -- looked up for each plate and day, whatever the planner thinks of their number
         GROUP BY d.plate
    ), ranked AS (
        SELECT f.*, row_number() OVER (ORDER BY f.reads DESC, f.plate) AS n FROM found AS f
    )
    SELECT json_build_object('plates', coalesce(
               (SELECT json_agg(json_build_array(
                           r.plate, r.reads, archive.microseconds(r.first_time), archive.microseconds(r.last_time),
                           r.sensor_ids) ORDER BY r.n)
                  FROM ranked AS r WHERE r.n <= row_limit), '[]'))::text,
           least((SELECT count(*) FROM found), row_limit)::integer,
           (SELECT count(*) FROM found) > row_limit;
END
$$;

-- The incidents as scenes: everywhere within `meters`, `around` before and after. Each is `time latitude longitude`.
CREATE FUNCTION archive.incident_scenes(incidents text[], meters integer, around interval) RETURNS SETOF archive.scene
LANGUAGE sql STABLE SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT u.n::integer - 1,
           archive.circle_place(split_part(u.incident, ' ', 2)::double precision,
                                split_part(u.incident, ' ', 3)::double precision, meters),
           split_part(u.incident, ' ', 1)::timestamptz - around,
           split_part(u.incident, ' ', 1)::timestamptz + around
      FROM unnest(incidents) WITH ORDINALITY AS u (incident, n);
END;

-- Puts the question "what do these rows and the reads have in common?". `data_set` is "plates" or "incidents"; `parts`
-- are its rows, joined by semicolons, in so many texts that each can be recorded.
CREATE FUNCTION archive.find_compare(
    permit text, from_us bigint, to_us bigint, page_size integer, data_set text, file_sha256 text,
    within_meters integer, within_minutes integer, min_incidents integer, time_zone text, parts text[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'compare');
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_start());
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    wanted text[] := string_to_array(array_to_string(parts, ';'), ';');
    scenes archive.scene[];
    visits archive.scene_visit[];
    found record;
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('compare', from_us, to_us, page_size,
        VARIADIC ARRAY[archive.canonical_line('data_set', archive.argument_value(data_set)),
                       archive.canonical_line('file_sha256', archive.argument_value(file_sha256)),
                       archive.canonical_line('within_meters', within_meters::text),
                       archive.canonical_line('within_minutes', within_minutes::text),
                       archive.canonical_line('min_incidents', min_incidents::text),
                       archive.canonical_line('time_zone', archive.argument_value(time_zone))]
            || ARRAY(SELECT archive.canonical_line('rows_' || p.n, archive.argument_value(p.part))
                       FROM unnest(parts) WITH ORDINALITY AS p (part, n) ORDER BY p.n)));
    IF data_set = 'plates' THEN
        SELECT c.* INTO found
          FROM archive.compared_plates(wanted, from_time, to_time, opened.agency_oris, opened.sensor_groups,
                                       least(page_size, 1000)) AS c;
    ELSE
        scenes := ARRAY(SELECT s FROM archive.incident_scenes(
            wanted, within_meters, make_interval(mins => within_minutes)) AS s);
        visits := ARRAY(SELECT v FROM archive.scene_visits(
            scenes, from_time, to_time, opened.agency_oris, opened.sensor_groups) AS v);
        SELECT e.* INTO found
          FROM archive.scene_evidence(scenes, visits, min_incidents, from_time, to_time, time_zone,
                                      opened.agency_oris, opened.sensor_groups, least(page_size, 1000)) AS e;
    END IF;
    PERFORM archive.keep_computed(opened, found.answer, found.row_count, found.has_more);
END
$$;

REVOKE ALL ON FUNCTION
    archive.compared_plates(text[], timestamptz, timestamptz, text[], text[], integer),
    archive.incident_scenes(text[], integer, interval),
    archive.find_compare(text, bigint, bigint, integer, text, text, integer, integer, integer, text, text[])
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.find_compare(text, bigint, bigint, integer, text, text, integer, integer, integer, text, text[])
    TO search_question;

RESET ROLE;
