-- After a restore (`python -m services.common.restored`, see alerts.after_restore) revisions that were handed out are
-- forgotten, and would be handed out again for other lists; and hits that were raised since are gone, while the reads
-- are still in the archive.
SET LOCAL ROLE matcher_owner;

-- Revisions go on far beyond any that was handed out, whoever lost them: reads of the lost time count as compared with
-- older lists. Then everything in use is looked back for as a whole, from a day before the moment that was restored to;
-- alerts knows the hits that it still has. The act that allows it is the one that brought the list or entry into use:
-- audit counts those of the last seven days.
CREATE FUNCTION matcher.after_restore(restored_to timestamptz) RETURNS text
LANGUAGE plpgsql SET search_path = matcher, pg_temp AS $$
DECLARE
    head bigint;
    looked bigint := 0;
    one record;
BEGIN
    SELECT greatest(r.match_revision, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) INTO head
      FROM revision AS r FOR UPDATE;
    DELETE FROM replica;
    FOR one IN
        SELECT 1 AS kind, l.hot_list_id, l.hot_list_id AS changed_id, a.intent_id, a.version
          FROM hot_list AS l
          CROSS JOIN LATERAL (SELECT b.intent_id, b.version FROM activation AS b
                               WHERE b.hot_list_id = l.hot_list_id ORDER BY b.match_revision DESC LIMIT 1) AS a
         WHERE a.version IS NOT NULL
        UNION ALL
        SELECT 2, e.hot_list_id, e.entry_id, e.intent_id, 0
          FROM local_entry AS e WHERE e.end_reason IS NULL AND e.expires_at > clock_timestamp()
    LOOP
        head := head + 1;
        looked := looked + 1;
        INSERT INTO look_back
            (match_revision, kind, hot_list_id, changed_id, intent_id, version, previous_version, changed_at)
        VALUES (head, one.kind, one.hot_list_id, one.changed_id, one.intent_id, one.version, 0,
                least(clock_timestamp(), restored_to));
    END LOOP;
    UPDATE revision SET match_revision = head;
    RETURN format('revisions go on at %s; %s lists and local entries are looked back for', head, looked);
END
$$;
REVOKE ALL ON FUNCTION matcher.after_restore(timestamptz) FROM PUBLIC;

RESET ROLE;
