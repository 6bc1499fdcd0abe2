-- Hits, alerts, what people did, the feed and the outbox. Everything is permanent (ENF-051 IV.E.2): alerts_app may
-- insert and read; it may update only the two head rows, and delete nothing.
SET LOCAL ROLE alerts_owner;

-- One row. Its lock makes commit order equal feed order, for every replica: a reader that remembers the last position
-- it saw never skips one, which a sequence cannot promise, for it hands out numbers before commit.
CREATE TABLE alerts.feed_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- Begins as the millisecond of creation, so that a token of a feed that was thrown away fits no later one.
    epoch bigint NOT NULL CHECK (epoch > 0),
    next_position bigint NOT NULL CHECK (next_position > 0),
    resync_from timestamptz NOT NULL
);
INSERT INTO alerts.feed_head (epoch, next_position, resync_from)
VALUES ((extract(epoch FROM clock_timestamp()) * 1000)::bigint, 1, clock_timestamp());

-- An alert: one passage of a plate. The lower columns say how far it is; only the trigger on alert_step changes them.
CREATE TABLE alerts.alert (
    alert_id uuid PRIMARY KEY,
    plate text NOT NULL CHECK (plate ~ '^[A-Z0-9]{1,12}$'),
    sensor_agency_ori text NOT NULL CHECK (sensor_agency_ori ~ '^[A-Z0-9]{9}$'),
    raise_time timestamptz NOT NULL,
    acknowledged boolean NOT NULL DEFAULT false,
    verification_state smallint NOT NULL DEFAULT 1 CHECK (verification_state BETWEEN 1 AND 7),
    confirmation_step integer CHECK ((confirmation_step IS NOT NULL) = (verification_state = 3)),
    disposition smallint NOT NULL DEFAULT 0 CHECK (disposition BETWEEN 0 AND 6),
    enforced boolean NOT NULL DEFAULT false,
    step_count integer NOT NULL DEFAULT 0
);

-- A hit: a read that matched an entry, with its own copy of both, so that the purge of the read takes nothing.
-- Read and entry are repeated for each pair on purpose: two reads that claim one id each keep what they said.
CREATE TABLE alerts.hit (
    read_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    list_version bigint NOT NULL,
    alert_id uuid NOT NULL REFERENCES alerts.alert,
    hit_time timestamptz NOT NULL,
    plate text NOT NULL CHECK (plate ~ '^[A-Z0-9]{1,12}$'),
    state text NOT NULL,
    capture_time timestamptz NOT NULL,
    receive_time timestamptz NOT NULL,
    latitude double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    place_description text NOT NULL,
    sensor_id text NOT NULL,
    sensor_agency_ori text NOT NULL CHECK (sensor_agency_ori ~ '^[A-Z0-9]{9}$'),
    sensor_group text NOT NULL,
    model_version text NOT NULL,
    -- Where the sealed pictures lie in the object store; empty when the read came without one.
    crop_key text NOT NULL,
    overview_key text NOT NULL,
    hot_list_id uuid NOT NULL,
    hot_list_name text NOT NULL,
    list_agency_ori text NOT NULL CHECK (list_agency_ori ~ '^[A-Z0-9]{9}$'),
    list_activated_at timestamptz NOT NULL,
    source smallint NOT NULL CHECK (source BETWEEN 1 AND 4),
    category smallint NOT NULL CHECK (category BETWEEN 1 AND 11),
    listed_plate text NOT NULL,
    listed_state text NOT NULL,
    record_number text NOT NULL,
    vehicle_year text NOT NULL,
    vehicle_make text NOT NULL,
    vehicle_model text NOT NULL,
    vehicle_style text NOT NULL,
    vehicle_color text NOT NULL,
    match_probability double precision NOT NULL CHECK (match_probability BETWEEN 0 AND 1),
    warnings smallint[] NOT NULL,
    PRIMARY KEY (read_id, entry_id, list_version)
);
CREATE INDEX hit_passage ON alerts.hit (plate, sensor_agency_ori, capture_time);
CREATE INDEX hit_newest ON alerts.hit (alert_id, capture_time DESC, read_id DESC);
CREATE INDEX hit_entry_newest ON alerts.hit (alert_id, entry_id, list_version, capture_time DESC, read_id DESC);

-- The distinct entries of an alert: a car that stands in view for hours has thousands of hits and one row here.
CREATE TABLE alerts.alert_entry (
    alert_id uuid NOT NULL REFERENCES alerts.alert,
    entry_id uuid NOT NULL,
    list_version bigint NOT NULL,
    PRIMARY KEY (alert_id, entry_id, list_version)
);

-- What people did. `verified_state` is set by verifications only, `disposition` by dispositions only.
CREATE TABLE alerts.alert_step (
    alert_id uuid NOT NULL REFERENCES alerts.alert,
    step_number integer NOT NULL CHECK (step_number > 0),
    request_id uuid NOT NULL UNIQUE,
    intent_id uuid NOT NULL,
    step_time timestamptz NOT NULL,
    account_id text NOT NULL CHECK (account_id <> ''),
    agency_ori text NOT NULL CHECK (agency_ori <> ''),
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 3),
    verified_state smallint CHECK (verified_state BETWEEN 2 AND 7),
    disposition smallint CHECK (disposition BETWEEN 1 AND 6),
    system text NOT NULL,
    response_id text NOT NULL,
    report_number text NOT NULL,
    -- The confirmation that an enforcement rests on; always 3 (CONFIRMED) where it is set.
    confirmation_step integer,
    confirmation_state smallint CHECK (confirmation_state = 3),
    PRIMARY KEY (alert_id, step_number),
    UNIQUE (alert_id, step_number, verified_state),
    CHECK ((kind = 2) = (verified_state IS NOT NULL)),
    CHECK ((kind = 3) = (disposition IS NOT NULL)),
    -- Who, when, system and response id (III.D.4): all decisions but MISREAD name who answered.
    CONSTRAINT decision_names_its_answer
        CHECK (verified_state IS NULL OR verified_state IN (2, 5) OR (system <> '' AND response_id <> '')),
    -- STOPPED, ARREST, RECOVERED.
    CONSTRAINT enforcement_cites_a_confirmation
        CHECK ((coalesce(disposition, 0) IN (1, 2, 3))
               = (confirmation_step IS NOT NULL AND confirmation_state IS NOT NULL)),
    CHECK ((confirmation_step IS NULL) = (confirmation_state IS NULL)),
    CONSTRAINT the_confirmation_is_recorded FOREIGN KEY (alert_id, confirmation_step, confirmation_state)
        REFERENCES alerts.alert_step (alert_id, step_number, verified_state)
);

-- Gapless over all epochs; positions never come twice.
CREATE TABLE alerts.feed (
    position bigint PRIMARY KEY CHECK (position > 0),
    alert_id uuid NOT NULL REFERENCES alerts.alert,
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 2),
    feed_time timestamptz NOT NULL
);
CREATE INDEX feed_time ON alerts.feed (feed_time);

-- What the log of the audit service has yet to hear: events, and outcomes of intents (`subject_id`, `result`).
-- Rows are inserted under the lock of feed_head, so that the identity runs in commit order here.
CREATE TABLE alerts.outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id uuid NOT NULL UNIQUE,
    action text NOT NULL,
    resource text NOT NULL CHECK (length(resource) <= 200),
    agency_ori text NOT NULL,
    event_time timestamptz NOT NULL,
    details jsonb NOT NULL,
    subject_id uuid,
    result smallint CHECK (result IN (1, 2)),
    CHECK ((subject_id IS NULL) = (result IS NULL))
);
CREATE TABLE alerts.outbox_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    recorded_through bigint NOT NULL
);
INSERT INTO alerts.outbox_head (recorded_through) VALUES (0);
