-- What LEADS and NCIC answered about entries of alerts through a connector, and which steps rest on it (ENF-051 III.D.4).
SET LOCAL ROLE alerts_owner;

-- `answer` as in alpr.connector.v1.RecordAnswer.
CREATE TABLE alerts.record_check (
    check_id uuid PRIMARY KEY,
    request_id uuid NOT NULL,
    alert_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    list_version bigint NOT NULL,
    intent_id uuid NOT NULL UNIQUE,
    account_id text NOT NULL CHECK (account_id <> ''),
    agency_ori text NOT NULL CHECK (agency_ori <> ''),
    answer smallint NOT NULL CHECK (answer BETWEEN 1 AND 4),
    system text NOT NULL CHECK (system <> ''),
    response_id text NOT NULL CHECK (response_id <> ''),
    answer_time timestamptz NOT NULL,
    UNIQUE (account_id, request_id),
    UNIQUE (check_id, alert_id),
    FOREIGN KEY (alert_id, entry_id, list_version) REFERENCES alerts.alert_entry
);

-- A step rests on an answer about its own alert.
CREATE TABLE alerts.step_check (
    alert_id uuid NOT NULL,
    step_number integer NOT NULL,
    check_id uuid NOT NULL,
    PRIMARY KEY (alert_id, step_number),
    FOREIGN KEY (alert_id, step_number) REFERENCES alerts.alert_step,
    FOREIGN KEY (check_id, alert_id) REFERENCES alerts.record_check (check_id, alert_id)
);

-- No login can let an answer bear out what it does not: 1 in force -> 3 CONFIRMED, 2 no record -> 4 NOT_CONFIRMED,
-- 3 cleared -> 7 STALE, 4 another state -> 6 WRONG_STATE; nor say another system or response id than answered.
CREATE FUNCTION alerts.check_step_check() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = alerts, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM alerts.record_check c JOIN alerts.alert_step s USING (alert_id)
        WHERE c.check_id = NEW.check_id AND s.alert_id = NEW.alert_id AND s.step_number = NEW.step_number
          AND s.verified_state = (ARRAY[3, 4, 7, 6])[c.answer]
          AND s.system = c.system AND s.response_id = c.response_id AND s.agency_ori = c.agency_ori)
    THEN
        RAISE EXCEPTION 'the answer does not bear out the step' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION alerts.check_step_check() FROM PUBLIC;
CREATE TRIGGER check_step_check BEFORE INSERT ON alerts.step_check
FOR EACH ROW EXECUTE FUNCTION alerts.check_step_check();
ALTER TABLE alerts.step_check ENABLE ALWAYS TRIGGER check_step_check;

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['record_check', 'step_check'] LOOP
        EXECUTE format('CREATE TRIGGER permanent BEFORE UPDATE OR DELETE OR TRUNCATE ON alerts.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse()', kept);
        EXECUTE format('ALTER TABLE alerts.%I ENABLE ALWAYS TRIGGER permanent', kept);
        EXECUTE format('GRANT SELECT, INSERT ON alerts.%I TO alerts_app', kept);
    END LOOP;
END
$$;

RESET ROLE;
