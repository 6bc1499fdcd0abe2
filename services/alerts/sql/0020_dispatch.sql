-- Patrol assets, and what was sent to them (ENF-051 IV.D.3).
SET LOCAL ROLE alerts_owner;

-- A step by the telecommunication centre, and whether the entries were listed when it was taken: all, some, none.
-- Null: a step of before, nobody noted it.
ALTER TABLE alerts.alert_step
    ADD COLUMN by_centre boolean NOT NULL DEFAULT false,
    ADD COLUMN entry_state smallint CHECK (entry_state BETWEEN 1 AND 3);

-- How many entries of the alert are listed still: 1 all, 2 some, 3 none. As alerts.withdrawn_at sees it.
CREATE FUNCTION alerts.entry_state(alert uuid) RETURNS smallint
LANGUAGE sql STABLE SET search_path = alerts, pg_temp
RETURN (
    SELECT CASE count(w.entry_id) WHEN 0 THEN 1 WHEN count(*) THEN 3 ELSE 2 END::smallint
      FROM alerts.alert_entry AS e
     CROSS JOIN LATERAL (
            SELECT h.match_revision FROM alerts.hit AS h
             WHERE h.alert_id = e.alert_id AND h.entry_id = e.entry_id AND h.list_version = e.list_version
             ORDER BY h.capture_time DESC, h.read_id DESC LIMIT 1) AS m
      LEFT JOIN LATERAL (
            SELECT w.entry_id FROM alerts.withdrawal AS w
             WHERE w.entry_id = e.entry_id AND w.match_revision > m.match_revision LIMIT 1) AS w ON true
     WHERE e.alert_id = alert);
REVOKE ALL ON FUNCTION alerts.entry_state(uuid) FROM PUBLIC;

-- A patrol car of a unit. Of where it is only the newest is kept, and nothing when nobody is aboard: how officers
-- drive is not recorded.
CREATE TABLE alerts.asset (
    asset_id uuid PRIMARY KEY,
    request_id uuid NOT NULL UNIQUE,
    intent_id uuid NOT NULL,
    account_id text NOT NULL CHECK (account_id <> ''),
    agency_ori text NOT NULL CHECK (agency_ori ~ '^[A-Z0-9]{9}$'),
    unit text NOT NULL CHECK (length(unit) BETWEEN 1 AND 64),
    call_sign text NOT NULL CHECK (call_sign ~ '^[A-Z0-9-]{1,32}$'),
    register_time timestamptz NOT NULL,
    latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    position_time timestamptz,
    retire_time timestamptz,
    retire_request_id uuid UNIQUE,
    retire_intent_id uuid,
    CHECK ((latitude IS NULL) = (longitude IS NULL) AND (latitude IS NULL) = (position_time IS NULL)),
    CHECK ((retire_time IS NULL) = (retire_intent_id IS NULL) AND (retire_time IS NULL) = (retire_request_id IS NULL))
);
CREATE UNIQUE INDEX asset_in_use ON alerts.asset (agency_ori, call_sign) WHERE retire_time IS NULL;

-- Who was aboard, from when to when. A person is aboard of one asset at most.
CREATE TABLE alerts.asset_crew (
    request_id uuid PRIMARY KEY,
    asset_id uuid NOT NULL REFERENCES alerts.asset,
    intent_id uuid NOT NULL,
    account_id text NOT NULL CHECK (account_id <> ''),
    board_time timestamptz NOT NULL,
    leave_time timestamptz,
    -- Of the leaving, of the boarding of another asset, or of the asset's end.
    leave_intent_id uuid,
    -- Of the leaving alone.
    leave_request_id uuid UNIQUE,
    CHECK ((leave_time IS NULL) = (leave_intent_id IS NULL) AND (leave_time IS NOT NULL OR leave_request_id IS NULL))
);
CREATE UNIQUE INDEX crew_aboard ON alerts.asset_crew (account_id) WHERE leave_time IS NULL;
CREATE INDEX crew_of_asset ON alerts.asset_crew (asset_id) WHERE leave_time IS NULL;

-- What a dispatcher decided: 1 to tell assets of an alert, 2 to call it off.
CREATE TABLE alerts.broadcast (
    broadcast_id uuid PRIMARY KEY,
    request_id uuid NOT NULL UNIQUE,
    intent_id uuid NOT NULL,
    alert_id uuid NOT NULL REFERENCES alerts.alert,
    kind smallint NOT NULL CHECK (kind IN (1, 2)),
    account_id text NOT NULL CHECK (account_id <> ''),
    agency_ori text NOT NULL CHECK (agency_ori ~ '^[A-Z0-9]{9}$'),
    broadcast_time timestamptz NOT NULL
);
CREATE INDEX broadcast_of_alert ON alerts.broadcast (alert_id);

-- Who was told of an alert, once for each asset: the broadcast that told it first, how far away it was then, and
-- whether the service had proposed it. All of them hear of every change.
CREATE TABLE alerts.told_asset (
    alert_id uuid NOT NULL REFERENCES alerts.alert,
    asset_id uuid NOT NULL REFERENCES alerts.asset,
    broadcast_id uuid NOT NULL REFERENCES alerts.broadcast,
    distance_metres double precision CHECK (distance_metres >= 0),
    proposed boolean NOT NULL,
    PRIMARY KEY (alert_id, asset_id)
);

-- A message to an asset; `kind` as alpr.alerts.v1.DeliveryKind. Numbered under the lock of feed_head, so that the order
-- of numbers is the order of commit. `broadcast_id` where a dispatcher sent it, null where a change of the alert did.
CREATE TABLE alerts.delivery (
    delivery_number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id uuid NOT NULL UNIQUE,
    alert_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 8),
    delivery_time timestamptz NOT NULL,
    broadcast_id uuid REFERENCES alerts.broadcast,
    CHECK ((kind IN (1, 8)) = (broadcast_id IS NOT NULL)),
    FOREIGN KEY (alert_id, asset_id) REFERENCES alerts.told_asset
);
CREATE INDEX delivery_of_asset ON alerts.delivery (asset_id, delivery_number DESC);
CREATE INDEX delivery_of_alert ON alerts.delivery (alert_id, asset_id, delivery_number DESC);

-- How far a message has come: 1 the device has it, 2 somebody aboard has seen it. Each once.
CREATE TABLE alerts.delivery_step (
    delivery_id uuid NOT NULL REFERENCES alerts.delivery (delivery_id),
    stage smallint NOT NULL CHECK (stage IN (1, 2)),
    request_id uuid NOT NULL,
    -- Of a person's act; that a device has it is no act.
    intent_id uuid,
    account_id text NOT NULL CHECK (account_id <> ''),
    step_time timestamptz NOT NULL,
    CHECK ((stage = 2) = (intent_id IS NOT NULL)),
    PRIMARY KEY (delivery_id, stage)
);
CREATE INDEX delivery_step_request ON alerts.delivery_step (request_id);

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['broadcast', 'told_asset', 'delivery', 'delivery_step'] LOOP
        EXECUTE format('CREATE TRIGGER permanent BEFORE UPDATE OR DELETE OR TRUNCATE ON alerts.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse()', kept);
        EXECUTE format('ALTER TABLE alerts.%I ENABLE ALWAYS TRIGGER permanent', kept);
    END LOOP;
    FOREACH kept IN ARRAY ARRAY['asset', 'asset_crew'] LOOP
        EXECUTE format('CREATE TRIGGER permanent BEFORE DELETE OR TRUNCATE ON alerts.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse()', kept);
        EXECUTE format('ALTER TABLE alerts.%I ENABLE ALWAYS TRIGGER permanent', kept);
    END LOOP;
END
$$;

-- Who is aboard belongs to the asset's end of service, and an end stays: what was written once is not written over.
CREATE FUNCTION alerts.refuse_second_end() RETURNS trigger
LANGUAGE plpgsql SET search_path = alerts, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'what has ended stays as it ended' USING ERRCODE = 'insufficient_privilege';
END
$$;
REVOKE ALL ON FUNCTION alerts.refuse_second_end() FROM PUBLIC;
CREATE TRIGGER ended BEFORE UPDATE ON alerts.asset
FOR EACH ROW WHEN (OLD.retire_time IS NOT NULL) EXECUTE FUNCTION alerts.refuse_second_end();
ALTER TABLE alerts.asset ENABLE ALWAYS TRIGGER ended;
CREATE TRIGGER ended BEFORE UPDATE ON alerts.asset_crew
FOR EACH ROW WHEN (OLD.leave_time IS NOT NULL) EXECUTE FUNCTION alerts.refuse_second_end();
ALTER TABLE alerts.asset_crew ENABLE ALWAYS TRIGGER ended;

GRANT SELECT, INSERT ON alerts.asset, alerts.asset_crew, alerts.broadcast, alerts.told_asset, alerts.delivery,
    alerts.delivery_step TO alerts_app;
GRANT UPDATE (latitude, longitude, position_time, retire_time, retire_request_id, retire_intent_id)
    ON alerts.asset TO alerts_app;
GRANT UPDATE (leave_time, leave_intent_id, leave_request_id) ON alerts.asset_crew TO alerts_app;
GRANT EXECUTE ON FUNCTION alerts.entry_state(uuid) TO alerts_app;

RESET ROLE;
