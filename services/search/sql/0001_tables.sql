-- Tables of the archive. Nothing is granted on them to anybody: rows come and go through functions only.
SET LOCAL ROLE archive_owner;

-- A function made later is nobody's until it is granted.
ALTER DEFAULT PRIVILEGES FOR ROLE archive_owner REVOKE ALL ON FUNCTIONS FROM PUBLIC;

CREATE TABLE archive.setting (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    retention_days integer NOT NULL CHECK (retention_days BETWEEN 1 AND 3660)
);
INSERT INTO archive.setting (retention_days) VALUES (90);  -- ENF-051 IV.E.1

-- The millisecond that a UUIDv7 names.
CREATE FUNCTION archive.read_millisecond(read_id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN timestamptz 'epoch'
    + ('x' || lpad(left(replace(read_id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint * interval '1 millisecond';

-- One read, written once, never updated (ENF-051 II.J, II.F). Partitioned by UTC day of capture_time; each
-- partition has a unique index on read_id alone (archive.ensure_partitions). As a read id names the millisecond
-- of its capture, one read id can only ever land in one partition: the id is unique in the whole archive,
-- also when a second read under it differs in the microseconds.
CREATE TABLE archive.read (
    read_id uuid NOT NULL,
    capture_time timestamptz NOT NULL,
    receive_time timestamptz NOT NULL,
    plate text COLLATE "C" NOT NULL,
    state text COLLATE "C",
    sensor_id text COLLATE "C" NOT NULL,
    agency_ori text COLLATE "C" NOT NULL,
    sensor_group text COLLATE "C" NOT NULL,
    provenance text COLLATE "C" NOT NULL CHECK (provenance IN ('OWN', 'PARTNER', 'COMMERCIAL')),
    latitude double precision NOT NULL,
    longitude double precision NOT NULL,
    place text NOT NULL,
    confidence real,
    recognition bytea NOT NULL,     -- alpr.type.v1.Read with lattice, states and plate_box only
    model_version text NOT NULL,
    sender_read_id text NOT NULL,
    image_sha256 bytea NOT NULL CHECK (octet_length(image_sha256) = 32),
    image_day date NOT NULL CHECK (image_day = (capture_time AT TIME ZONE 'UTC')::date),
    image_media_type text NOT NULL,
    image_size bigint NOT NULL,
    image_key bytea,                -- leaves through archive.image_key only
    content_digest bytea NOT NULL CHECK (octet_length(content_digest) = 32),
    match_revision bigint NOT NULL,
    CHECK (date_trunc('milliseconds', capture_time AT TIME ZONE 'UTC')
           = archive.read_millisecond(read_id) AT TIME ZONE 'UTC')
) PARTITION BY RANGE (capture_time);

-- "C" collation: the same index serves equality, prefixes and order.
CREATE INDEX read_by_plate ON archive.read (plate, capture_time DESC);

-- Reads that are incomplete, kept apart as they came and never searched (ENF-051 II.J). By day of arrival, as a
-- capture time may be what is missing; they go when a read that arrived that day would go.
CREATE TABLE archive.quarantine (
    read_id uuid NOT NULL,
    arrived_on date NOT NULL,
    arrive_time timestamptz NOT NULL,
    reason text NOT NULL,
    original bytea NOT NULL,        -- alpr.search.v1.ArchivedRead
    PRIMARY KEY (read_id, arrived_on)
) PARTITION BY RANGE (arrived_on);

-- The first moment of the retention period, exactly so many times 24 hours ago, by the database's clock.
CREATE FUNCTION archive.retention_start() RETURNS timestamptz
LANGUAGE sql VOLATILE SET search_path = archive, pg_temp
RETURN clock_timestamp() - make_interval(hours => 24 * (SELECT setting.retention_days FROM archive.setting));

RESET ROLE;
