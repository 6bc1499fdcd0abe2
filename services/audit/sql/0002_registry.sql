-- Who and what may act. Each row names the log entry that let it be (intent_id); the log holds the history.
SET LOCAL ROLE audit_owner;

CREATE TABLE audit.agency (
    ori           text   PRIMARY KEY CHECK (ori ~ '^[A-Z0-9]{9}$'),
    name          text   NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    email_domains text[] NOT NULL CHECK (cardinality(email_domains) BETWEEN 1 AND 20),
    intent_id     uuid   NOT NULL
);

CREATE TABLE audit.account (
    account_id   uuid PRIMARY KEY,
    issuer       text NOT NULL,
    subject      text NOT NULL,
    full_name    text NOT NULL,
    badge_number text NOT NULL,
    email        text NOT NULL,
    agency_ori   text NOT NULL REFERENCES audit.agency,
    unit         text NOT NULL,
    state        text NOT NULL CHECK (state IN ('PENDING', 'ENABLED', 'SUSPENDED')),
    intent_id    uuid NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE INDEX account_by_name ON audit.account (agency_ori, full_name, account_id);

CREATE TABLE audit.account_role (
    account_id uuid NOT NULL REFERENCES audit.account,
    role       text NOT NULL CHECK (role ~ '^[A-Z_]+$'),
    intent_id  uuid NOT NULL,
    PRIMARY KEY (account_id, role)
);

CREATE TABLE audit.certification (
    intent_id   uuid        NOT NULL,
    account_id  uuid        NOT NULL REFERENCES audit.account,
    kind        text        NOT NULL CHECK (kind ~ '^[A-Z_]+$'),
    valid_from  timestamptz NOT NULL,
    valid_until timestamptz NOT NULL CHECK (valid_until > valid_from),
    reference   text        NOT NULL CHECK (length(reference) BETWEEN 1 AND 200),
    PRIMARY KEY (account_id, kind, intent_id)
);

CREATE TABLE audit.sensor (
    sensor_id       text             PRIMARY KEY CHECK (sensor_id ~ '^[a-z0-9-]{3,63}$'),
    agency_ori      text             NOT NULL REFERENCES audit.agency,
    sensor_group    text             NOT NULL CHECK (sensor_group ~ '^[a-z0-9-]{1,63}$'),
    deployment_type text             NOT NULL CHECK (deployment_type IN ('FIXED', 'MOBILE', 'PORTABLE')),
    latitude        double precision NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude       double precision NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    description     text             NOT NULL CHECK (length(description) <= 200),
    provenance      text             NOT NULL CHECK (provenance IN ('OWN', 'PARTNER', 'COMMERCIAL')),
    status          text             NOT NULL CHECK (status IN ('REGISTERED', 'APPROVED', 'SUSPENDED')),
    approved_from   timestamptz,
    approved_until  timestamptz      CHECK (approved_until > approved_from),
    revision        bigint           NOT NULL,
    intent_id       uuid             NOT NULL,
    CHECK (status <> 'APPROVED' OR approved_from IS NOT NULL)
);
CREATE INDEX sensor_by_revision ON audit.sensor (revision);
CREATE INDEX sensor_by_agency ON audit.sensor (agency_ori, sensor_id);

-- One row that every change locks: revisions have no gaps, and watchers compare two numbers.
CREATE TABLE audit.registry_head (
    one              boolean PRIMARY KEY DEFAULT true CHECK (one),
    account_revision bigint  NOT NULL DEFAULT 0,
    sensor_revision  bigint  NOT NULL DEFAULT 0
);
INSERT INTO audit.registry_head DEFAULT VALUES;

-- Intents that have been carried out; the row is written in the transaction of the change itself, so that a
-- request that comes again is not carried out twice.
CREATE TABLE audit.change (
    intent_id uuid        PRIMARY KEY,
    made_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- System-wide settings (IV.E.1.a). The service only reads them.
CREATE TABLE audit.setting (
    name  text PRIMARY KEY,
    value text NOT NULL
);
INSERT INTO audit.setting (name, value) VALUES ('retention_days', '90');

GRANT SELECT, INSERT ON audit.agency, audit.certification, audit.change TO audit_app;
GRANT SELECT, INSERT, UPDATE (state) ON audit.account TO audit_app;
GRANT SELECT, INSERT, DELETE ON audit.account_role TO audit_app;
GRANT SELECT, INSERT, UPDATE (status, approved_from, approved_until, revision) ON audit.sensor TO audit_app;
GRANT SELECT, UPDATE (account_revision, sensor_revision) ON audit.registry_head TO audit_app;
GRANT SELECT ON audit.setting TO audit_app;
