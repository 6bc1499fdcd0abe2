-- Owner and login of this service. Owns nothing but the schema; a second run changes nothing.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['audit_owner NOLOGIN', 'audit_app LOGIN'] LOOP
        BEGIN
            EXECUTE 'CREATE ROLE ' || wanted;
        EXCEPTION
            -- Roles belong to the whole cluster: another database of it may have made them, even at this moment.
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END
$$;

CREATE SCHEMA IF NOT EXISTS audit AUTHORIZATION audit_owner;
ALTER SCHEMA audit OWNER TO audit_owner;
REVOKE ALL ON SCHEMA audit FROM PUBLIC;
GRANT USAGE ON SCHEMA audit TO audit_app;
