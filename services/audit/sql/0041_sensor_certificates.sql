-- Where sensors stand and since when (ENF-051 II.C, II.I, IV.C.4), with which certificates they come (III.B.3.h), and who did
-- what about them.
SET LOCAL ROLE audit_owner;

ALTER TABLE audit.sensor ADD COLUMN vehicle text NOT NULL DEFAULT '' CHECK (length(vehicle) <= 40);
CREATE TABLE audit.placement (
    placement_id uuid             PRIMARY KEY,
    sensor_id    text             NOT NULL REFERENCES audit.sensor,
    latitude     double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude    double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    description  text             NOT NULL CHECK (length(description) <= 200),
    start_time   timestamptz      NOT NULL,
    end_time     timestamptz      CHECK (end_time >= start_time),
    intent_id    uuid             NOT NULL
);
CREATE INDEX placement_by_sensor ON audit.placement (sensor_id, start_time);
-- What was approved for portable sensors until now was approved for the place that they were registered with.
INSERT INTO audit.placement (placement_id, sensor_id, latitude, longitude, description, start_time, end_time, intent_id)
SELECT gen_random_uuid(), sensor_id, latitude, longitude, description, approved_from, approved_until, intent_id
FROM audit.sensor WHERE deployment_type = 'PORTABLE' AND approved_from IS NOT NULL;

-- A fixed camera's move: whose work it was, and who stood beside it.
CREATE TABLE audit.survey (
    intent_id  uuid        PRIMARY KEY,
    sensor_id  text        NOT NULL REFERENCES audit.sensor,
    work_time  timestamptz NOT NULL,
    work_order text        NOT NULL CHECK (length(work_order) BETWEEN 1 AND 100),
    escort_id  uuid        NOT NULL REFERENCES audit.escort
);

-- The one way in which a fixed camera's place changes: the vendor's work, under an escort of its agency that lasted at that time.
-- The place before it is kept, from when the last one before that ended or the sensor was approved.
CREATE FUNCTION audit.record_survey(
    intent uuid, sensor text, north double precision, east double precision, words text, done timestamptz,
    ordered text, escorted uuid
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
    held audit.sensor;
BEGIN
    SELECT * INTO STRICT held FROM audit.sensor AS one WHERE one.sensor_id = sensor FOR UPDATE;
    IF held.deployment_type <> 'FIXED' OR done > clock_timestamp() OR NOT EXISTS (
        SELECT FROM audit.escort AS stood
        WHERE stood.escort_id = escorted AND stood.agency_ori = held.agency_ori AND stood.begin_time <= done
          AND done <= coalesce(stood.ended_time, least(stood.end_time, stood.alive_until))
    ) THEN
        RAISE EXCEPTION 'no camera moves without a work order under escort' USING ERRCODE = '42501';
    END IF;
    INSERT INTO audit.placement
        (placement_id, sensor_id, latitude, longitude, description, start_time, end_time, intent_id)
    SELECT intent, held.sensor_id, held.latitude, held.longitude, held.description,
           coalesce(max(before.end_time), least(held.approved_from, done), done), done, intent
    FROM audit.placement AS before WHERE before.sensor_id = held.sensor_id;
    INSERT INTO audit.survey (intent_id, sensor_id, work_time, work_order, escort_id)
    VALUES (intent, held.sensor_id, done, ordered, escorted);
    UPDATE audit.sensor AS one SET latitude = north, longitude = east, description = words
    WHERE one.sensor_id = held.sensor_id;
END
$$;
REVOKE ALL ON FUNCTION audit.record_survey(uuid, text, double precision, double precision, text, timestamptz, text, uuid)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.record_survey(uuid, text, double precision, double precision, text, timestamptz, text, uuid)
    TO audit_app;

CREATE TABLE audit.sensor_certificate (
    certificate_id uuid        PRIMARY KEY,
    sensor_id      text        NOT NULL REFERENCES audit.sensor,
    sha256         bytea       NOT NULL UNIQUE CHECK (length(sha256) = 32),
    key_sha256     bytea       NOT NULL CHECK (length(key_sha256) = 32),
    pem            text        NOT NULL CHECK (length(pem) <= 16384),
    start_time     timestamptz NOT NULL,
    end_time       timestamptz NOT NULL CHECK (end_time > start_time),
    revoke_time    timestamptz,
    reason         text        CHECK (length(reason) BETWEEN 1 AND 500),
    intent_id      uuid        NOT NULL,
    CHECK ((revoke_time IS NULL) = (reason IS NULL))
);
CREATE INDEX sensor_certificate_by_sensor ON audit.sensor_certificate (sensor_id, end_time);
CREATE INDEX sensor_certificate_by_key ON audit.sensor_certificate (key_sha256);
CREATE INDEX sensor_certificate_by_end ON audit.sensor_certificate (end_time) WHERE revoke_time IS NULL;

CREATE TABLE audit.sensor_act (
    intent_id  uuid        PRIMARY KEY,
    sensor_id  text        NOT NULL REFERENCES audit.sensor,
    action     text        NOT NULL CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    account_id uuid        NOT NULL REFERENCES audit.account,
    act_time   timestamptz NOT NULL
);
CREATE INDEX sensor_act_by_sensor ON audit.sensor_act (sensor_id, act_time);

CREATE TRIGGER placement_ends_once BEFORE UPDATE ON audit.placement
    FOR EACH ROW WHEN (OLD.end_time <= clock_timestamp()) EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER placement_stays BEFORE DELETE OR TRUNCATE ON audit.placement
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER survey_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.survey
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();
-- What was revoked is never good again.
CREATE TRIGGER sensor_certificate_is_revoked_once BEFORE UPDATE ON audit.sensor_certificate
    FOR EACH ROW WHEN (OLD.revoke_time IS NOT NULL) EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER sensor_certificate_stays BEFORE DELETE OR TRUNCATE ON audit.sensor_certificate
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER sensor_act_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.sensor_act
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();

GRANT SELECT, INSERT, UPDATE (end_time) ON audit.placement TO audit_app;
GRANT SELECT ON audit.survey TO audit_app;
GRANT SELECT, INSERT ON audit.sensor_act TO audit_app;
GRANT SELECT, INSERT, UPDATE (revoke_time, reason) ON audit.sensor_certificate TO audit_app;

RESET ROLE;
