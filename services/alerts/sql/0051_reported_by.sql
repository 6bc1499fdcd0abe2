-- Who reported by radio what was done, where a telecommunication centre or a colleague recorded it (ENF-051 IV.D.3);
-- '' when nobody was named. Only of what was done.
SET LOCAL ROLE alerts_owner;

ALTER TABLE alerts.alert_step
    ADD COLUMN reported_by text NOT NULL DEFAULT '' CHECK (length(reported_by) <= 64);
ALTER TABLE alerts.alert_step
    ADD CONSTRAINT only_a_disposition_is_reported CHECK (reported_by = '' OR kind = 3) NOT VALID;

RESET ROLE;
