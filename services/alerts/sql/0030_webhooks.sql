-- Webhooks: who set them up and who approved them, how far each has come, and what became of every message
-- (ENF-051 III.B.3.m, IV.D.3). What was set up and what was posted is permanent; only the cursor moves.
SET LOCAL ROLE alerts_owner;

-- `format` as in alpr.alerts.v1.WebhookFormat. An address may carry a key of the receiver's: it is for its agency alone.
CREATE TABLE alerts.webhook (
    webhook_id uuid PRIMARY KEY,
    request_id uuid NOT NULL UNIQUE,
    intent_id uuid NOT NULL UNIQUE,
    agency_ori text NOT NULL CHECK (agency_ori ~ '^[A-Z0-9]{9}$'),
    owner_id text NOT NULL CHECK (owner_id <> ''),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    url text NOT NULL CHECK (length(url) <= 500 AND url LIKE 'https://%'),
    format smallint NOT NULL CHECK (format BETWEEN 1 AND 2),
    -- alpr.alerts.v1.AlertFilter in the JSON form of protobuf.
    chosen jsonb NOT NULL,
    create_time timestamptz NOT NULL
);
CREATE INDEX webhook_of_agency ON alerts.webhook (agency_ori, create_time);

-- What was done about a webhook after its proposal: 2 approved, 3 ended; once each.
CREATE TABLE alerts.webhook_act (
    webhook_id uuid NOT NULL REFERENCES alerts.webhook,
    kind smallint NOT NULL CHECK (kind BETWEEN 2 AND 3),
    request_id uuid NOT NULL UNIQUE,
    intent_id uuid NOT NULL UNIQUE,
    account_id text NOT NULL CHECK (account_id <> ''),
    agency_ori text NOT NULL,
    act_time timestamptz NOT NULL,
    PRIMARY KEY (webhook_id, kind)
);

-- Signing secrets, sealed with a key that the database does not have. The newest one signs, and for a day the one before.
CREATE TABLE alerts.webhook_secret (
    webhook_id uuid NOT NULL REFERENCES alerts.webhook,
    secret_number integer NOT NULL CHECK (secret_number > 0),
    request_id uuid NOT NULL UNIQUE,
    intent_id uuid NOT NULL UNIQUE,
    sealed bytea NOT NULL,
    from_time timestamptz NOT NULL,
    PRIMARY KEY (webhook_id, secret_number)
);

-- How far an approved webhook has come. One replica at a time holds it, until `held_until` by the database's clock;
-- it moves the cursor only while it does.
CREATE TABLE alerts.webhook_cursor (
    webhook_id uuid PRIMARY KEY REFERENCES alerts.webhook,
    epoch bigint NOT NULL,
    position bigint NOT NULL CHECK (position >= 0),
    sequence bigint NOT NULL DEFAULT 0 CHECK (sequence >= 0),
    tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    failure smallint NOT NULL DEFAULT 0,
    status integer NOT NULL DEFAULT 0,
    next_try timestamptz,
    halt_time timestamptz,
    holder uuid,
    held_until timestamptz NOT NULL DEFAULT '-infinity'
);

-- Every message, in the order of its webhook: 1 taken by the receiver, 2 given up.
CREATE TABLE alerts.webhook_message (
    webhook_id uuid NOT NULL REFERENCES alerts.webhook,
    sequence bigint NOT NULL CHECK (sequence > 0),
    event_id uuid NOT NULL,
    epoch bigint NOT NULL,
    position bigint NOT NULL,
    alert_id uuid NOT NULL REFERENCES alerts.alert,
    event_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    outcome smallint NOT NULL CHECK (outcome BETWEEN 1 AND 2),
    tries integer NOT NULL CHECK (tries >= 0),
    failure smallint NOT NULL CHECK ((failure = 0) = (outcome = 1)),
    status integer NOT NULL,
    PRIMARY KEY (webhook_id, sequence)
);
CREATE INDEX webhook_message_dead ON alerts.webhook_message (webhook_id, sequence) WHERE outcome = 2;
-- What was posted of an alert before, for the references of CAP.
CREATE INDEX webhook_message_of_alert ON alerts.webhook_message (webhook_id, alert_id, sequence);

-- Dead letters that somebody wants posted once more; `end_time` is null while one waits.
CREATE TABLE alerts.webhook_retry (
    webhook_id uuid NOT NULL,
    sequence bigint NOT NULL,
    retry_number integer NOT NULL CHECK (retry_number > 0),
    request_id uuid NOT NULL,
    intent_id uuid NOT NULL,
    request_time timestamptz NOT NULL,
    PRIMARY KEY (webhook_id, sequence, retry_number),
    FOREIGN KEY (webhook_id, sequence) REFERENCES alerts.webhook_message
);
CREATE INDEX webhook_retry_request ON alerts.webhook_retry (request_id);
CREATE TABLE alerts.webhook_retry_end (
    webhook_id uuid NOT NULL,
    sequence bigint NOT NULL,
    retry_number integer NOT NULL,
    end_time timestamptz NOT NULL,
    outcome smallint NOT NULL CHECK (outcome BETWEEN 1 AND 2),
    failure smallint NOT NULL CHECK ((failure = 0) = (outcome = 1)),
    status integer NOT NULL,
    PRIMARY KEY (webhook_id, sequence, retry_number),
    FOREIGN KEY (webhook_id, sequence, retry_number) REFERENCES alerts.webhook_retry
);

-- That alerts leave is decided by two people of one agency, whoever writes the SQL; and what ended stays so.
CREATE FUNCTION alerts.check_webhook_act() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = alerts, pg_temp AS $$
DECLARE
    hook alerts.webhook%ROWTYPE;
BEGIN
    SELECT * INTO STRICT hook FROM alerts.webhook WHERE webhook_id = NEW.webhook_id FOR UPDATE;
    IF NEW.agency_ori <> hook.agency_ori THEN
        RAISE EXCEPTION 'a webhook is its own agency''s' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.kind = 2 AND NEW.account_id = hook.owner_id THEN
        RAISE EXCEPTION 'nobody approves a webhook of his own' USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT FROM alerts.webhook_act WHERE webhook_id = NEW.webhook_id AND kind = 3) THEN
        RAISE EXCEPTION 'the webhook has ended' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION alerts.check_webhook_act() FROM PUBLIC;
CREATE TRIGGER check_webhook_act BEFORE INSERT ON alerts.webhook_act
FOR EACH ROW EXECUTE FUNCTION alerts.check_webhook_act();
ALTER TABLE alerts.webhook_act ENABLE ALWAYS TRIGGER check_webhook_act;

-- A cursor begins with the approval, so nothing can be posted before it.
CREATE FUNCTION alerts.check_webhook_cursor() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = alerts, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM alerts.webhook_act WHERE webhook_id = NEW.webhook_id AND kind = 2) THEN
        RAISE EXCEPTION 'the webhook is not approved' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION alerts.check_webhook_cursor() FROM PUBLIC;
CREATE TRIGGER check_webhook_cursor BEFORE INSERT ON alerts.webhook_cursor
FOR EACH ROW EXECUTE FUNCTION alerts.check_webhook_cursor();
ALTER TABLE alerts.webhook_cursor ENABLE ALWAYS TRIGGER check_webhook_cursor;

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['webhook', 'webhook_act', 'webhook_secret', 'webhook_message', 'webhook_retry',
                                'webhook_retry_end'] LOOP
        EXECUTE format('CREATE TRIGGER permanent BEFORE UPDATE OR DELETE OR TRUNCATE ON alerts.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse()', kept);
        EXECUTE format('ALTER TABLE alerts.%I ENABLE ALWAYS TRIGGER permanent', kept);
        EXECUTE format('GRANT SELECT, INSERT ON alerts.%I TO alerts_app', kept);
    END LOOP;
END
$$;
GRANT SELECT, INSERT ON alerts.webhook_cursor TO alerts_app;
GRANT UPDATE (epoch, position, sequence, tries, failure, status, next_try, halt_time, holder, held_until)
    ON alerts.webhook_cursor TO alerts_app;

RESET ROLE;
