-- Incidents (ENF-051 III.B.3.c), contracts (III.B.2, III.E.2), requests for support (IV.F).
SET LOCAL ROLE audit_owner;

CREATE TABLE audit.incident (
    incident_id   uuid        PRIMARY KEY,
    agency_ori    text        NOT NULL REFERENCES audit.agency,
    kind          text        NOT NULL CHECK (kind ~ '^[A-Z_]+$'),
    summary       text        NOT NULL CHECK (length(summary) BETWEEN 10 AND 2000),
    discover_time timestamptz NOT NULL,
    open_time     timestamptz NOT NULL,
    finding       text        CHECK (length(finding) BETWEEN 10 AND 2000),
    close_time    timestamptz,
    intent_id     uuid        NOT NULL,
    CHECK ((finding IS NULL) = (close_time IS NULL))
);
CREATE INDEX incident_by_agency ON audit.incident (agency_ori, open_time, incident_id);

CREATE TABLE audit.incident_notice (
    intent_id   uuid        PRIMARY KEY,
    incident_id uuid        NOT NULL REFERENCES audit.incident,
    recipient   text        NOT NULL CHECK (recipient ~ '^[A-Z_]+$'),
    name        text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    way         text        NOT NULL CHECK (length(way) BETWEEN 1 AND 200),
    notice_time timestamptz NOT NULL,
    account_id  uuid        NOT NULL REFERENCES audit.account
);
CREATE INDEX incident_notice_by_incident ON audit.incident_notice (incident_id, notice_time);

CREATE TABLE audit.contract (
    contract_id     uuid        PRIMARY KEY,
    agency_ori      text        NOT NULL REFERENCES audit.agency,
    kind            text        NOT NULL CHECK (kind ~ '^[A-Z_]+$'),
    party           text        NOT NULL CHECK (length(party) BETWEEN 1 AND 200),
    subject         text        NOT NULL CHECK (length(subject) BETWEEN 1 AND 500),
    document_sha256 bytea       NOT NULL CHECK (length(document_sha256) = 32),
    start_time      timestamptz NOT NULL,
    end_time        timestamptz NOT NULL CHECK (end_time > start_time),
    warning_days    integer     NOT NULL CHECK (warning_days BETWEEN 1 AND 730),
    partition       text        NOT NULL CHECK (partition IN ('GENERAL', 'MOTOR_CARRIER')),
    intent_id       uuid        NOT NULL
);
CREATE INDEX contract_by_agency ON audit.contract (agency_ori, end_time, contract_id);

CREATE TABLE audit.support_request (
    support_request_id uuid        PRIMARY KEY,
    agency_ori         text        NOT NULL REFERENCES audit.agency,
    category           text        NOT NULL CHECK (category ~ '^[A-Z_]+$'),
    details            text        NOT NULL CHECK (length(details) BETWEEN 10 AND 2000),
    open_time          timestamptz NOT NULL,
    account_id         uuid        NOT NULL REFERENCES audit.account,
    resolution         text        CHECK (length(resolution) BETWEEN 1 AND 2000),
    close_time         timestamptz,
    intent_id          uuid        NOT NULL,
    CHECK ((resolution IS NULL) = (close_time IS NULL))
);
CREATE INDEX support_request_by_agency ON audit.support_request (agency_ori, open_time, support_request_id);

CREATE FUNCTION audit.refuse_record_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'what is on record does not change' USING ERRCODE = '42501';
END
$$;
REVOKE ALL ON FUNCTION audit.refuse_record_change() FROM PUBLIC;
CREATE TRIGGER incident_closes_once BEFORE UPDATE ON audit.incident
    FOR EACH ROW WHEN (OLD.close_time IS NOT NULL) EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER support_request_closes_once BEFORE UPDATE ON audit.support_request
    FOR EACH ROW WHEN (OLD.close_time IS NOT NULL) EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER incident_stays BEFORE DELETE OR TRUNCATE ON audit.incident
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER support_request_stays BEFORE DELETE OR TRUNCATE ON audit.support_request
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER incident_notice_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.incident_notice
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER contract_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.contract
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();

-- For the report on a data set's use: the few entries that are about it, among millions.
CREATE INDEX log_field_motor_carrier ON audit.log_field (log_index)
    WHERE name = 'action' AND value IN ('question.mcsreads', 'question.mcsimage');

GRANT SELECT, INSERT, UPDATE (finding, close_time) ON audit.incident TO audit_app;
GRANT SELECT, INSERT ON audit.incident_notice, audit.contract TO audit_app;
GRANT SELECT, INSERT, UPDATE (resolution, close_time) ON audit.support_request TO audit_app;

RESET ROLE;
