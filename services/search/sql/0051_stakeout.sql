-- Stakeouts: which plates were at several scenes, each a place in a window of time (ENF-051 IV.C.3). What is counted
-- here is weighed in services/search/core/stakeout.py.
SET LOCAL ROLE archive_owner;

-- A scene: somewhere, from one moment to another, exclusive.
CREATE TYPE archive.scene AS (
    n integer,                  -- from 0
    place archive.place,
    opens timestamptz,
    closes timestamptz
);

-- The scenes that these texts name, each {"area":{...},"from":"...","to":"..."} as services/search/core/stakeout.py
-- writes them down.
CREATE FUNCTION archive.scenes_of(scenes text[]) RETURNS SETOF archive.scene
LANGUAGE sql STABLE SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT s.n::integer - 1, archive.place_of(s.scene -> 'area' #>> '{}'), (s.scene ->> 'from')::timestamptz,
           (s.scene ->> 'to')::timestamptz
      FROM (SELECT u.n, u.scene::jsonb AS scene FROM unnest(scenes) WITH ORDINALITY AS u (scene, n)) AS s;
END;

-- A plate at a scene.
CREATE TYPE archive.scene_visit AS (
    n integer,
    plate text,
    first_time timestamptz,
    last_time timestamptz,
    read_count integer,
    sensor_ids text[]
);

-- Who was at the scenes, between from_time and to_time.
CREATE FUNCTION archive.scene_visits(
    scenes archive.scene[], from_time timestamptz, to_time timestamptz, agencies text[], groups text[]
) RETURNS SETOF archive.scene_visit
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT s.n, r.plate, min(r.capture_time), max(r.capture_time), count(*)::integer,
           array_agg(DISTINCT r.sensor_id ORDER BY r.sensor_id)
      FROM unnest(scenes) AS s
     CROSS JOIN LATERAL archive.place_sensors(s.place, archive.utc_day(s.opens), archive.utc_day(s.closes)) AS d
     CROSS JOIN LATERAL (
            SELECT r.plate, r.capture_time, r.sensor_id
              FROM archive.read AS r
             WHERE r.sensor_id = d.sensor_id
               AND r.capture_time >= greatest(s.opens, from_time, d.day::timestamp AT TIME ZONE 'UTC')
               AND r.capture_time < least(s.closes, to_time, (d.day + 1)::timestamp AT TIME ZONE 'UTC')
               AND r.agency_ori = ANY (agencies)
               AND (cardinality(groups) = 0 OR r.sensor_group = ANY (groups))
               AND archive.is_in_place(s.place, r.latitude, r.longitude, r.sensor_group, r.sensor_id)
            OFFSET 0) AS r  -- looked up for each sensor and day, whatever the planner thinks of their number
     GROUP BY s.n, r.plate;
END
$$;

-- For each scene by how many days its window may be moved so that it still lies between from_time and to_time: from
-- first_day to last_day, 0 among them. Days and times of day are those of the time zone.
CREATE FUNCTION archive.scene_days(
    scenes archive.scene[], from_time timestamptz, to_time timestamptz, time_zone text
) RETURNS TABLE (n integer, first_day integer, last_day integer)
LANGUAGE sql STABLE SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT s.n,
           least(ceil(extract(epoch FROM from_time AT TIME ZONE time_zone - s.opens AT TIME ZONE time_zone)
                      / 86400), 0)::integer,
           greatest(floor(extract(epoch FROM to_time AT TIME ZONE time_zone - s.closes AT TIME ZONE time_zone)
                          / 86400), 0)::integer
      FROM unnest(scenes) AS s;
END;

-- On how many of those days these plates were at the scene's place at its time of day.
CREATE FUNCTION archive.scene_habits(
    plates text[], scenes archive.scene[], from_time timestamptz, to_time timestamptz, time_zone text,
    agencies text[], groups text[]
) RETURNS TABLE (plate text, n integer, days integer)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH passed AS MATERIALIZED (
        SELECT r.plate, r.sensor_id, r.sensor_group, r.latitude, r.longitude,
               r.capture_time AT TIME ZONE time_zone AS local
          FROM archive.read AS r
         WHERE r.plate = ANY (plates)
           AND r.capture_time >= from_time AND r.capture_time < to_time
           AND r.agency_ori = ANY (agencies)
           AND (cardinality(groups) = 0 OR r.sensor_group = ANY (groups))
    ), sensor AS MATERIALIZED (
        SELECT s.n, s.place, s.opens AT TIME ZONE time_zone AS opens, s.closes AT TIME ZONE time_zone AS closes,
               d.sensor_id
          FROM unnest(scenes) AS s
         CROSS JOIN LATERAL (
                SELECT DISTINCT p.sensor_id
                  FROM archive.place_sensors(s.place, archive.utc_day(from_time), archive.utc_day(to_time)) AS p) AS d
    ), there AS (
        SELECT p.plate, s.n, extract(epoch FROM p.local - s.opens) / 86400 AS after_opening,
               extract(epoch FROM p.local - s.closes) / 86400 AS after_closing
          FROM sensor AS s
          JOIN passed AS p ON p.sensor_id = s.sensor_id
         WHERE archive.is_in_place(s.place, p.latitude, p.longitude, p.sensor_group, p.sensor_id)
    )
    -- Moved by `day`, the window holds the read: opens + day <= read < closes + day.
    SELECT t.plate, t.n, count(DISTINCT g.day)::integer
      FROM there AS t
      JOIN archive.scene_days(scenes, from_time, to_time, time_zone) AS w ON w.n = t.n
     CROSS JOIN LATERAL generate_series(greatest(floor(t.after_closing)::integer + 1, w.first_day),
                                        least(floor(t.after_opening)::integer, w.last_day)) AS g (day)
     GROUP BY t.plate, t.n;
END
$$;

-- Those plates of `visits` that were at the most scenes, at least at `least_scenes`, with habits, as JSON for
-- core/stakeout.py; their number, and whether there were more.
CREATE FUNCTION archive.scene_evidence(
    scenes archive.scene[], visits archive.scene_visit[], least_scenes integer, from_time timestamptz,
    to_time timestamptz, time_zone text, agencies text[], groups text[], row_limit integer
) RETURNS TABLE (answer text, row_count integer, has_more boolean)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp AS $$
DECLARE
    plates text[];
    kept text[];
    found json;
BEGIN
    plates := ARRAY(SELECT v.plate FROM unnest(visits) AS v
                     GROUP BY v.plate HAVING count(*) >= least_scenes
                     ORDER BY count(*) DESC, sum(v.read_count), v.plate
                     LIMIT row_limit + 1);
    kept := plates[:row_limit];
    SELECT json_agg(json_build_array(v.plate, h.habits, v.visits) ORDER BY v.plate)
      INTO found
      FROM (SELECT u.plate, json_agg(json_build_array(
                       u.n, archive.microseconds(u.first_time), archive.microseconds(u.last_time), u.read_count,
                       u.sensor_ids) ORDER BY u.n) AS visits
              FROM unnest(visits) AS u
             WHERE u.plate = ANY (kept)
             GROUP BY u.plate) AS v
      LEFT JOIN (SELECT t.plate, json_agg(json_build_array(t.n, t.days) ORDER BY t.n) AS habits
                   FROM archive.scene_habits(kept, scenes, from_time, to_time, time_zone, agencies, groups) AS t
                  GROUP BY t.plate) AS h ON h.plate = v.plate;
    RETURN QUERY
    SELECT json_build_object(
               'days', (SELECT json_agg(d.last_day - d.first_day + 1 ORDER BY d.n)
                          FROM archive.scene_days(scenes, from_time, to_time, time_zone) AS d),
               'plates', coalesce(found, '[]'),
               'plates_considered', (SELECT count(DISTINCT v.plate) FROM unnest(visits) AS v))::text,
           cardinality(kept), cardinality(plates) > row_limit;
END
$$;

-- Puts the question "which plates were at several of these scenes?".
CREATE FUNCTION archive.find_stakeout(
    permit text, from_us bigint, to_us bigint, page_size integer, min_scenes integer, time_zone text, scenes text[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'stakeout');
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_start());
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    wanted archive.scene[];
    visits archive.scene_visit[];
    found record;
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('stakeout', from_us, to_us, page_size,
        VARIADIC ARRAY[archive.canonical_line('min_scenes', min_scenes::text),
                       archive.canonical_line('time_zone', archive.argument_value(time_zone))]
            || ARRAY(SELECT archive.canonical_line('scene_' || s.n, archive.argument_value(s.scene))
                       FROM unnest(scenes) WITH ORDINALITY AS s (scene, n) ORDER BY s.n)));
    wanted := ARRAY(SELECT s FROM archive.scenes_of(scenes) AS s);
    visits := ARRAY(SELECT v FROM archive.scene_visits(
        wanted, from_time, to_time, opened.agency_oris, opened.sensor_groups) AS v);
    SELECT e.* INTO found
      FROM archive.scene_evidence(wanted, visits, min_scenes, from_time, to_time, time_zone,
                                  opened.agency_oris, opened.sensor_groups, least(page_size, 500)) AS e;
    PERFORM archive.keep_computed(opened, found.answer, found.row_count, found.has_more);
END
$$;

REVOKE ALL ON FUNCTION
    archive.scenes_of(text[]),
    archive.scene_visits(archive.scene[], timestamptz, timestamptz, text[], text[]),
    archive.scene_days(archive.scene[], timestamptz, timestamptz, text),
    archive.scene_habits(text[], archive.scene[], timestamptz, timestamptz, text, text[], text[]),
    archive.scene_evidence(
        archive.scene[], archive.scene_visit[], integer, timestamptz, timestamptz, text, text[], text[], integer),
    archive.find_stakeout(text, bigint, bigint, integer, integer, text, text[])
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.find_stakeout(text, bigint, bigint, integer, integer, text, text[])
    TO search_question;

RESET ROLE;
