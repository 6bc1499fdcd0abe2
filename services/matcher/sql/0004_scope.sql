-- Whose list is compared on whose camera (ENF-051 II.H, III.B.1). Rows are only added; the newest of each counts, and
-- the others say what counted before.
SET LOCAL ROLE matcher_owner;

-- Agreements as audit told them, those that ever let something in. Every replica hears them; the first one stores.
CREATE TABLE matcher.agreement (
    agreement_id uuid NOT NULL,
    match_revision bigint NOT NULL,
    sensor_agency_ori text COLLATE "C" NOT NULL CHECK (sensor_agency_ori ~ '^[A-Z0-9]{9}$'),
    list_agency_ori text COLLATE "C" NOT NULL CHECK (list_agency_ori ~ '^[A-Z0-9]{9}$'),
    partitions smallint[] NOT NULL CHECK (partitions <@ ARRAY[1, 2]::smallint[]),
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL CHECK (end_time > start_time),
    -- False once it has ended before its time.
    in_force boolean NOT NULL,
    -- Audit's number of the change.
    audit_revision bigint NOT NULL,
    PRIMARY KEY (agreement_id, match_revision),
    CHECK (sensor_agency_ori <> list_agency_ori)
);

-- The one row that whoever stores agreements locks, so that none is overwritten by an older word of it.
CREATE TABLE matcher.agreement_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    audit_revision bigint NOT NULL
);
INSERT INTO matcher.agreement_head (audit_revision) VALUES (0);

-- The matrix of lists and sensor groups, a row a group of an agency's sensors. `mode`: 1 all lists but these, 2 only
-- these.
CREATE TABLE matcher.group_row (
    agency_ori text COLLATE "C" NOT NULL CHECK (agency_ori ~ '^[A-Z0-9]{9}$'),
    sensor_group text COLLATE "C" NOT NULL CHECK (sensor_group ~ '^[a-z0-9-]{1,63}$'),
    match_revision bigint NOT NULL UNIQUE,
    mode smallint NOT NULL CHECK (mode BETWEEN 1 AND 2),
    hot_list_ids uuid[] NOT NULL CHECK (cardinality(hot_list_ids) <= 500),
    intent_id uuid NOT NULL UNIQUE REFERENCES matcher.act,
    set_at timestamptz NOT NULL,
    PRIMARY KEY (agency_ori, sensor_group, match_revision)
);

GRANT SELECT, INSERT ON matcher.agreement, matcher.group_row TO matcher_app;
GRANT SELECT, UPDATE (audit_revision) ON matcher.agreement_head TO matcher_app;

RESET ROLE;
