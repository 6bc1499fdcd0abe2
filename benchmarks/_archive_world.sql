-- The made state of _archive_world.py, which says what it is like.
CREATE SCHEMA made;

CREATE TABLE made.sensor AS
SELECT n, 'camera-' || lpad(n::text, 3, '0') AS sensor_id,
       CASE WHEN n % 4 < 3 THEN 'ILISP0000' ELSE 'ILMADE' || lpad((n % 12)::text, 3, '0') END AS agency_ori, 'group-' || n % 8 AS sensor_group,
       n % 4 = 0 AS is_mobile,
       41.6 + 0.5 * (n * 7919 % 400) / 400 AS latitude,
       -88.3 + 0.7 * (n * 104729 % 400) / 400 AS longitude
  FROM generate_series(0, 399) AS g (n);
ALTER TABLE made.sensor ADD PRIMARY KEY (n);

CREATE TABLE made.lattice (n integer PRIMARY KEY, recognition bytea NOT NULL);

-- Writes so many reads of a day, by some of so many vehicles. Plates are LLLDDDD, DLLLDDD, LLLDDD and DDLLLDD; rush
-- hours are round 14 and 23 o'clock UTC.
CREATE FUNCTION made.fill(day date, reads integer, vehicles integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    midnight timestamptz := day::timestamp AT TIME ZONE 'UTC';
    first_millisecond bigint := extract(epoch FROM midnight) * 1000;
BEGIN
    PERFORM setseed((day - date '2020-01-01') % 1000 / 1000.0);
    INSERT INTO archive.read
    SELECT i.read_id, t.captured, t.captured + interval '1 second',
           CASE WHEN w.vehicle % 10 < 6 THEN a.letters || lpad((n.p % 10000)::text, 4, '0')
                WHEN w.vehicle % 10 < 8 THEN (n.p / 17576 % 10)::text || a.letters || lpad((n.p % 1000)::text, 3, '0')
                WHEN w.vehicle % 10 = 8 THEN a.letters || lpad((n.p % 1000)::text, 3, '0')
                ELSE lpad((n.p / 17576 % 100)::text, 2, '0') || a.letters || lpad((n.p % 100)::text, 2, '0') END,
           (ARRAY['IL', 'IL', 'IL', 'IL', 'IL', 'IL', 'IN', 'WI', 'MO', 'IA'])[1 + w.vehicle % 10],
           s.sensor_id, s.agency_ori, s.sensor_group, 'OWN',
           s.latitude + CASE WHEN s.is_mobile THEN 0.08 * (d.north - 0.5) ELSE 0 END,
           s.longitude + CASE WHEN s.is_mobile THEN 0.10 * (d.east - 0.5) ELSE 0 END,
           'Road ' || s.n % 90 || ' at mile ' || s.n, 0.93, l.recognition, 'made', w.vehicle::text,
           sha256(uuid_send(i.read_id)), day, 'image/jpeg', 54321, sha256(convert_to(d.rest::text, 'UTF8')),
           sha256(convert_to(d.far::text, 'UTF8')), 1
      FROM (SELECT random() AS frequent, random() AS near, random() AS far, random() AS hour, random() AS steady,
                   random_normal() AS bell, random() AS north, random() AS east, random() AS rest,
                   floor(random() * 1000)::integer AS lattice
              FROM generate_series(1, reads)
            OFFSET 0) AS d
     CROSS JOIN LATERAL (SELECT floor(vehicles * d.frequent ^ 1.6)::integer AS vehicle,
                                (CASE WHEN d.hour < 0.3 THEN 50400 + 3600 * d.bell
                                      WHEN d.hour < 0.6 THEN 82800 + 3600 * d.bell
                                      ELSE 86400 * d.steady END * 1000)::bigint AS raw) AS w
     CROSS JOIN LATERAL (SELECT (w.vehicle::bigint * 104729351 + 12345) % 175760000 AS p) AS n
     CROSS JOIN LATERAL (SELECT chr(65 + (n.p / 676 % 26)::integer) || chr(65 + (n.p / 26 % 26)::integer)
                                || chr(65 + (n.p % 26)::integer) AS letters) AS a
     CROSS JOIN LATERAL (SELECT (w.raw % 86400000 + 86400000) % 86400000 AS millisecond) AS m
     CROSS JOIN LATERAL (SELECT midnight + m.millisecond * interval '1 millisecond' AS captured) AS t
     CROSS JOIN LATERAL (SELECT md5(d.rest::text || d.far::text) AS rest) AS h
     CROSS JOIN LATERAL (SELECT (lpad(to_hex(first_millisecond + m.millisecond), 12, '0') || '7' || left(h.rest, 3)
                                 || '8' || substr(h.rest, 4, 15))::uuid AS read_id) AS i
      JOIN made.sensor AS s
        ON s.n = CASE WHEN d.near < 0.7 THEN (w.vehicle::bigint * 7919 + floor(d.far * 6)::bigint) % 400
                      ELSE floor(d.far * 400)::bigint END
      JOIN made.lattice AS l ON l.n = d.lattice
     ORDER BY t.captured;
END
$$;
