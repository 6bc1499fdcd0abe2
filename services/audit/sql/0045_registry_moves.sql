-- How often anything has changed that questions are decided by. What was read at one revision is true for as long as
-- the revision stands, so it need not be read again for every question. The database counts by itself, in the
-- transaction of the change, whoever makes it and by whatever way.
--
-- Not counted: audit.account_use, which changes every hour for each account and only ever lets more, and
-- audit.escort, by which vendors' accounts alone are decided; those are read for every call.
SET LOCAL ROLE audit_owner;

ALTER TABLE audit.registry_head ADD COLUMN revision bigint NOT NULL DEFAULT 0;

-- Before the statement, so that the head is locked before any row, as all changes do it.
CREATE FUNCTION audit.registry_moves() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
BEGIN
    UPDATE audit.registry_head SET revision = revision + 1;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION audit.registry_moves() FROM PUBLIC;

DO $$
DECLARE
    changed text;
BEGIN
    FOREACH changed IN ARRAY ARRAY['account', 'account_role', 'certification', 'non_agency_access', 'account_review',
                                   'document', 'acknowledgement', 'agreement', 'sensor', 'group_limit', 'setting']
    LOOP
        EXECUTE format('CREATE TRIGGER registry_moves BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON audit.%I'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION audit.registry_moves()', changed);
        -- ALWAYS: also under session_replication_role = replica.
        EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER registry_moves', changed);
    END LOOP;
END
$$;
-- Of sign-ins only that they end: they are noted every few minutes, which decides nothing.
CREATE TRIGGER registry_moves BEFORE UPDATE OF end_time ON audit.sign_in
    FOR EACH STATEMENT EXECUTE FUNCTION audit.registry_moves();
ALTER TABLE audit.sign_in ENABLE ALWAYS TRIGGER registry_moves;

RESET ROLE;
