-- Vendors work under escort only (ENF-051 III.B.3.p). An escort lasts while its `alive_until` is moved on by the audit
-- replica that holds the escort's open stream: when that dies, so does the escort.
SET LOCAL ROLE audit_owner;

CREATE TABLE audit.escort (
    escort_id         uuid        PRIMARY KEY,
    agency_ori        text        NOT NULL REFERENCES audit.agency,
    vendor_account_id uuid        NOT NULL REFERENCES audit.account,
    escort_account_id uuid        NOT NULL REFERENCES audit.account CHECK (escort_account_id <> vendor_account_id),
    scope             text        NOT NULL CHECK (scope IN ('HEALTH', 'MODELS')),
    reason            text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    begin_time        timestamptz NOT NULL DEFAULT clock_timestamp(),
    end_time          timestamptz NOT NULL CHECK (end_time > begin_time AND end_time <= begin_time + interval '4 hours'),
    alive_until       timestamptz NOT NULL,
    ended_time        timestamptz,
    cut_by            uuid        REFERENCES audit.account,
    intent_id         uuid        NOT NULL
);
CREATE INDEX escort_by_vendor ON audit.escort (vendor_account_id) WHERE ended_time IS NULL;
CREATE INDEX escort_by_agency ON audit.escort (agency_ori, begin_time, escort_id);

CREATE TABLE audit.vendor_call (
    entry_id  uuid        PRIMARY KEY,
    escort_id uuid        NOT NULL REFERENCES audit.escort,
    number    bigint      NOT NULL,
    call_time timestamptz NOT NULL,
    action    text        NOT NULL,
    service   text        NOT NULL,
    UNIQUE (escort_id, number)
);

-- The escort that a vendor's account is under now; no row when it is under none.
CREATE FUNCTION audit.escort_of(vendor uuid)
RETURNS TABLE (escort_id uuid, escort_account_id uuid, scope text, begin_time timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE SET search_path = audit, pg_temp
BEGIN ATOMIC
    SELECT held.escort_id, held.escort_account_id, held.scope, held.begin_time, least(held.end_time, held.alive_until)
    FROM audit.escort AS held JOIN audit.account AS who ON who.account_id = held.escort_account_id
    WHERE held.vendor_account_id = vendor AND held.ended_time IS NULL AND who.state = 'ENABLED'
      AND clock_timestamp() < held.end_time AND clock_timestamp() < held.alive_until
    ORDER BY held.begin_time DESC LIMIT 1;
END;
REVOKE ALL ON FUNCTION audit.escort_of(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.escort_of(uuid) TO audit_app;

CREATE FUNCTION audit.refuse_escort_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'an escort that has ended does not go on' USING ERRCODE = '42501';
END
$$;
REVOKE ALL ON FUNCTION audit.refuse_escort_change() FROM PUBLIC;
CREATE TRIGGER escort_ends_once BEFORE UPDATE ON audit.escort
    FOR EACH ROW WHEN (OLD.ended_time IS NOT NULL OR NEW.alive_until < OLD.alive_until)
    EXECUTE FUNCTION audit.refuse_escort_change();
CREATE TRIGGER escort_stays BEFORE DELETE OR TRUNCATE ON audit.escort
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_escort_change();
CREATE TRIGGER vendor_call_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.vendor_call
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_escort_change();

GRANT SELECT, INSERT, UPDATE (alive_until, ended_time, cut_by) ON audit.escort TO audit_app;
GRANT SELECT, INSERT ON audit.vendor_call TO audit_app;

RESET ROLE;
