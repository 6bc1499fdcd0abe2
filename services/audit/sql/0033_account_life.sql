-- How long accounts are good for, when they were used, who looked at them last (CJIS AC-2, AC-6(7)).
SET LOCAL ROLE audit_owner;

ALTER TABLE audit.account
    ADD COLUMN end_time     timestamptz,
    ADD COLUMN made_time    timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN enabled_time timestamptz;
-- What was made before this counts from now on.
UPDATE audit.account SET enabled_time = clock_timestamp() WHERE state = 'ENABLED';
GRANT UPDATE (end_time, enabled_time) ON audit.account TO audit_app;

-- Written once an hour at most; it is no record of what was done, which is the log.
CREATE TABLE audit.account_use (
    account_id uuid        PRIMARY KEY REFERENCES audit.account,
    use_time   timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE (use_time) ON audit.account_use TO audit_app;

CREATE TABLE audit.account_review (
    intent_id   uuid        PRIMARY KEY,
    account_id  uuid        NOT NULL REFERENCES audit.account,
    review_time timestamptz NOT NULL,
    reviewed_by uuid        NOT NULL REFERENCES audit.account CHECK (reviewed_by <> account_id)
);
CREATE INDEX account_review_by_account ON audit.account_review (account_id, review_time);
CREATE TRIGGER account_review_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.account_review
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();
GRANT SELECT, INSERT ON audit.account_review TO audit_app;

RESET ROLE;
