-- The hits of an alert as subscriptions see them (ENF-051 IV.D.1), equal ones once: a car that stands in view for hours has
-- thousands of hits and few rows here. Places are rounded to about ten metres. A row never goes, so that an alert which
-- passed a filter passes it for ever.
SET LOCAL ROLE alerts_owner;

CREATE TABLE alerts.alert_facet (
    alert_id uuid NOT NULL REFERENCES alerts.alert,
    entry_id uuid NOT NULL,
    list_version bigint NOT NULL,
    sensor_id text NOT NULL,
    sensor_group text NOT NULL,
    latitude double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    percent smallint NOT NULL CHECK (percent BETWEEN 0 AND 100),
    severity smallint NOT NULL CHECK (severity BETWEEN 1 AND 3),
    PRIMARY KEY (alert_id, entry_id, list_version, sensor_id, latitude, longitude, percent, severity)
);
CREATE TRIGGER permanent BEFORE UPDATE OR DELETE OR TRUNCATE ON alerts.alert_facet
FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse();
ALTER TABLE alerts.alert_facet ENABLE ALWAYS TRIGGER permanent;

INSERT INTO alerts.alert_facet
SELECT alert_id, entry_id, list_version, sensor_id, sensor_group,
       round(latitude::numeric, 4), round(longitude::numeric, 4),
       floor(match_probability * 100 + 1e-6),
       -- Check only; else felony, stolen, AMBER and SILVER, at most HIGH when captured long before; wanted, missing; others.
       CASE WHEN match_grade = 2 THEN 1
            WHEN category IN (1, 2, 3, 6, 7) THEN CASE WHEN 5 = ANY (warnings) THEN 2 ELSE 3 END
            WHEN category IN (4, 5) THEN 2
            ELSE 1 END
  FROM alerts.hit
    ON CONFLICT DO NOTHING;

GRANT SELECT, INSERT ON alerts.alert_facet TO alerts_app;

RESET ROLE;
