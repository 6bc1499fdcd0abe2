-- Requests of government entities, and what was decided on them (ENF-051 IV.B.3). A decision does not change.
SET LOCAL ROLE audit_owner;

CREATE TABLE audit.government_request (
    request_id      uuid        PRIMARY KEY,
    agency_ori      text        NOT NULL REFERENCES audit.agency,
    entity          text        NOT NULL CHECK (length(entity) BETWEEN 1 AND 200),
    entity_type     text        NOT NULL CHECK (length(entity_type) BETWEEN 1 AND 100),
    person          text        NOT NULL CHECK (length(person) BETWEEN 1 AND 200),
    purpose         text        NOT NULL CHECK (length(purpose) BETWEEN 10 AND 500),
    document_sha256 bytea       NOT NULL CHECK (length(document_sha256) = 32),
    receive_time    timestamptz NOT NULL,
    record_time     timestamptz NOT NULL DEFAULT clock_timestamp(),
    intent_id       uuid        NOT NULL,
    decision        text        CHECK (decision IN ('GRANTED', 'REFUSED')),
    reason          text        CHECK (length(reason) BETWEEN 1 AND 500),
    valid_until     timestamptz,
    decided_by      uuid        REFERENCES audit.account,
    decide_time     timestamptz,
    decide_intent   uuid,
    UNIQUE (agency_ori, document_sha256),
    CHECK ((decision IS NULL) = (decided_by IS NULL) AND (decision IS NULL) = (decide_intent IS NULL)),
    CHECK ((decision IS NOT DISTINCT FROM 'GRANTED') = (valid_until IS NOT NULL))
);
CREATE INDEX government_request_by_time ON audit.government_request (agency_ori, record_time, request_id);

CREATE FUNCTION audit.refuse_decision_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'what was decided stays' USING ERRCODE = '42501';
END
$$;
CREATE TRIGGER decision_stays BEFORE UPDATE ON audit.government_request
    FOR EACH ROW WHEN (OLD.decision IS NOT NULL) EXECUTE FUNCTION audit.refuse_decision_change();

GRANT SELECT, INSERT, UPDATE (decision, reason, valid_until, decided_by, decide_time, decide_intent)
    ON audit.government_request TO audit_app;

RESET ROLE;
