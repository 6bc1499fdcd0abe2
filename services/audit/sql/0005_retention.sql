-- The retention period as a setting that only a recorded act changes (ENF-051 IV.E.1.a, IV.E.1.b).
SET LOCAL ROLE audit_owner;

ALTER TABLE audit.setting ADD COLUMN revision bigint NOT NULL DEFAULT 1, ADD COLUMN changed_at timestamptz;
ALTER TABLE audit.setting ADD CHECK (name <> 'retention_days' OR value::integer BETWEEN 1 AND 3660);
ALTER TABLE audit.registry_head ADD COLUMN setting_revision bigint NOT NULL DEFAULT 1;

-- Sets the retention period, once for each intent, and gives the period of now. The service's login cannot write the
-- table: a change has an intent in the log or is none. NULL when the period is not `days_before` any more.
CREATE FUNCTION audit.set_retention(intent uuid, days_before integer, days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
    new_revision bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM audit.log_leaf AS l
                     JOIN audit.log_field AS f ON f.log_index = l.log_index AND f.name = 'action'
                    WHERE l.entry_id = intent AND f.value = 'retention.set') THEN
        RAISE EXCEPTION 'no such act is on record' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- The head before the row, as all changes do, so that two of them never wait for each other.
    UPDATE audit.registry_head SET setting_revision = setting_revision + 1 RETURNING setting_revision INTO new_revision;
    INSERT INTO audit.change (intent_id) VALUES (intent) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        UPDATE audit.setting SET value = days::text, revision = new_revision, changed_at = clock_timestamp()
         WHERE name = 'retention_days' AND value::integer = days_before;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN (SELECT value::integer FROM audit.setting WHERE name = 'retention_days');
END
$$;
REVOKE ALL ON FUNCTION audit.set_retention(uuid, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.set_retention(uuid, integer, integer) TO audit_app;

RESET ROLE;
