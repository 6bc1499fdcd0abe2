-- What lists of alerts walk along, so that a page costs as many rows as it has: alerts of the agency's own cameras, and
-- those of other agencies' cameras that its lists are in.
SET LOCAL ROLE alerts_owner;

CREATE INDEX alert_of_cameras ON alerts.alert (sensor_agency_ori, motor_carrier, raise_time DESC, alert_id DESC);
CREATE INDEX alert_plate ON alerts.alert (plate);
CREATE INDEX hit_of_others_cameras ON alerts.hit (list_agency_ori, alert_id) WHERE list_agency_ori <> sensor_agency_ori;

RESET ROLE;
