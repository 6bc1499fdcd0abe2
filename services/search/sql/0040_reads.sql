-- "Where was this plate, or one like it?" and "what was seen here?", newest first (ENF-051 II.F, IV.C.3, IV.C.5).
--
-- What is asked for is resolved in the dictionary, to plates or to sensors with the days on which they were seen. Then
-- windows of time are walked from the newest to the oldest, each twice as long as the one before, until the page is
-- full: what is seen often costs a look at its last hours, what is seen seldom a look at each of its days, and a day on
-- which nothing was seen costs nothing.
SET LOCAL ROLE archive_owner;

CREATE INDEX plate_seen_by_likeness ON archive.plate_seen (archive.folded(plate) COLLATE "C");
CREATE INDEX plate_seen_by_likeness_of_end ON archive.plate_seen (reverse(archive.folded(plate)) COLLATE "C");

-- What every read of an answer must be: in the window, older than the page before, in the permit's scope, and as the
-- question says. Empty lists and texts say nothing; of `agency_oris` an empty list allows nothing.
CREATE TYPE archive.wanted_reads AS (
    from_time timestamptz,
    to_time timestamptz,
    before_time timestamptz,
    before_id uuid,
    agency_oris text[],
    sensor_groups text[],
    state text,
    provenances text[],
    place archive.place
);

-- Whether a read is one of them, but for its time. A read whose state could not be told may be of the state.
CREATE FUNCTION archive.is_wanted(
    wanted archive.wanted_reads, agency_ori text, sensor_group text, state text, provenance text, sensor_id text,
    latitude double precision, longitude double precision
) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN agency_ori = ANY ((wanted).agency_oris)
    AND (cardinality((wanted).sensor_groups) = 0 OR sensor_group = ANY ((wanted).sensor_groups))
    AND ((wanted).state = '' OR state IS NULL OR state = (wanted).state)
    AND (cardinality((wanted).provenances) = 0 OR provenance = ANY ((wanted).provenances))
    AND archive.is_in_place((wanted).place, latitude, longitude, sensor_group, sensor_id);

-- Reads of these plates in one window, which begins and ends within the question's. OFFSET 0 keeps what is wanted out of
-- the scans: made ready once, and not again for each of ninety partitions.
CREATE FUNCTION archive.plates_page(
    plates text[], wanted archive.wanted_reads, from_time timestamptz, to_time timestamptz, row_limit integer
) RETURNS TABLE (read_id uuid, capture_time timestamptz)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    before_time timestamptz := (wanted).before_time;
    before_id uuid := (wanted).before_id;
BEGIN
    RETURN QUERY
    SELECT f.read_id, f.capture_time
      FROM (SELECT r.read_id, r.capture_time, r.agency_ori, r.sensor_group, r.state, r.provenance, r.sensor_id,
                   r.latitude, r.longitude
              FROM archive.read AS r
             WHERE r.plate = ANY (plates)
               AND r.capture_time >= from_time AND r.capture_time < to_time AND r.capture_time <= before_time
            OFFSET 0) AS f
     WHERE (f.capture_time, f.read_id) < (before_time, before_id)
       AND archive.is_wanted(wanted, f.agency_ori, f.sensor_group, f.state, f.provenance, f.sensor_id, f.latitude,
                             f.longitude)
     ORDER BY f.capture_time DESC, f.read_id DESC
     LIMIT row_limit;
END
$$;

-- As plates_page, for reads of every plate by these sensors.
CREATE FUNCTION archive.sensors_page(
    sensor_ids text[], wanted archive.wanted_reads, from_time timestamptz, to_time timestamptz, row_limit integer
) RETURNS TABLE (read_id uuid, capture_time timestamptz)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    before_time timestamptz := (wanted).before_time;
    before_id uuid := (wanted).before_id;
BEGIN
    RETURN QUERY
    SELECT f.read_id, f.capture_time
      FROM (SELECT r.read_id, r.capture_time, r.agency_ori, r.sensor_group, r.state, r.provenance, r.sensor_id,
                   r.latitude, r.longitude
              FROM archive.read AS r
             WHERE r.sensor_id = ANY (sensor_ids)
               AND r.capture_time >= from_time AND r.capture_time < to_time AND r.capture_time <= before_time
            OFFSET 0) AS f
     WHERE (f.capture_time, f.read_id) < (before_time, before_id)
       AND archive.is_wanted(wanted, f.agency_ori, f.sensor_group, f.state, f.provenance, f.sensor_id, f.latitude,
                             f.longitude)
     ORDER BY f.capture_time DESC, f.read_id DESC
     LIMIT row_limit;
END
$$;

-- How long a page is looked for. What is not reached by then is for the next page: a question about much takes more
-- pages, and is neither refused nor in the way of others.
CREATE FUNCTION archive.page_patience() RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN interval '2 seconds';

-- At most row_limit reads of `words`, which are plates or sensors, each with a day on which it was seen. Windows go from
-- the newest to the oldest; each is twice as long as the one before, the first as long as `first_width`, but a window
-- ends where nothing was seen for `reach` days or more. Where patience ends first, a last row without an id names the
-- moment that older reads have yet to be looked for before.
CREATE FUNCTION archive.walked_reads(
    words text[], days date[], are_plates boolean, wanted archive.wanted_reads, first_width interval, reach integer,
    row_limit integer
) RETURNS TABLE (read_id uuid, capture_time timestamptz)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    seen date[] := ARRAY(SELECT DISTINCT d.day FROM unnest(days) AS d (day) ORDER BY d.day DESC);
    place integer := 1;
    -- Reads of the very moment of the last one may be left over, but not where the page before ended without one.
    upper_time timestamptz := least((wanted).to_time, (wanted).before_time + CASE
        WHEN (wanted).before_id = '00000000-0000-0000-0000-000000000000' THEN interval '0'
        ELSE interval '1 microsecond' END);
    lower_time timestamptz;
    width interval := first_width;
    missing integer := row_limit;
    found_now integer;
    chosen text[];
    patience interval := archive.page_patience();
    end_of_patience timestamptz := clock_timestamp() + patience;
    began timestamptz;
BEGIN
    WHILE missing > 0 AND upper_time > (wanted).from_time LOOP
        began := clock_timestamp();
        WHILE seen[place]::timestamp AT TIME ZONE 'UTC' >= upper_time LOOP
            place := place + 1;
        END LOOP;
        EXIT WHEN seen[place] IS NULL;
        IF upper_time = lower_time AND began > end_of_patience THEN
            RETURN QUERY SELECT NULL::uuid, upper_time;
            RETURN;
        END IF;
        upper_time := least(upper_time, (seen[place] + 1)::timestamp AT TIME ZONE 'UTC');
        lower_time := greatest((wanted).from_time, upper_time - width);
        WHILE seen[place] - seen[place + 1] <= reach AND seen[place]::timestamp AT TIME ZONE 'UTC' > lower_time LOOP
            place := place + 1;
        END LOOP;
        lower_time := greatest(lower_time, seen[place]::timestamp AT TIME ZONE 'UTC');
        chosen := ARRAY(SELECT DISTINCT s.word
                          FROM unnest(words, days) AS s (word, day)
                         WHERE s.day BETWEEN archive.utc_day(lower_time) AND archive.utc_day(upper_time));
        IF are_plates THEN
            RETURN QUERY SELECT p.* FROM archive.plates_page(chosen, wanted, lower_time, upper_time, missing) AS p;
        ELSE
            RETURN QUERY SELECT p.* FROM archive.sensors_page(chosen, wanted, lower_time, upper_time, missing) AS p;
        END IF;
        GET DIAGNOSTICS found_now = ROW_COUNT;
        missing := missing - found_now;
        upper_time := lower_time;
        -- A window that took long is not followed by one that takes twice as long.
        IF clock_timestamp() - began < patience / 8 THEN
            width := least(width * 2, interval '64 days');
        END IF;
    END LOOP;
END
$$;

-- Plates of the dictionary that look like the text, which may have wildcards. Those that begin or end alike are looked
-- up by an index; otherwise all plates are looked at, though not all reads.
CREATE FUNCTION archive.dictionary_look_alike(pattern text, from_day date, to_day date)
RETURNS TABLE (plate text, days date[])
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
    form text := translate(archive.folded(pattern), '?*', '_%');
    mirrored text := reverse(form);
BEGIN
    IF (pattern ~ '^[A-Z0-9?*]{1,40}$') IS NOT TRUE THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT s.plate, w.days
      FROM archive.plate_seen AS s
     CROSS JOIN LATERAL (
            SELECT ARRAY(SELECT d.day FROM unnest(s.days) AS d (day) WHERE d.day BETWEEN from_day AND to_day)) AS w (days)
     WHERE archive.folded(s.plate) COLLATE "C" LIKE form
       AND reverse(archive.folded(s.plate)) COLLATE "C" LIKE mirrored
       AND cardinality(w.days) > 0;
END
$$;

-- The plates that a question is about, one row for each of their days from from_day to to_day.
CREATE FUNCTION archive.wanted_plates(plate_form text, plate text, from_day date, to_day date)
RETURNS TABLE (word text, day date)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
BEGIN
    CASE plate_form
        WHEN 'pattern' THEN
            RETURN QUERY SELECT k.plate, d.day
                           FROM archive.dictionary_like(plate, from_day, to_day, NULL) AS k
                          CROSS JOIN LATERAL unnest(k.days) AS d (day);
        WHEN 'look_alike' THEN
            RETURN QUERY SELECT k.plate, d.day
                           FROM archive.dictionary_look_alike(plate, from_day, to_day) AS k
                          CROSS JOIN LATERAL unnest(k.days) AS d (day);
        WHEN 'one_off' THEN
            RETURN QUERY SELECT k.plate, d.day
                           FROM archive.dictionary_any(archive.one_off_texts(plate), from_day, to_day) AS k
                          CROSS JOIN LATERAL unnest(k.days) AS d (day);
        ELSE
            RAISE EXCEPTION 'there is no such form of a plate' USING ERRCODE = '22023';
    END CASE;
END
$$;

-- One page of the reads that a question wants, newest first, and a last row as of walked_reads where there is more to
-- look for. Every plate is asked for with a place only.
CREATE FUNCTION archive.reads_page(plate_form text, plate text, wanted archive.wanted_reads, row_limit integer)
RETURNS TABLE (read_id uuid, capture_time timestamptz)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    from_day date := archive.utc_day((wanted).from_time);
    -- A window may end in a hundred years; no read comes from tomorrow.
    to_day date := archive.utc_day(least((wanted).to_time, (wanted).before_time, clock_timestamp() + interval '1 day'));
    words text[];
    days date[];
    reach integer;
BEGIN
    IF plate_form = 'exact' THEN
        RETURN QUERY SELECT p.* FROM archive.exact_page(plate, wanted, row_limit) AS p;  -- 0042_exact.sql
    ELSIF plate_form = 'any' THEN
        SELECT array_agg(s.sensor_id), array_agg(s.day) INTO words, days
          FROM archive.place_sensors((wanted).place, from_day, to_day) AS s;
        RETURN QUERY SELECT w.*
                       FROM archive.walked_reads(words, days, false, wanted, interval '1 hour', 1, row_limit) AS w;
    ELSE
        SELECT array_agg(s.word), array_agg(s.day) INTO words, days
          FROM archive.wanted_plates(plate_form, plate, from_day, to_day) AS s;
        -- A look at a window takes as long as some 90 look-ups of a plate on a day: with few plates it goes far.
        reach := greatest(1, 90 / greatest(1, (SELECT count(DISTINCT u.word) FROM unnest(words) AS u (word))));
        RETURN QUERY SELECT w.*
                       FROM archive.walked_reads(words, days, true, wanted, make_interval(days => reach), reach,
                                                 row_limit) AS w;
    END IF;
END
$$;

-- Where the next page begins when this one ended before it was full.
ALTER TABLE archive.permit_used ADD COLUMN resume_before timestamptz;

DROP FUNCTION archive.find_reads(text, bigint, bigint, integer, text, bigint, uuid);

-- Puts the question. `provenance` is a list joined by commas, `area` the text of services/search/core/area.py; empty
-- texts ask for everything. Arguments as in the permit's question.
CREATE FUNCTION archive.find_reads(
    permit text, from_us bigint, to_us bigint, page_size integer, plate_form text, plate text, state text,
    provenance text, area text, before_us bigint, before_read_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'reads');
    rows_wanted integer := least(page_size, 1000);
    wanted archive.wanted_reads;
    read_ids uuid[];
    capture_times timestamptz[];
    resume_at timestamptz;
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('reads', from_us, to_us, page_size,
        archive.canonical_line('plate_form', archive.argument_value(plate_form)),
        archive.canonical_line('plate', archive.argument_value(plate)),
        archive.canonical_line('state', archive.argument_value(state)),
        archive.canonical_line('provenance', archive.argument_value(provenance)),
        archive.canonical_line('area', archive.argument_value(area)),
        archive.canonical_line('before_us', before_us::text),
        archive.canonical_line('before_read_id', before_read_id::text)));
    wanted := ROW (
        greatest(archive.moment(from_us), opened.from_time, archive.retention_start()),
        least(archive.moment(to_us), opened.to_time),
        coalesce(archive.moment(before_us), 'infinity'),
        coalesce(before_read_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
        opened.agency_oris, opened.sensor_groups, state, string_to_array(provenance, ','), archive.place_of(area));
    SELECT array_agg(p.read_id) FILTER (WHERE p.read_id IS NOT NULL),
           array_agg(p.capture_time) FILTER (WHERE p.read_id IS NOT NULL),
           max(p.capture_time) FILTER (WHERE p.read_id IS NULL)
      INTO read_ids, capture_times, resume_at
      FROM archive.reads_page(plate_form, plate, wanted, rows_wanted + 1) AS p;
    PERFORM archive.keep_answer(opened, read_ids[:rows_wanted], capture_times[:rows_wanted],
                                resume_at IS NOT NULL OR coalesce(cardinality(read_ids), 0) > rows_wanted);
    IF resume_at IS NOT NULL THEN
        UPDATE archive.permit_used AS u
           SET resume_before = resume_at
         WHERE u.permit_id = opened.permit_id;
    END IF;
END
$$;

-- Of an answer with fewer reads than its page has and more to come: the moment before which to go on. NULL of another.
CREATE FUNCTION archive.reads_resume(permit text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
BEGIN
    RETURN (archive.kept_answer(archive.opened_permit(permit, 'reads'))).resume_before;
END
$$;

-- "What is in this read?" Found by the millisecond that its id names.
CREATE FUNCTION archive.find_read(permit text, from_us bigint, to_us bigint, page_size integer, read_id uuid)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'read');
    captured timestamptz := archive.read_millisecond(read_id);
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_start());
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('read', from_us, to_us, page_size,
        archive.canonical_line('read_id', read_id::text)));
    SELECT array_agg(r.read_id), array_agg(r.capture_time)
      INTO read_ids, capture_times
      FROM archive.read AS r
     WHERE r.read_id = find_read.read_id
       AND r.capture_time >= captured AND r.capture_time < captured + interval '1 millisecond'
       AND r.capture_time >= from_time AND r.capture_time < to_time
       AND r.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups));
    PERFORM archive.keep_answer(opened, read_ids, capture_times, false);
END
$$;

-- Has the questions planned on this connection, and shows that the archive is there. Looks at no read: the window is
-- empty, and no read belongs to nobody.
CREATE OR REPLACE FUNCTION archive.warm_up() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    nothing archive.wanted_reads := ROW ('infinity', '-infinity', '-infinity', NULL, '{}', '{}', '', '{}',
                                         archive.place_of(''));
BEGIN
    PERFORM FROM archive.dictionary_any('{}', NULL, NULL);
    PERFORM FROM archive.plates_page('{}', nothing, 'infinity', '-infinity', 0);
    PERFORM FROM archive.sensors_page('{}', nothing, 'infinity', '-infinity', 0);
    RETURN true;
END
$$;

DROP FUNCTION archive.plate_page(text, timestamptz, timestamptz, timestamptz, uuid, text[], text[], integer);

REVOKE ALL ON FUNCTION
    archive.is_wanted(archive.wanted_reads, text, text, text, text, text, double precision, double precision),
    archive.plates_page(text[], archive.wanted_reads, timestamptz, timestamptz, integer),
    archive.sensors_page(text[], archive.wanted_reads, timestamptz, timestamptz, integer),
    archive.walked_reads(text[], date[], boolean, archive.wanted_reads, interval, integer, integer),
    archive.dictionary_look_alike(text, date, date),
    archive.wanted_plates(text, text, date, date),
    archive.reads_page(text, text, archive.wanted_reads, integer),
    archive.find_reads(text, bigint, bigint, integer, text, text, text, text, text, bigint, uuid),
    archive.reads_resume(text),
    archive.page_patience(),
    archive.find_read(text, bigint, bigint, integer, uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.find_reads(text, bigint, bigint, integer, text, text, text, text, text, bigint, uuid),
    archive.reads_resume(text),
    archive.find_read(text, bigint, bigint, integer, uuid)
    TO search_question;

RESET ROLE;
