-- What people have chosen to hear of (ENF-051 IV.D.1). Every change is a further version; nothing is taken back.
SET LOCAL ROLE alerts_owner;

-- How many changes of subscriptions there were. It stands in the head, so that who reads how far the feed goes also reads
-- which changes came before.
ALTER TABLE alerts.feed_head ADD COLUMN subscription_revision bigint NOT NULL DEFAULT 0 CHECK (subscription_revision >= 0);

CREATE TABLE alerts.subscription_version (
    subscription_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    -- Of feed_head, after this change.
    revision bigint NOT NULL CHECK (revision > 0),
    -- What the feed has from this position on is judged by this version, and what it has before by the one before: so an
    -- alert that is sent again fares as it did, and on every replica alike.
    from_position bigint NOT NULL CHECK (from_position > 0),
    account_id text NOT NULL CHECK (account_id <> ''),
    agency_ori text NOT NULL CHECK (agency_ori ~ '^[A-Z0-9]{9}$'),
    motor_carrier boolean NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    -- alpr.alerts.v1.AlertFilter in the JSON form of protobuf.
    chosen jsonb NOT NULL,
    ended boolean NOT NULL,
    request_id uuid NOT NULL UNIQUE,
    intent_id uuid NOT NULL,
    change_time timestamptz NOT NULL,
    PRIMARY KEY (subscription_id, version)
);
CREATE INDEX subscription_of_account ON alerts.subscription_version (account_id, subscription_id, version DESC);
CREATE INDEX subscription_revision ON alerts.subscription_version (revision);
CREATE TRIGGER permanent BEFORE UPDATE OR DELETE OR TRUNCATE ON alerts.subscription_version
FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse();
ALTER TABLE alerts.subscription_version ENABLE ALWAYS TRIGGER permanent;

GRANT SELECT, INSERT ON alerts.subscription_version TO alerts_app;
GRANT UPDATE (subscription_revision) ON alerts.feed_head TO alerts_app;

RESET ROLE;
