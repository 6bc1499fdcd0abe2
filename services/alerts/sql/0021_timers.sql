-- What has to be done about an alert in time, and what was not (ENF-051 III.D.4, IV.D.3).
SET LOCAL ROLE alerts_owner;

-- `kind` as alpr.alerts.v1.EscalationKind: 1 the telecommunication centre acknowledges, 2 somebody verifies.
-- `level` is the severity that set it. `round` is 0 from the raising on; a verification that is begun again has the
-- number of that step. Both moments are of this database's clock, so that no replica's clock matters.
-- State: 1 runs, 2 was answered, 3 escalated.
CREATE TABLE alerts.timer (
    timer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alerts.alert,
    kind smallint NOT NULL CHECK (kind IN (1, 2)),
    level smallint NOT NULL CHECK (level BETWEEN 1 AND 3),
    round integer NOT NULL CHECK (round >= 0),
    start_time timestamptz NOT NULL,
    due_time timestamptz NOT NULL CHECK (due_time >= start_time),
    state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 3),
    UNIQUE (alert_id, kind, round, level)
);
CREATE INDEX timer_runs ON alerts.timer (timer_id) WHERE state = 1;
CREATE TRIGGER permanent BEFORE DELETE OR TRUNCATE ON alerts.timer
FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse();
ALTER TABLE alerts.timer ENABLE ALWAYS TRIGGER permanent;
-- However many replicas and whatever their clocks: what has ended does not run again.
CREATE TRIGGER ended BEFORE UPDATE ON alerts.timer
FOR EACH ROW WHEN (OLD.state <> 1 OR NEW.state = 1) EXECUTE FUNCTION alerts.refuse_second_end();
ALTER TABLE alerts.timer ENABLE ALWAYS TRIGGER ended;

-- What was not done in time: once for each kind and round of an alert, whatever the number of its timers.
CREATE TABLE alerts.escalation (
    escalation_id uuid PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alerts.alert,
    kind smallint NOT NULL CHECK (kind IN (1, 2)),
    round integer NOT NULL,
    due_time timestamptz NOT NULL,
    escalate_time timestamptz NOT NULL,
    UNIQUE (alert_id, kind, round)
);
CREATE INDEX escalation_time ON alerts.escalation (escalate_time);
CREATE TRIGGER permanent BEFORE UPDATE OR DELETE OR TRUNCATE ON alerts.escalation
FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse();
ALTER TABLE alerts.escalation ENABLE ALWAYS TRIGGER permanent;

GRANT SELECT, INSERT ON alerts.timer, alerts.escalation TO alerts_app;
GRANT UPDATE (state) ON alerts.timer TO alerts_app;

RESET ROLE;
