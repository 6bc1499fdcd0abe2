-- After a restore of this database, of audit's or of the image store (`python -m services.common.restored`, see
-- alerts.after_restore) days may be back that had ended. Nobody finds their reads; but the service serves again only
-- when they have ended once more.
SET LOCAL ROLE archive_owner;

ALTER TABLE archive.setting ADD COLUMN restored_to timestamptz;

-- Audit's setting may have an older revision than the one that is followed, if its database was restored, too: its next
-- word counts whatever its number.
CREATE FUNCTION archive.after_restore(restored_to timestamptz) RETURNS text
LANGUAGE sql SET search_path = archive, pg_temp AS $$
    UPDATE archive.setting AS s SET restored_to = after_restore.restored_to, revision = 0
    RETURNING format('search serves again when the days before %s have ended',
                     (archive.retention_start() AT TIME ZONE 'UTC')::date)
$$;
REVOKE ALL ON FUNCTION archive.after_restore(timestamptz) FROM PUBLIC;

CREATE FUNCTION archive.restore_is_open() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
RETURN (SELECT s.restored_to IS NOT NULL FROM archive.setting AS s);

-- As in 0012_retention.sql; what was restored is due at once, and over when it was run.
CREATE OR REPLACE FUNCTION archive.purge_is_due() RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = archive, pg_temp
RETURN (SELECT s.restored_to IS NOT NULL
            OR s.purged_on IS DISTINCT FROM (clock_timestamp() AT TIME ZONE 'UTC')::date
          FROM archive.setting AS s);
CREATE OR REPLACE FUNCTION archive.purge_was_run() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    UPDATE archive.setting SET purged_on = (clock_timestamp() AT TIME ZONE 'UTC')::date, restored_to = NULL;
END;

REVOKE ALL ON FUNCTION archive.restore_is_open() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.restore_is_open() TO search_purge;

RESET ROLE;
