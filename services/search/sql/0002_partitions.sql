-- Daily partitions, made ahead of time by the search_purge login.
SET LOCAL ROLE archive_owner;

-- Makes a table for one UTC day and attaches it. Attaching takes a weaker lock on the parent than
-- CREATE TABLE ... PARTITION OF would, so questions and appends go on meanwhile.
CREATE FUNCTION archive.add_partition(parent text, suffix text, low text, high text, unique_column text)
RETURNS void
LANGUAGE plpgsql SET search_path = archive, pg_temp AS $$
DECLARE
    partition_name text := parent || '_' || suffix;
BEGIN
    EXECUTE format('CREATE TABLE archive.%I (LIKE archive.%I INCLUDING ALL)', partition_name, parent);
    IF unique_column IS NOT NULL THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON archive.%I (%I)',
                       partition_name || '_' || unique_column, partition_name, unique_column);
    END IF;
    EXECUTE format('ALTER TABLE archive.%I ATTACH PARTITION archive.%I FOR VALUES FROM (%L) TO (%L)',
                   parent, partition_name, low, high);
END
$$;

-- Partitions for every day of the retention period and `days_ahead` days more, as far as they are not there;
-- gives the number of those made. A late read of any day in the period has a place to go, so there is no
-- default partition, in which rows would escape the purge.
CREATE FUNCTION archive.ensure_partitions(days_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    day date := (archive.retention_start() AT TIME ZONE 'UTC')::date;
    last_day date := today + least(greatest(days_ahead, 0), 30);
    suffix text;
    made integer := 0;
BEGIN
    -- Replicas start together; one makes the partitions and the others find them.
    PERFORM pg_advisory_xact_lock(hashtextextended('archive.ensure_partitions', 0));
    WHILE day <= last_day LOOP
        suffix := to_char(day, 'YYYYMMDD');
        IF to_regclass('archive.read_' || suffix) IS NULL THEN
            PERFORM archive.add_partition('read', suffix, day::text || ' 00:00:00+00',
                                          (day + 1)::text || ' 00:00:00+00', 'read_id');
            made := made + 1;
        END IF;
        IF day >= today AND to_regclass('archive.quarantine_' || suffix) IS NULL THEN
            PERFORM archive.add_partition('quarantine', suffix, day::text, (day + 1)::text, NULL);
            made := made + 1;
        END IF;
        day := day + 1;
    END LOOP;
    RETURN made;
END
$$;

REVOKE ALL ON FUNCTION archive.add_partition(text, text, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION archive.read_millisecond(uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION archive.retention_start() FROM PUBLIC;
REVOKE ALL ON FUNCTION archive.ensure_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.ensure_partitions(integer) TO search_purge;

RESET ROLE;
