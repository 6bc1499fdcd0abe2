-- Documents that people acknowledge (ENF-051 III.B.3.b, III.D.2, III.E.3). Versions and acknowledgements never change.
SET LOCAL ROLE audit_owner;

CREATE TABLE audit.document (
    document_id       uuid        PRIMARY KEY,
    agency_ori        text        NOT NULL REFERENCES audit.agency,
    kind              text        NOT NULL CHECK (kind IN ('DIRECTIVE', 'SECURITY_ADDENDUM', 'USE_BANNER',
                                                           'MOTOR_CARRIER_GUIDELINES')),
    version           text        NOT NULL CHECK (length(version) BETWEEN 1 AND 50),
    title             text        NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    shown             text        NOT NULL CHECK (length(shown) BETWEEN 1 AND 20000),
    sha256            bytea       NOT NULL CHECK (length(sha256) = 32),
    effective_time    timestamptz NOT NULL,
    acknowledged_days integer     NOT NULL CHECK (acknowledged_days BETWEEN 0 AND 1826),
    publish_time      timestamptz NOT NULL,
    intent_id         uuid        NOT NULL,
    UNIQUE (agency_ori, kind, version),
    UNIQUE (agency_ori, kind, effective_time)
);

CREATE TABLE audit.acknowledgement (
    document_id      uuid        NOT NULL REFERENCES audit.document,
    account_id       uuid        NOT NULL REFERENCES audit.account,
    acknowledge_time timestamptz NOT NULL,
    intent_id        uuid        NOT NULL,
    PRIMARY KEY (account_id, document_id, acknowledge_time)
);

-- What an account has to have acknowledged: each version of its agency, since when and until when it is in force, and
-- until when the account's last acknowledgement counts.
CREATE FUNCTION audit.documents_of(of_account uuid)
RETURNS TABLE (document_id uuid, kind text, effective_time timestamptz, superseded_time timestamptz,
               acknowledge_time timestamptz, acknowledged_until timestamptz)
LANGUAGE sql STABLE SET search_path = audit, pg_temp
BEGIN ATOMIC
    SELECT document.document_id, document.kind, document.effective_time,
           lead(document.effective_time) OVER (PARTITION BY document.kind ORDER BY document.effective_time),
           last.acknowledge_time,
           CASE WHEN document.acknowledged_days = 0 THEN NULL
                ELSE last.acknowledge_time + make_interval(hours => 24 * document.acknowledged_days) END
    FROM audit.account AS account
    JOIN audit.document AS document ON document.agency_ori = account.agency_ori
    LEFT JOIN LATERAL (
        SELECT max(held.acknowledge_time) AS acknowledge_time FROM audit.acknowledgement AS held
        WHERE held.account_id = account.account_id AND held.document_id = document.document_id
    ) AS last ON true
    WHERE account.account_id = of_account;
END;
REVOKE ALL ON FUNCTION audit.documents_of(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.documents_of(uuid) TO audit_app;

CREATE FUNCTION audit.refuse_document_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'what was published or acknowledged does not change' USING ERRCODE = '42501';
END
$$;
REVOKE ALL ON FUNCTION audit.refuse_document_change() FROM PUBLIC;
CREATE TRIGGER document_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.document
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_document_change();
CREATE TRIGGER acknowledgement_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.acknowledgement
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_document_change();

GRANT SELECT, INSERT ON audit.document, audit.acknowledgement TO audit_app;

RESET ROLE;
