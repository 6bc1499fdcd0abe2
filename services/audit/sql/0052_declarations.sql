-- Written declarations of agencies of other states (625 ILCS 5/2-130). They end, and do not change.
SET LOCAL ROLE audit_owner;

CREATE TABLE audit.declaration (
    declaration_id  uuid        PRIMARY KEY,
    agency_ori      text        NOT NULL REFERENCES audit.agency,
    document_sha256 bytea       NOT NULL CHECK (length(document_sha256) = 32),
    signed_by       text        NOT NULL CHECK (length(signed_by) BETWEEN 1 AND 200),
    office          text        NOT NULL CHECK (length(office) BETWEEN 1 AND 200),
    sign_time       timestamptz NOT NULL,
    start_time      timestamptz NOT NULL CHECK (start_time >= sign_time),
    end_time        timestamptz NOT NULL CHECK (end_time > start_time),
    excluded_uses   text[]      NOT NULL CHECK (cardinality(excluded_uses) BETWEEN 1 AND 20),
    excluded_codes  text[]      NOT NULL CHECK (cardinality(excluded_codes) <= 100),
    record_time     timestamptz NOT NULL DEFAULT clock_timestamp(),
    withdraw_time   timestamptz,
    intent_id       uuid        NOT NULL
);
CREATE INDEX declaration_by_agency ON audit.declaration (agency_ori) WHERE withdraw_time IS NULL;
CREATE INDEX declaration_by_time ON audit.declaration (record_time, declaration_id);

CREATE FUNCTION audit.refuse_declaration_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a declaration that was withdrawn does not come back' USING ERRCODE = '42501';
END
$$;
CREATE TRIGGER declaration_stays BEFORE UPDATE ON audit.declaration
    FOR EACH ROW WHEN (OLD.withdraw_time IS NOT NULL) EXECUTE FUNCTION audit.refuse_declaration_change();

-- What was read at one revision of the registry is true for as long as it stands (0043).
CREATE TRIGGER registry_moves BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON audit.declaration
    FOR EACH STATEMENT EXECUTE FUNCTION audit.registry_moves();
ALTER TABLE audit.declaration ENABLE ALWAYS TRIGGER registry_moves;

GRANT SELECT, INSERT, UPDATE (withdraw_time) ON audit.declaration TO audit_app;

RESET ROLE;
