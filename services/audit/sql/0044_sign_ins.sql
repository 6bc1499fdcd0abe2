-- Where people are signed in, and what no longer counts (ENF-051 III.B.3.k). Rows are kept for ever, as the log's entries of
-- them are.
SET LOCAL ROLE audit_owner;

CREATE TABLE audit.sign_in (
    sign_in_id uuid        PRIMARY KEY,
    account_id uuid        NOT NULL REFERENCES audit.account,
    device     text        NOT NULL CHECK (length(device) <= 255),
    methods    text[]      NOT NULL,
    auth_time  timestamptz NOT NULL,
    first_time timestamptz NOT NULL,
    seen_time  timestamptz NOT NULL,
    end_time   timestamptz
);
CREATE INDEX sign_in_by_account ON audit.sign_in (account_id, auth_time);
CREATE INDEX sign_in_ended ON audit.sign_in (account_id, auth_time) WHERE end_time IS NOT NULL;
COMMENT ON TABLE audit.sign_in IS 'kept: sign-ins of people, which hold no read';

CREATE FUNCTION audit.refuse_sign_in_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a sign-in that was ended does not go on, and none goes away' USING ERRCODE = '42501';
END
$$;
REVOKE ALL ON FUNCTION audit.refuse_sign_in_change() FROM PUBLIC;
CREATE TRIGGER sign_in_ends_once BEFORE UPDATE ON audit.sign_in
    FOR EACH ROW WHEN (OLD.end_time IS NOT NULL) EXECUTE FUNCTION audit.refuse_sign_in_change();
CREATE TRIGGER sign_in_stays BEFORE DELETE OR TRUNCATE ON audit.sign_in
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_sign_in_change();
GRANT SELECT, INSERT, UPDATE (seen_time, end_time) ON audit.sign_in TO audit_app;

-- Sign-ins of before this moment are worth nothing.
ALTER TABLE audit.account ADD COLUMN signed_out_time timestamptz;
GRANT UPDATE (signed_out_time) ON audit.account TO audit_app;

RESET ROLE;
