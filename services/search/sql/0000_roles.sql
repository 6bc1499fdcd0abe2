-- Roles of the archive. archive_owner owns everything and logs in nowhere; the three logins may each execute
-- their own functions and touch nothing else. Passwords are set by the migration command, not here.
DO $$
DECLARE
    login text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'archive_owner') THEN
        CREATE ROLE archive_owner NOLOGIN;
    END IF;
    FOREACH login IN ARRAY ARRAY['search_append', 'search_question', 'search_purge'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT', login);
        END IF;
    END LOOP;
    -- An administrator who is no superuser must be able to become the owner for the files that follow.
    IF NOT pg_has_role(current_user, 'archive_owner', 'SET') THEN
        EXECUTE format('GRANT archive_owner TO %I WITH INHERIT FALSE, SET TRUE', current_user);
    END IF;
    -- Plates and permits are parameters and row values: PostgreSQL's own log shall hold neither. Where only a
    -- superuser may say so and the administrator is none, the operator does it (README, "Run").
    FOREACH login IN ARRAY ARRAY['search_append', 'search_question', 'search_purge'] LOOP
        BEGIN
            EXECUTE format('ALTER ROLE %I SET log_parameter_max_length = 0', login);
            EXECUTE format('ALTER ROLE %I SET log_error_verbosity = terse', login);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'set log_parameter_max_length = 0 and log_error_verbosity = terse for % by hand', login;
        END;
        EXECUTE format('ALTER ROLE %I SET log_parameter_max_length_on_error = 0', login);
    END LOOP;
END
$$;

CREATE SCHEMA IF NOT EXISTS archive;
ALTER SCHEMA archive OWNER TO archive_owner;
REVOKE ALL ON SCHEMA archive FROM PUBLIC;
GRANT USAGE ON SCHEMA archive TO search_append, search_question, search_purge;
