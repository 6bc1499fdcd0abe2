-- Roles of the matcher. matcher_owner owns the schema and logs in nowhere; matcher_app is the service's login.
-- Passwords are set by the migration command, not here.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'matcher_owner') THEN
        CREATE ROLE matcher_owner NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'matcher_app') THEN
        CREATE ROLE matcher_app LOGIN NOINHERIT;
    END IF;
    -- An administrator who is no superuser must be able to become the owner for the files that follow.
    IF NOT pg_has_role(current_user, 'matcher_owner', 'SET') THEN
        EXECUTE format('GRANT matcher_owner TO %I WITH INHERIT FALSE, SET TRUE', current_user);
    END IF;
    -- Plates are parameters and row values: PostgreSQL's own log shall not hold them. Where only a superuser may
    -- say so and the administrator is none, the operator does it (README, "Run").
    BEGIN
        ALTER ROLE matcher_app SET log_parameter_max_length = 0;
        ALTER ROLE matcher_app SET log_error_verbosity = terse;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'set log_parameter_max_length = 0 and log_error_verbosity = terse for matcher_app by hand';
    END;
    ALTER ROLE matcher_app SET log_parameter_max_length_on_error = 0;
END
$$;

CREATE SCHEMA IF NOT EXISTS matcher;
ALTER SCHEMA matcher OWNER TO matcher_owner;
REVOKE ALL ON SCHEMA matcher FROM PUBLIC;
GRANT USAGE ON SCHEMA matcher TO matcher_app;
