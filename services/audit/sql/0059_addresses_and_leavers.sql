-- Addresses of no government domain, by written approval and for a time (ENF-051 III.B.3.j). The account has until when its
-- address counts, NULL for one of the agency's domains; approvals never change.
SET LOCAL ROLE audit_owner;

ALTER TABLE audit.account ADD COLUMN email_until timestamptz;
GRANT UPDATE (email_until) ON audit.account TO audit_app;

CREATE TABLE audit.email_exception (
    intent_id       uuid        PRIMARY KEY,
    account_id      uuid        NOT NULL REFERENCES audit.account,
    approver        text        NOT NULL CHECK (length(approver) BETWEEN 1 AND 200),
    document_sha256 bytea       NOT NULL CHECK (length(document_sha256) = 32),
    reason          text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    valid_until     timestamptz NOT NULL,
    grant_time      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX email_exception_by_account ON audit.email_exception (account_id, grant_time);
CREATE TRIGGER email_exception_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.email_exception
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();
GRANT SELECT, INSERT ON audit.email_exception TO audit_app;

-- Who has left: accounts that the personnel office's last roster does not name. The roster itself is not kept.
CREATE TABLE audit.roster (
    intent_id    uuid        PRIMARY KEY,
    agency_ori   text        NOT NULL REFERENCES audit.agency,
    sha256       bytea       NOT NULL CHECK (length(sha256) = 32),
    people       integer     NOT NULL CHECK (people > 0),
    as_of_time   timestamptz NOT NULL,
    submit_time  timestamptz NOT NULL DEFAULT clock_timestamp(),
    submitted_by uuid        NOT NULL REFERENCES audit.account
);
CREATE TRIGGER roster_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.roster
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();

CREATE TABLE audit.leaver (
    account_id uuid        PRIMARY KEY REFERENCES audit.account,
    since_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    intent_id  uuid        NOT NULL REFERENCES audit.roster
);

GRANT SELECT, INSERT ON audit.roster TO audit_app;
GRANT SELECT, INSERT, DELETE ON audit.leaver TO audit_app;

RESET ROLE;
