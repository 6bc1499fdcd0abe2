-- What only runs out by the clock takes alerts with it, too (ENF-051 II.D, III.D.4). That its time was over is noted
-- within seconds, once, as a change of its own revision; until then reads are not compared with it anyway.
SET LOCAL ROLE matcher_owner;

-- Further kinds: 4 the time of an entry of a local list was over, 5 that of a list's version (`previous_version`), 6 that
-- of entries of `version` which ended after `since` and by `changed_at`. `intent_id` is then the act that set the end.
ALTER TABLE matcher.look_back DROP CONSTRAINT look_back_kind_check;
ALTER TABLE matcher.look_back ADD CONSTRAINT look_back_kind_check CHECK (kind BETWEEN 1 AND 6);
ALTER TABLE matcher.look_back ADD COLUMN since timestamptz;
ALTER TABLE matcher.look_back ADD CONSTRAINT look_back_since_check CHECK (kind = 6 OR since IS NULL);
CREATE INDEX look_back_expiry ON matcher.look_back (hot_list_id, kind, match_revision) WHERE kind IN (5, 6);
GRANT INSERT (match_revision, kind, hot_list_id, changed_id, intent_id, version, previous_version, changed_at, since)
    ON matcher.look_back TO matcher_app;

-- The revision at which it was noted that its time was over.
ALTER TABLE matcher.local_entry ADD COLUMN expired_revision bigint UNIQUE;
GRANT UPDATE (expired_revision) ON matcher.local_entry TO matcher_app;

CREATE INDEX hot_list_entry_expiry ON matcher.hot_list_entry (hot_list_id, expires_at) WHERE expires_at IS NOT NULL;

-- As in 0005_look_back.sql; but a version whose time was over is none that reads were compared with: what takes its
-- place is looked back for as a whole.
CREATE OR REPLACE FUNCTION matcher.look_back_after_activation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = matcher, pg_temp AS $$
DECLARE
    previous bigint;
BEGIN
    SELECT a.version INTO previous FROM matcher.activation AS a
     WHERE a.hot_list_id = NEW.hot_list_id AND a.match_revision < NEW.match_revision
     ORDER BY a.match_revision DESC LIMIT 1;
    IF NEW.version IS NOT NULL AND EXISTS (
        SELECT FROM matcher.hot_list_version AS v
         WHERE v.hot_list_id = NEW.hot_list_id AND v.version = previous AND v.expire_time <= NEW.activated_at) THEN
        previous := NULL;
    END IF;
    IF NEW.version IS DISTINCT FROM previous THEN
        INSERT INTO matcher.look_back
            (match_revision, kind, hot_list_id, changed_id, intent_id, version, previous_version, changed_at)
        VALUES (NEW.match_revision, 1, NEW.hot_list_id, NEW.hot_list_id, NEW.intent_id, coalesce(NEW.version, 0),
                coalesce(previous, 0), NEW.activated_at);
    END IF;
    RETURN NULL;
END
$$;

RESET ROLE;
