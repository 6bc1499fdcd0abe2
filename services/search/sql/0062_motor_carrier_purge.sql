-- The end of a day in the Motor Carrier Safety data set: its own login, by the one retention period. It is a step of the
-- day's purge (0012_retention.sql), which writes the certificate.
SET LOCAL ROLE archive_owner;
GRANT EXECUTE ON FUNCTION archive.day_content(text, text) TO motor_carrier_owner;

SET LOCAL ROLE motor_carrier_owner;

-- What a purge did here, so that it is not done twice.
CREATE TABLE motor_carrier.purge_step (
    purge_id uuid PRIMARY KEY,
    day date NOT NULL,
    result jsonb NOT NULL
);

-- As archive.drop_day; there are no legal holds on these reads.
CREATE FUNCTION motor_carrier.drop_day(purge uuid, day date) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    suffix text := to_char(day, 'YYYYMMDD');
    content jsonb := (SELECT s.result FROM motor_carrier.purge_step AS s WHERE s.purge_id = purge);
    parent text;
BEGIN
    IF content IS NOT NULL THEN
        RETURN content;
    END IF;
    IF ((day + 1)::timestamp AT TIME ZONE 'UTC' + interval '10 minutes' <= archive.retention_of_all()) IS NOT TRUE THEN
        RAISE EXCEPTION 'reads of this day are still kept' USING ERRCODE = '55000';
    END IF;
    content := '{}';
    FOREACH parent IN ARRAY ARRAY['read', 'quarantine'] LOOP
        IF to_regclass('motor_carrier.' || parent || '_' || suffix) IS NOT NULL THEN
            content := content
                || jsonb_build_object(parent, archive.day_content('motor_carrier', parent || '_' || suffix));
            EXECUTE format('DROP TABLE motor_carrier.%I', parent || '_' || suffix);
        END IF;
    END LOOP;
    INSERT INTO motor_carrier.purge_step (purge_id, day, result) VALUES (purge, drop_day.day, content);
    RETURN content;
END
$$;

-- As archive.days_over.
CREATE FUNCTION motor_carrier.days_over() RETURNS SETOF date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT to_date(right(c.relname, 8), 'YYYYMMDD') AS day
      FROM pg_catalog.pg_class AS c
     WHERE c.relnamespace = 'motor_carrier'::regnamespace AND c.relkind = 'r'
       AND c.relname ~ '^(read|quarantine)_[0-9]{8}$'
       AND (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC' + interval '10 minutes'
           <= archive.retention_of_all()
     ORDER BY day;
END;

COMMENT ON TABLE motor_carrier.permit_key IS 'kept: keys of permits';
COMMENT ON TABLE motor_carrier.purge_step IS 'kept: numbers and digests';

-- As archive.older_rows (0061_older_rows.sql).
CREATE FUNCTION motor_carrier.older_rows() RETURNS TABLE (place text, row_count bigint, oldest date, why text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    kept_from date := (archive.retention_of_all() AT TIME ZONE 'UTC')::date;
    looked record;
    older text;
BEGIN
    FOR looked IN
        SELECT c.relname::text AS name, array_agg(a.attname::text) AS columns
          FROM pg_class AS c
          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = 'motor_carrier'::regnamespace AND c.relkind IN ('r', 'm')
           AND coalesce(obj_description(c.oid, 'pg_class'), '') NOT LIKE 'kept: %'
         GROUP BY c.relname ORDER BY c.relname
    LOOP
        older := CASE
            WHEN looked.name IN ('permit_used', 'computed_answer') THEN
                'SELECT count(*), min(t.expires_at)::date FROM motor_carrier.%I AS t
                  WHERE t.expires_at < clock_timestamp() - interval ''3 hours'' AND $1 IS NOT NULL'
            WHEN 'capture_time' = ANY (looked.columns) THEN
                'SELECT count(*), (min(t.capture_time) AT TIME ZONE ''UTC'')::date FROM motor_carrier.%I AS t
                  WHERE t.capture_time < $1::timestamp AT TIME ZONE ''UTC'''
            WHEN 'arrived_on' = ANY (looked.columns) THEN
                'SELECT count(*), min(t.arrived_on) FROM motor_carrier.%I AS t WHERE t.arrived_on < $1'
        END;
        place := 'motor_carrier.' || looked.name;
        row_count := NULL;
        oldest := NULL;
        why := CASE WHEN older IS NULL THEN 'UNKNOWN' ELSE 'OLDER' END;
        IF older IS NOT NULL THEN
            BEGIN
                EXECUTE format(older, looked.name) INTO row_count, oldest USING kept_from;
            EXCEPTION WHEN undefined_table THEN
                row_count := 0;  -- a purge has dropped it meanwhile
            END;
        END IF;
        IF row_count IS DISTINCT FROM 0 THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;

GRANT EXECUTE ON FUNCTION
    motor_carrier.drop_day(uuid, date), motor_carrier.days_over(), motor_carrier.older_rows() TO search_mcs_purge;

RESET ROLE;
