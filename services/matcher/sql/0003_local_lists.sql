-- Local lists of users, units and sensors (ENF-051 II.D), and how much their entries match.
SET LOCAL ROLE matcher_owner;

CREATE TABLE matcher.local_list (
    hot_list_id uuid PRIMARY KEY,
    agency_ori text COLLATE "C" NOT NULL CHECK (agency_ori ~ '^[A-Z0-9]{9}$'),
    owner_kind smallint NOT NULL CHECK (owner_kind BETWEEN 1 AND 3),
    owner_key text COLLATE "C" NOT NULL CHECK (char_length(owner_key) BETWEEN 1 AND 200),
    -- The unit that answers for it, as it was when an entry was added last: its coordinator may take entries off.
    unit text COLLATE "C" NOT NULL,
    intent_id uuid NOT NULL REFERENCES matcher.act,
    -- Reads that were compared with it, since it was made.
    read_count bigint NOT NULL DEFAULT 0,
    UNIQUE (agency_ori, owner_kind, owner_key)
);

-- An entry never changes but for its end, which is written once. That its time is over is written nowhere: it ends by
-- the clock, to the second.
CREATE TABLE matcher.local_entry (
    entry_id uuid PRIMARY KEY,
    hot_list_id uuid NOT NULL REFERENCES matcher.local_list,
    pattern text COLLATE "C" NOT NULL CHECK (pattern ~ '^[A-Z0-9?]{2,10}$'),
    state text COLLATE "C" NOT NULL,
    plate_type text COLLATE "C" NOT NULL,
    category smallint NOT NULL CHECK (category BETWEEN 1 AND 11),
    vehicle_year text COLLATE "C" NOT NULL,
    vehicle_make text COLLATE "C" NOT NULL,
    vehicle_model text COLLATE "C" NOT NULL,
    vehicle_style text COLLATE "C" NOT NULL,
    vehicle_color text COLLATE "C" NOT NULL,
    case_number_kind smallint NOT NULL,
    case_number text NOT NULL,
    outside_agency text NOT NULL,
    purpose text NOT NULL,
    offence_code text NOT NULL,
    account_id text NOT NULL,
    intent_id uuid NOT NULL UNIQUE REFERENCES matcher.act,
    added_at timestamptz NOT NULL,
    -- In hours: what a day is depends on the session's time zone.
    expires_at timestamptz NOT NULL CHECK (expires_at > added_at AND expires_at <= added_at + interval '720 hours'),
    -- Every entry takes a revision of its own, so this is its version too.
    added_revision bigint NOT NULL UNIQUE,
    -- Reads that its list had been compared with when it was put on.
    reads_before bigint NOT NULL,
    -- 3 removed, 4 suspended for matching too much.
    end_reason smallint CHECK (end_reason IN (3, 4)),
    ended_at timestamptz,
    ended_revision bigint UNIQUE,
    end_intent_id uuid UNIQUE REFERENCES matcher.act,
    -- Reads that its list had been compared with when it ended.
    reads_at_end bigint,
    CHECK (num_nulls(end_reason, ended_at, ended_revision, end_intent_id, reads_at_end) IN (0, 5))
);
CREATE INDEX local_entry_of_list ON matcher.local_entry (hot_list_id, added_revision DESC);
CREATE INDEX local_entry_open ON matcher.local_entry (expires_at) WHERE end_reason IS NULL;

CREATE TRIGGER local_entry_ends_once BEFORE UPDATE ON matcher.local_entry
    FOR EACH ROW WHEN (OLD.end_reason IS NOT NULL) EXECUTE FUNCTION matcher.refuse_change();

-- Apart from the entry, for it changes all the time.
CREATE TABLE matcher.local_tally (
    entry_id uuid PRIMARY KEY REFERENCES matcher.local_entry,
    match_count bigint NOT NULL
);

GRANT SELECT, INSERT ON matcher.local_list, matcher.local_entry, matcher.local_tally TO matcher_app;
GRANT UPDATE (read_count, unit) ON matcher.local_list TO matcher_app;
GRANT UPDATE (end_reason, ended_at, ended_revision, end_intent_id, reads_at_end) ON matcher.local_entry TO matcher_app;
GRANT UPDATE (match_count) ON matcher.local_tally TO matcher_app;

RESET ROLE;
