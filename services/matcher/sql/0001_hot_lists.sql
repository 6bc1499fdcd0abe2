-- Hot lists and their permanent history (ENF-051 II.D, II.E, III.B.3.d, III.B.3.h).
SET LOCAL ROLE matcher_owner;

-- Every change that somebody made, with the intent that was logged before it. Written in the change's transaction;
-- `outcome_time` stays null until the log has the outcome too, so that a crash between the two is made good.
CREATE TABLE matcher.act (
    intent_id uuid PRIMARY KEY,
    request_id uuid NOT NULL UNIQUE,
    action text NOT NULL,
    hot_list_id uuid NOT NULL,
    account_id text NOT NULL,
    details jsonb NOT NULL,
    act_time timestamptz NOT NULL,
    outcome_time timestamptz
);
CREATE INDEX act_open ON matcher.act (act_time) WHERE outcome_time IS NULL;

CREATE TABLE matcher.hot_list (
    hot_list_id uuid PRIMARY KEY,
    agency_ori text COLLATE "C" NOT NULL CHECK (agency_ori ~ '^[A-Z0-9]{9}$'),
    name text COLLATE "C" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    source smallint NOT NULL CHECK (source BETWEEN 1 AND 4),
    intent_id uuid NOT NULL REFERENCES matcher.act,
    latest_version bigint NOT NULL DEFAULT 0 CHECK (latest_version >= 0),
    active_version bigint,
    activated_at timestamptz,
    UNIQUE (agency_ori, name),
    CHECK ((active_version IS NULL) = (activated_at IS NULL))
);

CREATE TABLE matcher.hot_list_version (
    hot_list_id uuid NOT NULL REFERENCES matcher.hot_list,
    version bigint NOT NULL CHECK (version > 0),
    intent_id uuid NOT NULL UNIQUE REFERENCES matcher.act,
    upload_time timestamptz NOT NULL,
    format smallint NOT NULL,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    size_bytes bigint NOT NULL,
    attestation text NOT NULL,
    row_count bigint NOT NULL,
    entry_count bigint NOT NULL,
    added_count bigint NOT NULL,
    removed_count bigint NOT NULL,
    categories smallint[] NOT NULL,
    category_counts bigint[] NOT NULL,
    PRIMARY KEY (hot_list_id, version)
);
ALTER TABLE matcher.hot_list
    ADD FOREIGN KEY (hot_list_id, active_version) REFERENCES matcher.hot_list_version (hot_list_id, version);

-- An entry and the versions that have it: from `first_version` to `last_version`, or to the newest when that is
-- null. A daily list changes by a few in a hundred, so its whole history costs little more than one copy.
CREATE TABLE matcher.hot_list_entry (
    hot_list_id uuid NOT NULL REFERENCES matcher.hot_list,
    entry_id uuid NOT NULL,
    first_version bigint NOT NULL,
    last_version bigint CHECK (last_version >= first_version),
    category smallint NOT NULL CHECK (category BETWEEN 1 AND 11),
    plate text COLLATE "C" NOT NULL CHECK (plate ~ '^[A-Z0-9]{1,12}$'),
    state text COLLATE "C" NOT NULL,
    record_number text COLLATE "C" NOT NULL,
    plate_type text COLLATE "C" NOT NULL,
    vehicle_year text COLLATE "C" NOT NULL,
    vehicle_make text COLLATE "C" NOT NULL,
    vehicle_model text COLLATE "C" NOT NULL,
    vehicle_style text COLLATE "C" NOT NULL,
    vehicle_color text COLLATE "C" NOT NULL,
    PRIMARY KEY (hot_list_id, entry_id, first_version),
    FOREIGN KEY (hot_list_id, first_version) REFERENCES matcher.hot_list_version (hot_list_id, version)
);
CREATE UNIQUE INDEX hot_list_entry_open ON matcher.hot_list_entry (hot_list_id, entry_id)
    WHERE last_version IS NULL;

-- The rows of an upload while it is compared with its list, within one transaction: nobody else ever sees them,
-- and a crash may empty it. Not a temporary table: those need a privilege of the database, which copies of a
-- database do not inherit.
CREATE UNLOGGED TABLE matcher.stage (
    intent_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    category smallint NOT NULL,
    plate text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    record_number text COLLATE "C" NOT NULL,
    plate_type text COLLATE "C" NOT NULL,
    vehicle_year text COLLATE "C" NOT NULL,
    vehicle_make text COLLATE "C" NOT NULL,
    vehicle_model text COLLATE "C" NOT NULL,
    vehicle_style text COLLATE "C" NOT NULL,
    vehicle_color text COLLATE "C" NOT NULL
);
CREATE INDEX stage_entry ON matcher.stage (intent_id, entry_id);

-- History is permanent: the one column of an entry that may be written later is written once.
CREATE FUNCTION matcher.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = matcher, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the history of hot lists does not change' USING ERRCODE = '42501';
END
$$;
REVOKE ALL ON FUNCTION matcher.refuse_change() FROM PUBLIC;
CREATE TRIGGER entry_ends_once BEFORE UPDATE ON matcher.hot_list_entry
    FOR EACH ROW WHEN (OLD.last_version IS NOT NULL) EXECUTE FUNCTION matcher.refuse_change();

-- One row a change of what reads are compared with.
CREATE TABLE matcher.activation (
    match_revision bigint PRIMARY KEY,
    hot_list_id uuid NOT NULL,
    version bigint NOT NULL,
    intent_id uuid NOT NULL UNIQUE REFERENCES matcher.act,
    activated_at timestamptz NOT NULL,
    FOREIGN KEY (hot_list_id, version) REFERENCES matcher.hot_list_version (hot_list_id, version)
);

-- The one row that every activation locks: revisions are committed in their order, without a gap.
CREATE TABLE matcher.revision (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    match_revision bigint NOT NULL
);
INSERT INTO matcher.revision (match_revision) VALUES (0);

GRANT SELECT, INSERT ON matcher.act, matcher.hot_list, matcher.hot_list_version, matcher.hot_list_entry,
    matcher.activation TO matcher_app;
GRANT UPDATE (outcome_time) ON matcher.act TO matcher_app;
GRANT UPDATE (latest_version, active_version, activated_at) ON matcher.hot_list TO matcher_app;
GRANT UPDATE (last_version) ON matcher.hot_list_entry TO matcher_app;
GRANT SELECT, INSERT, DELETE ON matcher.stage TO matcher_app;
GRANT SELECT, UPDATE (match_revision) ON matcher.revision TO matcher_app;

RESET ROLE;
