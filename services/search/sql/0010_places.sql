-- Places of questions: what services/search/core/area.py writes down as text, made ready once a question by
-- archive.place_of. A function that finds reads in a place takes the sensors and days of archive.place_sensors, looks up
-- their reads by (sensor_id, capture_time), and keeps those for which archive.is_in_place says so.
--
-- Functions without SET have their names bound when they are made, and PostgreSQL puts them into the query that calls
-- them.
SET LOCAL ROLE archive_owner;

-- A box on the map, and what narrows it. `ring` has longitudes as x and latitudes as y.
CREATE TYPE archive.place AS (
    south double precision,
    west double precision,
    north double precision,
    east double precision,
    ring polygon,
    center_latitude double precision,
    center_longitude double precision,
    radius_meters double precision,
    sensor_group text,
    sensor_ids text[]
);

-- Great-circle distance on a sphere of WGS 84's mean radius (haversine): within 0.6 % of the ellipsoid's.
CREATE FUNCTION archive.meters_between(
    latitude double precision, longitude double precision, other_latitude double precision,
    other_longitude double precision
) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 2 * 6371008.8 * asin(least(1, sqrt(
    sind((other_latitude - latitude) / 2) ^ 2
    + cosd(latitude) * cosd(other_latitude) * sind((other_longitude - longitude) / 2) ^ 2)));

-- Whether a read lies in the place.
CREATE FUNCTION archive.is_in_place(
    place archive.place, latitude double precision, longitude double precision, sensor_group text, sensor_id text
) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN latitude BETWEEN (place).south AND (place).north AND longitude BETWEEN (place).west AND (place).east
    AND ((place).ring IS NULL OR (place).ring @> point(longitude, latitude))
    AND ((place).radius_meters IS NULL OR archive.meters_between(
        (place).center_latitude, (place).center_longitude, latitude, longitude) <= (place).radius_meters)
    AND ((place).sensor_group IS NULL OR sensor_group = (place).sensor_group)
    AND ((place).sensor_ids IS NULL OR sensor_id = ANY ((place).sensor_ids));

-- The circle with the box round it: the whole way round the earth where it reaches over a pole or the antimeridian.
CREATE FUNCTION archive.circle_place(
    latitude double precision, longitude double precision, radius_meters double precision
) RETURNS archive.place
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = archive, pg_temp AS $$
DECLARE
    place archive.place;
    up double precision := degrees(radius_meters / 6371008.8) * 1.0001;  -- more than any rounding loses
    aside double precision := 180;
BEGIN
    IF abs(latitude) + up < 90 THEN
        -- The parallel that the circle only touches lies nearer to the pole than its centre.
        aside := degrees(asin(least(1, sin(radians(up)) / cosd(latitude)))) * 1.0001;
    END IF;
    place.south := greatest(latitude - up, -90);
    place.north := least(latitude + up, 90);
    place.west := longitude - aside;
    place.east := longitude + aside;
    IF place.west < -180 OR place.east > 180 THEN
        place.west := -180;
        place.east := 180;
    END IF;
    place.center_latitude := latitude;
    place.center_longitude := longitude;
    place.radius_meters := circle_place.radius_meters;
    RETURN place;
END
$$;

-- The polygon of these corners, each [latitude, longitude], with the box round it.
CREATE FUNCTION archive.polygon_place(corners jsonb) RETURNS archive.place
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = archive, pg_temp AS $$
DECLARE
    place archive.place;
    corner_list text;
BEGIN
    SELECT min(c.latitude), min(c.longitude), max(c.latitude), max(c.longitude),
           string_agg(format('(%s,%s)', c.longitude, c.latitude), ',' ORDER BY c.n)
      INTO place.south, place.west, place.north, place.east, corner_list
      FROM (SELECT (e.corner ->> 0)::double precision AS latitude, (e.corner ->> 1)::double precision AS longitude, e.n
              FROM jsonb_array_elements(corners) WITH ORDINALITY AS e (corner, n)) AS c;
    place.ring := format('(%s)', corner_list)::polygon;
    RETURN place;
END
$$;

-- The place that a question names; an empty text names the whole earth. What is no area is refused, so that nothing
-- strange ever stands for everywhere.
CREATE FUNCTION archive.place_of(area text) RETURNS archive.place
LANGUAGE plpgsql IMMUTABLE SET search_path = archive, pg_temp AS $$
DECLARE
    given jsonb := nullif(area, '')::jsonb;
    place archive.place := ROW (-90, -180, 90, 180, NULL, NULL, NULL, NULL, NULL, NULL);
    shape text;
BEGIN
    IF given IS NULL THEN
        RETURN place;
    END IF;
    IF jsonb_typeof(given) = 'object' THEN
        shape := (SELECT CASE WHEN count(*) = 1 THEN min(k) END FROM jsonb_object_keys(given) AS k);
    END IF;
    CASE shape
        WHEN 'circle' THEN
            place := archive.circle_place((given #>> '{circle,0}')::double precision,
                                          (given #>> '{circle,1}')::double precision,
                                          (given #>> '{circle,2}')::double precision);
        WHEN 'polygon' THEN
            place := archive.polygon_place(given -> 'polygon');
        WHEN 'group' THEN
            place.sensor_group := given ->> 'group';
        WHEN 'sensors' THEN
            place.sensor_ids := ARRAY(SELECT jsonb_array_elements_text(given -> 'sensors'));
        ELSE
            NULL;
    END CASE;
    IF num_nonnulls(place.ring, place.radius_meters, place.sensor_group, place.sensor_ids) <> 1 THEN
        RAISE EXCEPTION 'this is no area' USING ERRCODE = '22023';
    END IF;
    RETURN place;
END
$$;

-- Sensors that may have had reads in the place, one row for each day from from_day to to_day on which they may. Of a small
-- place the days are those of its cells; of a large one, a group or a list they are all that the sensor was seen on, as
-- looking at the days of thousands of cells would take longer than passing over days without reads.
CREATE FUNCTION archive.place_sensors(place archive.place, from_day date, to_day date)
RETURNS TABLE (sensor_id text, day date)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    south integer := archive.cell((place).south);
    west integer := archive.cell((place).west);
    north integer := archive.cell((place).north);
    east integer := archive.cell((place).east);
BEGIN
    IF (place).sensor_ids IS NOT NULL THEN
        RETURN QUERY
        SELECT s.sensor_id, g.day::date
          FROM unnest((place).sensor_ids) AS s (sensor_id)
         CROSS JOIN generate_series(from_day::timestamp, to_day::timestamp, interval '1 day') AS g (day);
    ELSIF (place).sensor_group IS NOT NULL OR (north - south + 1) * (east - west + 1) > 400 THEN
        RETURN QUERY
        SELECT s.sensor_id, g.day::date
          FROM (SELECT p.sensor_id, min(p.first_day) AS first_day, max(p.days[cardinality(p.days)]) AS last_day
                  FROM archive.place_seen AS p
                 WHERE p.sensor_group = coalesce((place).sensor_group, p.sensor_group)
                   AND p.cell_latitude BETWEEN south AND north AND p.cell_longitude BETWEEN west AND east
                 GROUP BY p.sensor_id) AS s
         CROSS JOIN generate_series(greatest(from_day, s.first_day)::timestamp, least(to_day, s.last_day)::timestamp,
                                    interval '1 day') AS g (day);
    ELSE
        RETURN QUERY
        SELECT s.sensor_id, d.day
          FROM archive.dictionary_sensors((place).south, (place).west, (place).north, (place).east, from_day, to_day)
               AS s
         CROSS JOIN LATERAL unnest(s.days) AS d (day);
    END IF;
END
$$;

-- Characters that are taken for each other as one: 0 O Q D, 1 I L, 2 Z, 5 S, 6 G, 8 B. Wildcards stay.
CREATE FUNCTION archive.folded(plate text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN translate(plate, 'OQDILZSGB', '000112568');

REVOKE ALL ON FUNCTION
    archive.meters_between(double precision, double precision, double precision, double precision),
    archive.is_in_place(archive.place, double precision, double precision, text, text),
    archive.circle_place(double precision, double precision, double precision),
    archive.polygon_place(jsonb),
    archive.place_of(text),
    archive.place_sensors(archive.place, date, date),
    archive.folded(text)
    FROM PUBLIC;

RESET ROLE;
