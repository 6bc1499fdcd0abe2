-- Flags of what may be misuse, the reviews that they open, and weekly packets (ENF-051 III.C.2.d, IV.A.2).
SET LOCAL ROLE audit_owner;

-- What people asked in the last weeks, as digests, for the rules alone; the record is the log, and this follows from it.
CREATE TABLE audit.conduct (
    account_id uuid        NOT NULL REFERENCES audit.account,
    agency_ori text        NOT NULL,
    hour       timestamptz NOT NULL,
    log_index  bigint      NOT NULL,
    target     text        NOT NULL,
    case_key   text        NOT NULL,
    words      text        NOT NULL,
    offence    text        NOT NULL,
    thin       boolean     NOT NULL,
    barred     boolean     NOT NULL,
    leaves     boolean     NOT NULL,
    PRIMARY KEY (account_id, hour, target, case_key, words, offence, barred, leaves)
);
CREATE INDEX conduct_by_case ON audit.conduct (agency_ori, case_key, account_id) WHERE case_key <> '';
CREATE INDEX conduct_by_target ON audit.conduct (agency_ori, target, account_id) WHERE target <> '';
CREATE INDEX conduct_by_hour ON audit.conduct (hour);

-- How far the log has been looked at. Who holds the row's lock looks on; the others wait their turn.
CREATE TABLE audit.conduct_head (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    next_index bigint  NOT NULL DEFAULT 0
);
INSERT INTO audit.conduct_head DEFAULT VALUES;

CREATE TABLE audit.review (
    review_id          uuid        PRIMARY KEY,
    agency_ori         text        NOT NULL REFERENCES audit.agency,
    account_id         uuid        NOT NULL REFERENCES audit.account,
    unit               text        NOT NULL,
    open_time          timestamptz NOT NULL,
    reason             text        NOT NULL CHECK (length(reason) <= 2000),
    reviewer           uuid        REFERENCES audit.account CHECK (reviewer <> account_id),
    finding            text        CHECK (finding IN ('EXPLAINED', 'MISTAKE', 'MISUSE')),
    explanation        text        NOT NULL DEFAULT '',
    sanction_reference text        NOT NULL DEFAULT '',
    conclude_time      timestamptz,
    signer             uuid        REFERENCES audit.account CHECK (signer <> account_id AND signer <> reviewer),
    close_time         timestamptz,
    CHECK ((finding IS NULL) = (conclude_time IS NULL)),
    CHECK ((signer IS NULL) = (close_time IS NULL)),
    CHECK (finding IS NULL OR reviewer IS NOT NULL),
    CHECK (close_time IS NULL OR finding IS NOT NULL),
    CHECK (finding IS DISTINCT FROM 'MISUSE' OR sanction_reference <> '')
);
-- A person has one open review at most; what is flagged meanwhile belongs to it.
CREATE UNIQUE INDEX one_open_review ON audit.review (account_id) WHERE close_time IS NULL;
CREATE INDEX review_by_agency ON audit.review (agency_ori, open_time, review_id);

CREATE TABLE audit.misuse_flag (
    flag_id    uuid        PRIMARY KEY,
    review_id  uuid        NOT NULL REFERENCES audit.review,
    account_id uuid        NOT NULL REFERENCES audit.account,
    agency_ori text        NOT NULL,
    unit       text        NOT NULL,
    rule       text        NOT NULL CHECK (rule ~ '^[A-Z_]+$'),
    about      text        NOT NULL,
    log_index  bigint      NOT NULL,
    raise_time timestamptz NOT NULL,
    evidence   text        NOT NULL,
    entries    bigint[]    NOT NULL,
    noted      boolean     NOT NULL DEFAULT false
);
CREATE INDEX misuse_flag_by_account ON audit.misuse_flag (account_id, raise_time);
CREATE INDEX misuse_flag_by_review ON audit.misuse_flag (review_id, raise_time);
CREATE INDEX misuse_flag_to_note ON audit.misuse_flag (log_index) WHERE NOT noted;

CREATE TABLE audit.packet_signature (
    agency_ori    text        NOT NULL REFERENCES audit.agency,
    unit          text        NOT NULL,
    week          date        NOT NULL CHECK (extract(isodow FROM week) = 1),
    packet_sha256 bytea       NOT NULL CHECK (length(packet_sha256) = 32),
    signer        uuid        NOT NULL REFERENCES audit.account,
    sign_time     timestamptz NOT NULL,
    intent_id     uuid        NOT NULL,
    PRIMARY KEY (agency_ori, unit, week)
);

CREATE TRIGGER review_closes_once BEFORE UPDATE ON audit.review
    FOR EACH ROW WHEN (OLD.close_time IS NOT NULL) EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER review_stays BEFORE DELETE OR TRUNCATE ON audit.review
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER misuse_flag_stays BEFORE DELETE OR TRUNCATE ON audit.misuse_flag
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER packet_signature_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.packet_signature
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();

GRANT SELECT, INSERT, DELETE ON audit.conduct TO audit_app;
GRANT SELECT, UPDATE (next_index) ON audit.conduct_head TO audit_app;
GRANT SELECT, INSERT, UPDATE (reviewer, finding, explanation, sanction_reference, conclude_time, signer, close_time)
    ON audit.review TO audit_app;
GRANT SELECT, INSERT, UPDATE (noted) ON audit.misuse_flag TO audit_app;
GRANT SELECT, INSERT ON audit.packet_signature TO audit_app;

RESET ROLE;
