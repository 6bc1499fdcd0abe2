-- A day that came back with a restore ends by a purge of its own. The log has the purge that the restored database has
-- forgotten, with its outcome; a second one under the same id could never be recorded, and no day would end any more.
SET LOCAL ROLE archive_owner;

-- When it was restored last, milliseconds since 1970; 0 if never. Purges are numbered from there on.
ALTER TABLE archive.setting ADD COLUMN restore_number bigint NOT NULL DEFAULT 0;

CREATE OR REPLACE FUNCTION archive.purges_of(day date) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT (SELECT s.restore_number FROM archive.setting AS s) + count(*)
      FROM archive.purge AS p WHERE p.day = purges_of.day AND p.ended_at IS NOT NULL;
END;

-- As in 0110_after_restore.sql; and what was under way at the moment that was restored to is given up, for the log may
-- have its end.
CREATE OR REPLACE FUNCTION archive.after_restore(restored_to timestamptz) RETURNS text
LANGUAGE sql SET search_path = archive, pg_temp AS $$
    UPDATE archive.purge AS p SET ended_at = clock_timestamp(), result = 'FAILED', certificate = '{}', receipts = '{}'
     WHERE p.ended_at IS NULL;
    UPDATE archive.setting AS s SET restored_to = after_restore.restored_to, revision = 0,
           restore_number = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
    RETURNING format('search serves again when the days before %s have ended',
                     (archive.retention_start() AT TIME ZONE 'UTC')::date)
$$;

RESET ROLE;
