-- That the crew of a patrol asset is on the way after a message (ENF-051 IV.D.3): stage 3 of alpr.alerts.v1.DeliveryStage,
-- once for each message. Beside delivery_step, whose stages the release before knows.
SET LOCAL ROLE alerts_owner;

CREATE TABLE alerts.en_route (
    delivery_id uuid PRIMARY KEY REFERENCES alerts.delivery (delivery_id),
    request_id uuid NOT NULL UNIQUE,
    intent_id uuid NOT NULL,
    account_id text NOT NULL CHECK (account_id <> ''),
    step_time timestamptz NOT NULL
);
CREATE TRIGGER permanent BEFORE UPDATE OR DELETE OR TRUNCATE ON alerts.en_route
FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse();
ALTER TABLE alerts.en_route ENABLE ALWAYS TRIGGER permanent;

GRANT SELECT, INSERT ON alerts.en_route TO alerts_app;

RESET ROLE;
