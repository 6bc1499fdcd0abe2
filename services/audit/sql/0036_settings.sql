-- Settings beside the retention period, changed by a recorded act alone (ENF-051 IV.E.1.b). A row is there once
-- somebody has changed the setting; before that the policy pack's usual value counts.
SET LOCAL ROLE audit_owner;

ALTER TABLE audit.setting
    ADD CHECK (name ~ '^[a-z][a-z0-9_]{1,62}$'),
    ADD CHECK (value ~ '^[0-9]{1,10}$');

-- Sets a setting, once for each intent, and gives its value of now. The service's login cannot write the table, and what
-- is set must be what the intent in the log says. `usual`, `lowest` and `highest` are the policy pack's: what counts now is
-- what is stored, cut to them. NULL when that is not `before` any more.
CREATE FUNCTION audit.set_setting(
    intent uuid, what text, before integer, after integer, usual integer, lowest integer, highest integer
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
    new_revision bigint;
    kept integer;
BEGIN
    IF what = 'retention_days' OR NOT EXISTS (
        SELECT FROM audit.log_leaf AS l
          JOIN audit.log_field AS f ON f.log_index = l.log_index AND f.name = 'action' AND f.value = 'setting.set'
          JOIN audit.log_field AS r ON r.log_index = l.log_index AND r.name = 'resource' AND r.value = what
          JOIN audit.log_field AS a ON a.log_index = l.log_index AND a.name = 'detail.after' AND a.value = after::text
         WHERE l.entry_id = intent
    ) THEN
        RAISE EXCEPTION 'no such act is on record' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- The head before the row, as all changes do, so that two of them never wait for each other.
    UPDATE audit.registry_head SET setting_revision = setting_revision + 1 RETURNING setting_revision INTO new_revision;
    INSERT INTO audit.change (intent_id) VALUES (intent) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN (SELECT value::integer FROM audit.setting WHERE name = what);
    END IF;
    SELECT greatest(lowest, least(highest, value::integer)) INTO kept FROM audit.setting WHERE name = what;
    IF before <> coalesce(kept, usual) THEN
        RETURN NULL;
    END IF;
    INSERT INTO audit.setting AS s (name, value, revision, changed_at)
    VALUES (what, after::text, new_revision, clock_timestamp())
    ON CONFLICT (name) DO UPDATE
       SET value = excluded.value, revision = excluded.revision, changed_at = excluded.changed_at;
    RETURN after;
END
$$;
REVOKE ALL ON FUNCTION audit.set_setting(uuid, text, integer, integer, integer, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.set_setting(uuid, text, integer, integer, integer, integer, integer) TO audit_app;

RESET ROLE;
