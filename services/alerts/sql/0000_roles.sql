-- The owner of the schema, which nothing logs in as, and the login of the service.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'alerts_owner') THEN
        CREATE ROLE alerts_owner NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'alerts_app') THEN
        CREATE ROLE alerts_app LOGIN;
    END IF;
    -- An administrator who is no superuser must be able to become the owner for the files that follow.
    IF NOT pg_has_role(current_user, 'alerts_owner', 'SET') THEN
        EXECUTE format('GRANT alerts_owner TO %I', current_user);
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS alerts;
ALTER SCHEMA alerts OWNER TO alerts_owner;
REVOKE ALL ON SCHEMA alerts FROM PUBLIC;
