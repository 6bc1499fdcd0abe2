-- The unit that the sensor belongs to, for subscriptions (ENF-051 IV.D.1); '' for none, as for hits from before. A sensor's
-- unit never changes, so it needs no place in the key of alert_facet, where the sensor is.
SET LOCAL ROLE alerts_owner;

ALTER TABLE alerts.hit ADD COLUMN sensor_unit text NOT NULL DEFAULT '' CHECK (length(sensor_unit) <= 200);
ALTER TABLE alerts.alert_facet ADD COLUMN sensor_unit text NOT NULL DEFAULT '' CHECK (length(sensor_unit) <= 200);

RESET ROLE;
