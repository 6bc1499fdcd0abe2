-- How sensors do (ENF-051 III.B.2.c): counts by hour, the newest of what each sensor did and said, and maintenance
-- notices. No plate and no read id is in these tables, so they may outlive the reads that they count. All of it is
-- written and read by the login search_health.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'search_health') THEN
        CREATE ROLE search_health LOGIN NOINHERIT;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA archive TO search_health;

SET LOCAL ROLE archive_owner;

-- One hour (UTC) of one sensor. `reads` were captured in it; all other counts are of what was received in it.
CREATE TABLE archive.sensor_hour (
    sensor_id text COLLATE "C" NOT NULL,
    hour timestamptz NOT NULL,
    reads bigint NOT NULL,
    received bigint NOT NULL,
    quarantined bigint NOT NULL,
    judged bigint NOT NULL,         -- reads whose place was held against the surveyed one
    far bigint NOT NULL,            -- those of them that came from elsewhere
    least_delay_us bigint,          -- from capture to receipt
    PRIMARY KEY (sensor_id, hour)
);
CREATE INDEX sensor_hour_by_hour ON archive.sensor_hour (hour);

-- The newest of each sensor.
CREATE TABLE archive.sensor_state (
    sensor_id text COLLATE "C" PRIMARY KEY,
    first_hour timestamptz,         -- of its first read; its history begins here
    last_capture timestamptz,
    last_receive timestamptz,
    drift_metres double precision,
    last_report timestamptz,
    clock_offset_us bigint,         -- its clock minus ours
    backlog_count bigint,
    backlog_since timestamptz,
    storage_used double precision
);

-- Which flush of which process was the last that was counted, so that none counts twice.
CREATE TABLE archive.sensor_flush (
    process_id uuid PRIMARY KEY,
    sequence bigint NOT NULL,
    flushed_at timestamptz NOT NULL
);

-- The replica that judges; another one takes over when it has not been heard for a while.
CREATE TABLE archive.health_judge (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    process_id uuid NOT NULL,
    until timestamptz NOT NULL
);

CREATE TABLE archive.maintenance (
    notice_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sensor_id text COLLATE "C" NOT NULL,
    sensor_group text COLLATE "C" NOT NULL,
    agency_ori text COLLATE "C" NOT NULL,
    motor_carrier boolean NOT NULL,
    kind text NOT NULL CHECK (kind ~ '^[A-Z_]+$'),
    description text NOT NULL,
    open_time timestamptz NOT NULL,
    clear_time timestamptz,
    position bigint NOT NULL UNIQUE
);
CREATE UNIQUE INDEX maintenance_open ON archive.maintenance (sensor_id, kind) WHERE clear_time IS NULL;
CREATE INDEX maintenance_by_agency ON archive.maintenance (agency_ori, motor_carrier, open_time DESC, notice_id);

-- One row that every change locks: positions have no gaps, and a watcher passes over none that commits late.
CREATE TABLE archive.maintenance_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL
);
INSERT INTO archive.maintenance_head (position) VALUES (0);

-- Counts what a process noted, once: `sequence` grows with every flush of the process.
CREATE FUNCTION archive.note_sensor_activity(
    process_id uuid, sequence bigint, sensor_ids text[], hours timestamptz[], reads bigint[], received bigint[],
    quarantined bigint[], judged bigint[], far bigint[], least_delays_us bigint[], seen_ids text[],
    captures timestamptz[], receipts timestamptz[], drifts double precision[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO archive.sensor_flush AS f (process_id, sequence, flushed_at)
    VALUES (note_sensor_activity.process_id, note_sensor_activity.sequence, clock_timestamp())
        ON CONFLICT (process_id) DO UPDATE SET sequence = excluded.sequence, flushed_at = excluded.flushed_at
        WHERE f.sequence < excluded.sequence;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- Both in the order of the sensors, so that two replicas wait for each other instead of deadlocking.
    INSERT INTO archive.sensor_hour AS h (
        sensor_id, hour, reads, received, quarantined, judged, far, least_delay_us)
    SELECT n.*
      FROM unnest(note_sensor_activity.sensor_ids, note_sensor_activity.hours, note_sensor_activity.reads,
                  note_sensor_activity.received, note_sensor_activity.quarantined, note_sensor_activity.judged,
                  note_sensor_activity.far, note_sensor_activity.least_delays_us)
           AS n (sensor_id, hour, reads, received, quarantined, judged, far, least_delay_us)
     ORDER BY n.sensor_id, n.hour
        ON CONFLICT (sensor_id, hour) DO UPDATE SET
           reads = h.reads + excluded.reads, received = h.received + excluded.received,
           quarantined = h.quarantined + excluded.quarantined, judged = h.judged + excluded.judged,
           far = h.far + excluded.far, least_delay_us = least(h.least_delay_us, excluded.least_delay_us);
    INSERT INTO archive.sensor_state AS s (sensor_id, first_hour, last_capture, last_receive, drift_metres)
    SELECT n.sensor_id, date_trunc('hour', n.capture), n.capture, n.receipt, n.drift
      FROM unnest(seen_ids, captures, receipts, drifts) AS n (sensor_id, capture, receipt, drift)
     ORDER BY n.sensor_id
        ON CONFLICT (sensor_id) DO UPDATE SET
           first_hour = least(s.first_hour, excluded.first_hour),
           drift_metres = CASE WHEN excluded.last_capture >= s.last_capture OR s.drift_metres IS NULL
                               THEN coalesce(excluded.drift_metres, s.drift_metres) ELSE s.drift_metres END,
           last_capture = greatest(s.last_capture, excluded.last_capture),
           last_receive = greatest(s.last_receive, excluded.last_receive);
END
$$;

-- Keeps what a sensor said of itself, if nothing newer is there.
CREATE FUNCTION archive.record_sensor_status(
    sensor text, received timestamptz, offset_us bigint, waiting bigint, waiting_since timestamptz,
    used double precision
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    INSERT INTO archive.sensor_state AS s (
        sensor_id, last_report, clock_offset_us, backlog_count, backlog_since, storage_used)
    VALUES (sensor, received, offset_us, waiting, waiting_since, used)
        ON CONFLICT (sensor_id) DO UPDATE SET
           last_report = excluded.last_report, clock_offset_us = excluded.clock_offset_us,
           backlog_count = excluded.backlog_count, backlog_since = excluded.backlog_since,
           storage_used = excluded.storage_used
        WHERE s.last_report IS NULL OR s.last_report < excluded.last_report;
END;

CREATE FUNCTION archive.sensor_states(wanted text[]) RETURNS TABLE (
    sensor_id text, first_hour timestamptz, last_capture timestamptz, last_receive timestamptz,
    drift_metres double precision, last_report timestamptz, clock_offset_us bigint, backlog_count bigint,
    backlog_since timestamptz, storage_used double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT s.sensor_id, s.first_hour, s.last_capture, s.last_receive, s.drift_metres, s.last_report,
           s.clock_offset_us, s.backlog_count, s.backlog_since, s.storage_used
      FROM archive.sensor_state AS s
     WHERE s.sensor_id = ANY (wanted);
END;

CREATE FUNCTION archive.sensor_hours(wanted text[], from_hour timestamptz) RETURNS TABLE (
    sensor_id text, hour timestamptz, reads bigint, received bigint, quarantined bigint, judged bigint, far bigint,
    least_delay_us bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT h.sensor_id, h.hour, h.reads, h.received, h.quarantined, h.judged, h.far, h.least_delay_us
      FROM archive.sensor_hour AS h
     WHERE h.sensor_id = ANY (wanted) AND h.hour >= from_hour
     ORDER BY h.sensor_id, h.hour;
END;

-- What is usual for each sensor: its reads by hour of the day (UTC) and by working day or weekend, in the window.
CREATE FUNCTION archive.usual_reads(wanted text[], from_hour timestamptz, to_hour timestamptz) RETURNS TABLE (
    sensor_id text, weekend boolean, hour_of_day integer, reads bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT h.sensor_id, extract(isodow FROM h.hour AT TIME ZONE 'UTC') >= 6,
           extract(hour FROM h.hour AT TIME ZONE 'UTC')::integer, sum(h.reads)::bigint
      FROM archive.sensor_hour AS h
     WHERE h.sensor_id = ANY (wanted) AND h.hour >= from_hour AND h.hour < to_hour
     GROUP BY 1, 2, 3;
END;

-- Reads by sensor, of sensors that captured any in the window.
CREATE FUNCTION archive.active_sensors(wanted text[], from_hour timestamptz, to_hour timestamptz) RETURNS TABLE (
    sensor_id text, reads bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT h.sensor_id, sum(h.reads)::bigint
      FROM archive.sensor_hour AS h
     WHERE h.sensor_id = ANY (wanted) AND h.hour >= from_hour AND h.hour < to_hour AND h.reads > 0
     GROUP BY 1;
END;

-- True for the one process that is to judge now; it stays so while it asks again in time.
CREATE FUNCTION archive.may_judge(process uuid, seconds integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
BEGIN
    INSERT INTO archive.health_judge AS j (process_id, until)
    VALUES (process, clock_timestamp() + make_interval(secs => seconds))
        ON CONFLICT (only_row) DO UPDATE SET process_id = excluded.process_id, until = excluded.until
        WHERE j.process_id = excluded.process_id OR j.until < clock_timestamp();
    RETURN FOUND;
END
$$;

CREATE FUNCTION archive.open_maintenance() RETURNS TABLE (sensor_id text, kind text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT m.sensor_id, m.kind FROM archive.maintenance AS m WHERE m.clear_time IS NULL;
END;

-- Opens and clears notices, one array element each; gives how many it changed. What is open already is not opened
-- again.
CREATE FUNCTION archive.change_maintenance(
    sensors text[], groups text[], agencies text[], apart boolean[], kinds text[], descriptions text[],
    cleared_sensors text[], cleared_kinds text[], moment timestamptz
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    head bigint;
    opened integer;
    cleared integer;
BEGIN
    SELECT h.position INTO head FROM archive.maintenance_head AS h FOR UPDATE;
    WITH ended AS (
        SELECT m.notice_id, row_number() OVER (ORDER BY m.sensor_id, m.kind) AS n
          FROM archive.maintenance AS m
          JOIN unnest(cleared_sensors, cleared_kinds) AS c (sensor_id, kind)
            ON m.sensor_id = c.sensor_id AND m.kind = c.kind
         WHERE m.clear_time IS NULL)
    UPDATE archive.maintenance AS m SET clear_time = moment, position = head + ended.n
      FROM ended WHERE ended.notice_id = m.notice_id;
    GET DIAGNOSTICS cleared = ROW_COUNT;
    INSERT INTO archive.maintenance (
        sensor_id, sensor_group, agency_ori, motor_carrier, kind, description, open_time, position)
    SELECT o.sensor_id, o.sensor_group, o.agency_ori, o.motor_carrier, o.kind, o.description, moment,
           head + cleared + row_number() OVER (ORDER BY o.sensor_id, o.kind)
      FROM unnest(sensors, groups, agencies, apart, kinds, descriptions)
           AS o (sensor_id, sensor_group, agency_ori, motor_carrier, kind, description)
     WHERE NOT EXISTS (SELECT FROM archive.maintenance AS m
                        WHERE m.sensor_id = o.sensor_id AND m.kind = o.kind AND m.clear_time IS NULL);
    GET DIAGNOSTICS opened = ROW_COUNT;
    UPDATE archive.maintenance_head SET position = head + cleared + opened;
    RETURN cleared + opened;
END
$$;

CREATE FUNCTION archive.maintenance_page(
    agency text, apart boolean, open_only boolean, before_time timestamptz, before_id uuid, row_limit integer
) RETURNS TABLE (
    notice_id uuid, sensor_id text, sensor_group text, kind text, description text, open_time timestamptz,
    clear_time timestamptz, "position" bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT m.notice_id, m.sensor_id, m.sensor_group, m.kind, m.description, m.open_time, m.clear_time, m.position
      FROM archive.maintenance AS m
     WHERE m.agency_ori = agency AND m.motor_carrier = apart AND (m.clear_time IS NULL OR NOT open_only)
       AND (m.open_time, m.notice_id) < (before_time, before_id)
     ORDER BY m.open_time DESC, m.notice_id DESC
     LIMIT row_limit;
END;

-- Changes after a position, in their order; with `open_only` those that are open alone.
CREATE FUNCTION archive.maintenance_since(
    agency text, apart boolean, open_only boolean, after_position bigint, row_limit integer
) RETURNS TABLE (
    notice_id uuid, sensor_id text, sensor_group text, kind text, description text, open_time timestamptz,
    clear_time timestamptz, "position" bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT m.notice_id, m.sensor_id, m.sensor_group, m.kind, m.description, m.open_time, m.clear_time, m.position
      FROM archive.maintenance AS m
     WHERE m.agency_ori = agency AND m.motor_carrier = apart AND (m.clear_time IS NULL OR NOT open_only)
       AND m.position > after_position
     ORDER BY m.position
     LIMIT row_limit;
END;

CREATE FUNCTION archive.maintenance_position() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT h.position FROM archive.maintenance_head AS h;
END;

-- Forgets hours and notices that were over `days` ago, and processes that are long gone.
CREATE FUNCTION archive.forget_sensor_history(days integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    DELETE FROM archive.sensor_hour AS h
     WHERE h.hour < clock_timestamp() - make_interval(days => greatest(forget_sensor_history.days, 30));
    DELETE FROM archive.maintenance AS m
     WHERE m.clear_time < clock_timestamp() - make_interval(days => greatest(forget_sensor_history.days, 30));
    DELETE FROM archive.sensor_flush AS f WHERE f.flushed_at < clock_timestamp() - interval '7 days';
END;

GRANT EXECUTE ON FUNCTION
    archive.note_sensor_activity(uuid, bigint, text[], timestamptz[], bigint[], bigint[], bigint[], bigint[], bigint[],
                                 bigint[], text[], timestamptz[], timestamptz[], double precision[]),
    archive.record_sensor_status(text, timestamptz, bigint, bigint, timestamptz, double precision),
    archive.sensor_states(text[]),
    archive.sensor_hours(text[], timestamptz),
    archive.usual_reads(text[], timestamptz, timestamptz),
    archive.active_sensors(text[], timestamptz, timestamptz),
    archive.may_judge(uuid, integer),
    archive.open_maintenance(),
    archive.change_maintenance(text[], text[], text[], boolean[], text[], text[], text[], text[], timestamptz),
    archive.maintenance_page(text, boolean, boolean, timestamptz, uuid, integer),
    archive.maintenance_since(text, boolean, boolean, bigint, integer),
    archive.maintenance_position(),
    archive.forget_sensor_history(integer)
    TO search_health;

RESET ROLE;
