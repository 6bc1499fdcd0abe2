-- What the database itself insists on, whoever writes the SQL.
SET LOCAL ROLE alerts_owner;

-- Checks that a step follows from the state of its alert (ENF-051 III.D.4, IV.D.4), then brings the alert up to it.
-- Runs as the owner because alerts_app may not update an alert: its state cannot be set but by a recorded step.
CREATE FUNCTION alerts.take_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = alerts, pg_temp AS $$
DECLARE
    present alerts.alert%ROWTYPE;
BEGIN
    SELECT * INTO STRICT present FROM alerts.alert WHERE alert_id = NEW.alert_id FOR UPDATE;
    IF NEW.step_number <> present.step_count + 1 THEN
        RAISE EXCEPTION 'steps are numbered without a gap' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.kind = 2 AND present.enforced THEN
        RAISE EXCEPTION 'verification is closed by an enforcement' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.kind = 2 AND (NEW.verified_state = 2) = (present.verification_state = 2) THEN
        RAISE EXCEPTION 'a decision follows VERIFYING, and VERIFYING a decision or nothing'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.disposition IN (1, 2, 3) AND present.confirmation_step IS DISTINCT FROM NEW.confirmation_step THEN
        RAISE EXCEPTION 'an enforcement rests on the present confirmation' USING ERRCODE = 'check_violation';
    END IF;
    UPDATE alerts.alert SET
        step_count = NEW.step_number,
        acknowledged = true,
        verification_state = coalesce(NEW.verified_state, present.verification_state),
        confirmation_step = CASE
            WHEN NEW.verified_state IS NULL THEN present.confirmation_step
            WHEN NEW.verified_state = 3 THEN NEW.step_number
        END,
        disposition = coalesce(NEW.disposition, present.disposition),
        enforced = present.enforced OR coalesce(NEW.disposition IN (1, 2, 3), false)
    WHERE alert_id = NEW.alert_id;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION alerts.take_step() FROM PUBLIC;

CREATE TRIGGER take_step BEFORE INSERT ON alerts.alert_step
FOR EACH ROW EXECUTE FUNCTION alerts.take_step();
ALTER TABLE alerts.alert_step ENABLE ALWAYS TRIGGER take_step;

-- Permanent means permanent for the owner too (IV.E.2): a slip in a migration or at a prompt fails loudly.
CREATE FUNCTION alerts.refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = alerts, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'records of hits and alerts are permanent' USING ERRCODE = 'insufficient_privilege';
END
$$;
REVOKE ALL ON FUNCTION alerts.refuse() FROM PUBLIC;

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['hit', 'alert_entry', 'alert_step', 'feed', 'outbox'] LOOP
        EXECUTE format('CREATE TRIGGER permanent BEFORE UPDATE OR DELETE OR TRUNCATE ON alerts.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse()', kept);
        EXECUTE format('ALTER TABLE alerts.%I ENABLE ALWAYS TRIGGER permanent', kept);
    END LOOP;
END
$$;
CREATE TRIGGER permanent BEFORE DELETE OR TRUNCATE ON alerts.alert
FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse();
ALTER TABLE alerts.alert ENABLE ALWAYS TRIGGER permanent;

-- After a restore positions that were given out before may be missing or mean something else. Run by the operator
-- (as alerts_owner) before the service starts again: old resume tokens then get EPOCH_CHANGED with `resync_from`.
CREATE FUNCTION alerts.begin_epoch(restored_to timestamptz) RETURNS bigint
LANGUAGE sql SET search_path = alerts, pg_temp AS $$
    UPDATE alerts.feed_head
    SET epoch = greatest(epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint), resync_from = restored_to
    RETURNING epoch
$$;
REVOKE ALL ON FUNCTION alerts.begin_epoch(timestamptz) FROM PUBLIC;

GRANT USAGE ON SCHEMA alerts TO alerts_app;
GRANT SELECT ON alerts.feed_head, alerts.alert, alerts.hit, alerts.alert_entry, alerts.alert_step, alerts.feed,
    alerts.outbox, alerts.outbox_head TO alerts_app;
GRANT INSERT (alert_id, plate, sensor_agency_ori, raise_time) ON alerts.alert TO alerts_app;
GRANT INSERT ON alerts.hit, alerts.alert_entry, alerts.alert_step, alerts.feed, alerts.outbox TO alerts_app;
GRANT UPDATE (next_position) ON alerts.feed_head TO alerts_app;
GRANT UPDATE (recorded_through) ON alerts.outbox_head TO alerts_app;
