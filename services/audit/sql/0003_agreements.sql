-- What agencies agreed to share (ENF-051 III.B.1), and the data set that a sensor belongs to (II.H).
SET LOCAL ROLE audit_owner;

-- The row says how far an agreement is; who proposed, accepted and ended it is in the log.
CREATE TABLE audit.agreement (
    agreement_id    uuid        PRIMARY KEY,
    provider_ori    text        NOT NULL REFERENCES audit.agency,
    recipient_ori   text        NOT NULL REFERENCES audit.agency,
    data_classes    text[]      NOT NULL CHECK (cardinality(data_classes) BETWEEN 1 AND 2
                                AND data_classes <@ ARRAY['HOT_LIST_HITS', 'MOTOR_CARRIER_HITS']),
    document_sha256 bytea       NOT NULL CHECK (length(document_sha256) = 32),
    start_time      timestamptz NOT NULL,
    end_time        timestamptz NOT NULL CHECK (end_time > start_time),
    state           text        NOT NULL CHECK (state IN ('PROPOSED', 'ACCEPTED', 'ENDED')),
    proposed_by_ori text        NOT NULL CHECK (proposed_by_ori IN (provider_ori, recipient_ori)),
    revision        bigint      NOT NULL,
    intent_id       uuid        NOT NULL,
    CHECK (provider_ori <> recipient_ori)
);
CREATE INDEX agreement_by_revision ON audit.agreement (revision);
CREATE INDEX agreement_by_provider ON audit.agreement (provider_ori, agreement_id);
CREATE INDEX agreement_by_recipient ON audit.agreement (recipient_ori, agreement_id);

-- An agreement goes forward only: what has ended stays so, and its terms never change.
CREATE FUNCTION audit.refuse_agreement_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'an agreement that has ended does not come back' USING ERRCODE = '42501';
END
$$;
REVOKE ALL ON FUNCTION audit.refuse_agreement_change() FROM PUBLIC;
CREATE TRIGGER agreement_goes_forward BEFORE UPDATE ON audit.agreement
    FOR EACH ROW WHEN (OLD.state = 'ENDED' OR NEW.state = 'PROPOSED')
    EXECUTE FUNCTION audit.refuse_agreement_change();

ALTER TABLE audit.registry_head ADD COLUMN agreement_revision bigint NOT NULL DEFAULT 0;
ALTER TABLE audit.sensor ADD COLUMN partition text NOT NULL DEFAULT 'GENERAL'
    CHECK (partition IN ('GENERAL', 'MOTOR_CARRIER'));

GRANT SELECT, INSERT, UPDATE (state, revision) ON audit.agreement TO audit_app;
GRANT UPDATE (agreement_revision) ON audit.registry_head TO audit_app;

RESET ROLE;
