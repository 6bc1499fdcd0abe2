-- What is left to do after a change of the hot lists: look back over the archive for entries that it brought, and
-- withdraw the alerts of entries that it took off (ENF-051 II.D, III.D.4).
SET LOCAL ROLE matcher_owner;

-- Replicas, each with the oldest revision that it still compares reads with. One that was not seen for a minute and a
-- half is no more: neither is any read that it compared still on its way to the archive.
CREATE TABLE matcher.replica (
    replica_id uuid PRIMARY KEY,
    match_revision bigint NOT NULL,
    seen_at timestamptz NOT NULL
);

-- One row a change, made by the triggers below in the transaction of the change itself: none can be forgotten.
-- `kind`: 1 a list's version took the place of `previous_version` (0: of nothing, or nothing took its place), 2 an entry
-- was added to a local list, 3 an entry of a local list ended for `end_reason`.
CREATE TABLE matcher.look_back (
    match_revision bigint PRIMARY KEY,
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 3),
    hot_list_id uuid NOT NULL,
    -- What the act `intent_id` changed: the list, or the entry.
    changed_id uuid NOT NULL,
    intent_id uuid NOT NULL REFERENCES matcher.act,
    version bigint NOT NULL,
    previous_version bigint NOT NULL,
    end_reason smallint,
    changed_at timestamptz NOT NULL,
    -- Passes so far. The first begins at once, the last when no replica compares with older lists any more.
    pass_count integer NOT NULL DEFAULT 0,
    -- Nobody else works on it before.
    next_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz,
    -- Audit knows of no act that allows it.
    refused boolean NOT NULL DEFAULT false
);
CREATE INDEX look_back_open ON matcher.look_back (next_at, match_revision) WHERE done_at IS NULL;

CREATE FUNCTION matcher.look_back_after_activation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = matcher, pg_temp AS $$
DECLARE
    previous bigint;
BEGIN
    SELECT a.version INTO previous FROM matcher.activation AS a
     WHERE a.hot_list_id = NEW.hot_list_id AND a.match_revision < NEW.match_revision
     ORDER BY a.match_revision DESC LIMIT 1;
    IF NEW.version IS DISTINCT FROM previous THEN
        INSERT INTO matcher.look_back
            (match_revision, kind, hot_list_id, changed_id, intent_id, version, previous_version, changed_at)
        VALUES (NEW.match_revision, 1, NEW.hot_list_id, NEW.hot_list_id, NEW.intent_id, coalesce(NEW.version, 0),
                coalesce(previous, 0), NEW.activated_at);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER look_back AFTER INSERT ON matcher.activation
    FOR EACH ROW EXECUTE FUNCTION matcher.look_back_after_activation();

CREATE FUNCTION matcher.look_back_after_entry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = matcher, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO matcher.look_back
            (match_revision, kind, hot_list_id, changed_id, intent_id, version, previous_version, changed_at)
        VALUES (NEW.added_revision, 2, NEW.hot_list_id, NEW.entry_id, NEW.intent_id, 0, 0, NEW.added_at);
    ELSE
        INSERT INTO matcher.look_back
            (match_revision, kind, hot_list_id, changed_id, intent_id, version, previous_version, end_reason,
             changed_at)
        VALUES (NEW.ended_revision, 3, NEW.hot_list_id, NEW.entry_id, NEW.end_intent_id, 0, 0, NEW.end_reason,
                NEW.ended_at);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER look_back_added AFTER INSERT ON matcher.local_entry
    FOR EACH ROW EXECUTE FUNCTION matcher.look_back_after_entry();
CREATE TRIGGER look_back_ended AFTER UPDATE OF end_reason ON matcher.local_entry
    FOR EACH ROW WHEN (OLD.end_reason IS NULL AND NEW.end_reason IS NOT NULL)
    EXECUTE FUNCTION matcher.look_back_after_entry();
REVOKE ALL ON FUNCTION matcher.look_back_after_activation(), matcher.look_back_after_entry() FROM PUBLIC;

GRANT SELECT ON matcher.look_back TO matcher_app;
GRANT UPDATE (pass_count, next_at, done_at, refused) ON matcher.look_back TO matcher_app;
GRANT SELECT, INSERT, DELETE ON matcher.replica TO matcher_app;
GRANT UPDATE (match_revision, seen_at) ON matcher.replica TO matcher_app;

RESET ROLE;
