-- Whose reads a question may look at: people's access to data of other agencies (ENF-051 III.B.3.f), agreements that
-- give reads (III.B.1), and sensor groups that serve some offences only.
SET LOCAL ROLE audit_owner;

-- The decision that counts now; who decided and what came before is in the log.
CREATE TABLE audit.non_agency_access (
    account_id      uuid        PRIMARY KEY REFERENCES audit.account,
    document_sha256 bytea       NOT NULL CHECK (length(document_sha256) = 32),
    reference       text        NOT NULL CHECK (length(reference) BETWEEN 1 AND 500),
    valid_until     timestamptz NOT NULL,
    decided_by      uuid        NOT NULL REFERENCES audit.account CHECK (decided_by <> account_id),
    decide_time     timestamptz NOT NULL DEFAULT clock_timestamp(),
    intent_id       uuid        NOT NULL
);

ALTER TABLE audit.agreement DROP CONSTRAINT agreement_data_classes_check;
ALTER TABLE audit.agreement ADD CHECK (cardinality(data_classes) BETWEEN 1 AND 3
    AND data_classes <@ ARRAY['HOT_LIST_HITS', 'MOTOR_CARRIER_HITS', 'READS']);

CREATE TABLE audit.group_limit (
    agency_ori    text   NOT NULL REFERENCES audit.agency,
    sensor_group  text   NOT NULL CHECK (sensor_group ~ '^[a-z0-9-]{1,63}$'),
    offence_codes text[] NOT NULL CHECK (cardinality(offence_codes) BETWEEN 1 AND 50),
    intent_id     uuid   NOT NULL,
    PRIMARY KEY (agency_ori, sensor_group)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON audit.non_agency_access, audit.group_limit TO audit_app;

RESET ROLE;
