-- Hits and alerts of the Motor Carrier Safety system are a data set of their own (ENF-051 II.H): no alert has hits of both.
SET LOCAL ROLE alerts_owner;

ALTER TABLE alerts.alert ADD COLUMN motor_carrier boolean NOT NULL DEFAULT false;
UPDATE alerts.alert AS a SET motor_carrier = true
 WHERE EXISTS (SELECT FROM alerts.hit AS h WHERE h.alert_id = a.alert_id AND h.source IN (5, 6));
ALTER TABLE alerts.alert ADD CONSTRAINT alert_data_set UNIQUE (alert_id, motor_carrier);

-- The source says it, so that no code can say otherwise.
ALTER TABLE alerts.hit ADD COLUMN motor_carrier boolean NOT NULL GENERATED ALWAYS AS (source IN (5, 6)) STORED;
-- NOT VALID: an alert of before that has hits of both sets stays as it was recorded, and is a Motor Carrier Safety alert.
ALTER TABLE alerts.hit ADD CONSTRAINT hit_data_set FOREIGN KEY (alert_id, motor_carrier)
    REFERENCES alerts.alert (alert_id, motor_carrier) NOT VALID;

GRANT INSERT (motor_carrier) ON alerts.alert TO alerts_app;

RESET ROLE;
