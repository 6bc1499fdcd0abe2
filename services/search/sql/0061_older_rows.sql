-- What is older than the retention period: `platewarden doctor retention` asks this of every table there is, by the
-- catalogue, so that a table that nobody thought of is found, too.
SET LOCAL ROLE archive_owner;

-- Tables that hold no read and are kept say so in their comment, "kept: what". Every other one is looked at.
COMMENT ON TABLE archive.setting IS 'kept: the retention period';
COMMENT ON TABLE archive.permit_key IS 'kept: keys of permits';
COMMENT ON TABLE archive.hold IS 'kept: which holds there were, without plates once they are released';
COMMENT ON TABLE archive.purge IS 'kept: certificates';
COMMENT ON TABLE archive.purge_step IS 'kept: numbers and digests';
COMMENT ON TABLE archive.dissemination IS 'kept: register of what left, by read ids';
COMMENT ON TABLE archive.recipient_notice IS 'kept: what recipients are told';
COMMENT ON TABLE archive.sensor_hour IS 'kept: counts by sensor and hour';
COMMENT ON TABLE archive.sensor_state IS 'kept: how sensors do now';
COMMENT ON TABLE archive.sensor_flush IS 'kept: how far counts are';
COMMENT ON TABLE archive.health_judge IS 'kept: who judges';
COMMENT ON TABLE archive.maintenance IS 'kept: notices about sensors';
COMMENT ON TABLE archive.maintenance_head IS 'kept: how far notices are';

-- For each table with something older: its name, how much, of which day the oldest is, and why it is there.
--   OLDER     it should be gone, or goes with the next daily purge
--   HOLD      a legal hold keeps it
--   EVIDENCE  an evidence package keeps it
--   UNKNOWN   a table of this schema that no purge knows; older rows cannot be told
--   COPY      a table outside of the services' schemas that seems to hold reads; no purge reaches it
CREATE FUNCTION archive.older_rows() RETURNS TABLE (place text, row_count bigint, oldest date, why text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    kept_from date := archive.first_kept_day();
    looked record;
    older text;
BEGIN
    FOR looked IN
        SELECT c.relname::text AS name, array_agg(a.attname::text) AS columns
          FROM pg_class AS c
          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = 'archive'::regnamespace AND c.relkind IN ('r', 'm')
           AND c.relname <> 'alembic_version'
           AND coalesce(obj_description(c.oid, 'pg_class'), '') NOT LIKE 'kept: %'
         GROUP BY c.relname ORDER BY c.relname
    LOOP
        -- Moments are compared as such, so that an index on them serves.
        older := CASE
            WHEN looked.name IN ('permit_used', 'computed_answer') THEN
                'SELECT count(*), min(t.expires_at)::date FROM archive.%I AS t
                  WHERE t.expires_at < clock_timestamp() - interval ''3 hours'' AND $1 IS NOT NULL'
            WHEN 'capture_time' = ANY (looked.columns) THEN
                'SELECT count(*), (min(t.capture_time) AT TIME ZONE ''UTC'')::date FROM archive.%I AS t
                  WHERE t.capture_time < $1::timestamp AT TIME ZONE ''UTC'''
            WHEN 'capture_day' = ANY (looked.columns) THEN
                'SELECT count(*), min(t.capture_day) FROM archive.%I AS t WHERE t.capture_day < $1'
            WHEN 'arrived_on' = ANY (looked.columns) THEN
                'SELECT count(*), min(t.arrived_on) FROM archive.%I AS t WHERE t.arrived_on < $1'
            WHEN 'first_day' = ANY (looked.columns) THEN
                'SELECT count(*), min(t.first_day) FROM archive.%I AS t WHERE t.first_day < $1'
            WHEN 'expires_at' = ANY (looked.columns) THEN
                'SELECT count(*), min(t.expires_at)::date FROM archive.%I AS t WHERE t.expires_at < $1'
        END;
        place := 'archive.' || looked.name;
        row_count := NULL;
        oldest := NULL;
        why := CASE WHEN older IS NULL THEN 'UNKNOWN' WHEN looked.name = 'held_read' THEN 'HOLD'
                    WHEN looked.name = 'evidence' THEN 'EVIDENCE' ELSE 'OLDER' END;
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

    RETURN QUERY
    SELECT DISTINCT format('%s.%s', n.nspname, c.relname), NULL::bigint, NULL::date, 'COPY'
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.relkind IN ('r', 'm', 'p', 'f')
       AND a.attname IN ('plate', 'read_id', 'image_key', 'image_sha256')
       AND n.nspname <> ALL (ARRAY['archive', 'motor_carrier', 'alerts', 'matcher', 'audit', 'pg_catalog',
                                   'information_schema'])
     ORDER BY 1;
END
$$;

REVOKE ALL ON FUNCTION archive.older_rows() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.older_rows() TO search_purge;

RESET ROLE;
