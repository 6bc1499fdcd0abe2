-- Units, and the coordinators whom their commanders appoint (ENF-051 III.C.1). Appointments end and do not change.
SET LOCAL ROLE audit_owner;

CREATE TABLE audit.unit (
    agency_ori text NOT NULL REFERENCES audit.agency,
    code       text NOT NULL CHECK (length(code) BETWEEN 1 AND 50),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind       text NOT NULL CHECK (kind IN ('DISTRICT', 'ZONE', 'SPECIALTY')),
    intent_id  uuid NOT NULL,
    PRIMARY KEY (agency_ori, code)
);

CREATE TABLE audit.appointment (
    appointment_id  uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    agency_ori      text        NOT NULL,
    code            text        NOT NULL,
    account_id      uuid        NOT NULL REFERENCES audit.account,
    commander       text        NOT NULL CHECK (length(commander) BETWEEN 1 AND 200),
    document_sha256 bytea       NOT NULL CHECK (length(document_sha256) = 32),
    appoint_time    timestamptz NOT NULL DEFAULT clock_timestamp(),
    end_time        timestamptz CHECK (end_time >= appoint_time),
    intent_id       uuid        NOT NULL,
    FOREIGN KEY (agency_ori, code) REFERENCES audit.unit
);
CREATE UNIQUE INDEX one_coordinator_of_a_unit ON audit.appointment (agency_ori, code) WHERE end_time IS NULL;
CREATE INDEX appointment_by_unit ON audit.appointment (agency_ori, code, appoint_time);

-- Who coordinates the unit: the appointment lasts, the account may be used, and it is of the unit with the role that the
-- appointment gave it, or at the head of the agency. NULL for nobody.
CREATE FUNCTION audit.coordinator_of(of_agency text, of_code text, at timestamptz) RETURNS uuid
LANGUAGE sql STABLE SET search_path = audit, pg_temp
BEGIN ATOMIC
    SELECT who.account_id
    FROM audit.appointment AS held JOIN audit.account AS who USING (account_id)
    WHERE held.agency_ori = of_agency AND held.code = of_code AND held.end_time IS NULL
      AND who.state = 'ENABLED' AND (who.end_time IS NULL OR who.end_time > at)
      AND EXISTS (
          SELECT FROM audit.account_role AS given
          WHERE given.account_id = who.account_id
            AND (given.role = 'STATEWIDE_COORDINATOR'
                 OR (given.role = 'WORK_UNIT_COORDINATOR' AND who.unit = held.code))
      );
END;
REVOKE ALL ON FUNCTION audit.coordinator_of(text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.coordinator_of(text, text, timestamptz) TO audit_app;

CREATE FUNCTION audit.refuse_appointment_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'an appointment that has ended does not go on' USING ERRCODE = '42501';
END
$$;
REVOKE ALL ON FUNCTION audit.refuse_appointment_change() FROM PUBLIC;
CREATE TRIGGER appointment_ends_once BEFORE UPDATE ON audit.appointment
    FOR EACH ROW WHEN (OLD.end_time IS NOT NULL) EXECUTE FUNCTION audit.refuse_appointment_change();
CREATE TRIGGER appointment_stays BEFORE DELETE OR TRUNCATE ON audit.appointment
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_appointment_change();
CREATE TRIGGER unit_stays BEFORE DELETE OR TRUNCATE ON audit.unit
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_appointment_change();

-- An id is one person's and never anybody else's (CJIS IA-4): accounts are not deleted, and who they are of stays.
CREATE FUNCTION audit.refuse_account_reuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'an account is one person''s and stays' USING ERRCODE = '42501';
END
$$;
REVOKE ALL ON FUNCTION audit.refuse_account_reuse() FROM PUBLIC;
CREATE TRIGGER account_stays BEFORE DELETE OR TRUNCATE ON audit.account
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_account_reuse();
CREATE TRIGGER account_is_one_persons BEFORE UPDATE ON audit.account
    FOR EACH ROW WHEN ((OLD.account_id, OLD.issuer, OLD.subject) IS DISTINCT FROM (NEW.account_id, NEW.issuer, NEW.subject))
    EXECUTE FUNCTION audit.refuse_account_reuse();

GRANT SELECT, INSERT ON audit.unit TO audit_app;
GRANT SELECT, INSERT, UPDATE (end_time) ON audit.appointment TO audit_app;

RESET ROLE;
