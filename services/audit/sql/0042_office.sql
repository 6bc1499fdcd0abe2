-- One statewide coordinator of an agency, never two (ENF-051 III.A), and how the office goes on.
SET LOCAL ROLE audit_owner;

ALTER TABLE audit.account_role ADD COLUMN agency_ori text REFERENCES audit.agency;
UPDATE audit.account_role AS held SET agency_ori = who.agency_ori
FROM audit.account AS who WHERE who.account_id = held.account_id;

-- Whoever writes a role, the agency is the account's own.
CREATE FUNCTION audit.set_agency_of_role() RETURNS trigger
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    NEW.agency_ori := (SELECT agency_ori FROM audit.account WHERE account_id = NEW.account_id);
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION audit.set_agency_of_role() FROM PUBLIC;
CREATE TRIGGER role_is_of_an_agency BEFORE INSERT OR UPDATE ON audit.account_role
    FOR EACH ROW EXECUTE FUNCTION audit.set_agency_of_role();
ALTER TABLE audit.account_role ALTER COLUMN agency_ori SET NOT NULL;
CREATE UNIQUE INDEX one_statewide_coordinator ON audit.account_role (agency_ori)
    WHERE role = 'STATEWIDE_COORDINATOR';

CREATE TABLE audit.office_offer (
    offer_id             uuid        PRIMARY KEY,
    agency_ori           text        NOT NULL REFERENCES audit.agency,
    holder_account_id    uuid        NOT NULL REFERENCES audit.account,
    successor_account_id uuid        NOT NULL REFERENCES audit.account
                         CHECK (successor_account_id <> holder_account_id),
    official             text        NOT NULL CHECK (length(official) BETWEEN 1 AND 200),
    document_sha256      bytea       NOT NULL CHECK (length(document_sha256) = 32),
    offer_time           timestamptz NOT NULL DEFAULT clock_timestamp(),
    end_time             timestamptz,
    accepted             boolean     NOT NULL DEFAULT false,
    intent_id            uuid        NOT NULL
);
CREATE UNIQUE INDEX one_offer_of_an_office ON audit.office_offer (agency_ori) WHERE end_time IS NULL;

CREATE FUNCTION audit.refuse_offer_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'an offer that has ended does not come back' USING ERRCODE = '42501';
END
$$;
REVOKE ALL ON FUNCTION audit.refuse_offer_change() FROM PUBLIC;
CREATE TRIGGER offer_ends_once BEFORE UPDATE ON audit.office_offer
    FOR EACH ROW WHEN (OLD.end_time IS NOT NULL) EXECUTE FUNCTION audit.refuse_offer_change();
CREATE TRIGGER offer_stays BEFORE DELETE OR TRUNCATE ON audit.office_offer
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_offer_change();

GRANT SELECT, INSERT, UPDATE (end_time, accepted) ON audit.office_offer TO audit_app;

RESET ROLE;
