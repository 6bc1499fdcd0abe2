-- The life of a version: quarantine, a second person's approval, increments, expiry (ENF-051 III.B.3.d, III.B.3.h).
SET LOCAL ROLE matcher_owner;

ALTER TABLE matcher.hot_list DROP CONSTRAINT hot_list_source_check;
ALTER TABLE matcher.hot_list ADD CONSTRAINT hot_list_source_check CHECK (source BETWEEN 1 AND 6);

-- File N of NCIC (immigration) is taken into a list only while a system administrator's recorded setting allows it.
ALTER TABLE matcher.hot_list ADD COLUMN immigration_file boolean NOT NULL DEFAULT false;

-- `kind`: 1 the whole list, 2 entries that are added or changed, 3 entries that are removed; the last two change
-- `base_version`. `compared_version` is what the list was compared with when the version came: the one that reads
-- were last compared with, 0 when there was none. `source_time` is when the source wrote the file, if it was said.
-- An entry can refer to its version only when that is there, and the counts come from the entries: they are
-- written last, in the same transaction, and the row is then `complete`.
ALTER TABLE matcher.hot_list_version
    ADD COLUMN kind smallint NOT NULL DEFAULT 1 CHECK (kind BETWEEN 1 AND 3),
    ADD COLUMN base_version bigint NOT NULL DEFAULT 0,
    ADD COLUMN compared_version bigint NOT NULL DEFAULT 0,
    ADD COLUMN source_time timestamptz,
    ADD COLUMN expire_time timestamptz,
    ADD COLUMN immigration_file boolean NOT NULL DEFAULT false,
    ADD COLUMN note_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN complete boolean NOT NULL DEFAULT true;
GRANT UPDATE (entry_count, added_count, removed_count, categories, category_counts, complete)
    ON matcher.hot_list_version TO matcher_app;
CREATE TRIGGER version_completes_once BEFORE UPDATE ON matcher.hot_list_version
    FOR EACH ROW WHEN (OLD.complete) EXECUTE FUNCTION matcher.refuse_change();

-- When the source entered it, and when it ends before its list does; null when the file does not say.
ALTER TABLE matcher.hot_list_entry ADD COLUMN entry_date date, ADD COLUMN expires_at timestamptz;
ALTER TABLE matcher.stage ADD COLUMN entry_date date, ADD COLUMN expires_at timestamptz;

-- What two versions differ by is read from these, whatever the size of the list.
CREATE INDEX hot_list_entry_begun ON matcher.hot_list_entry (hot_list_id, first_version);
CREATE INDEX hot_list_entry_ended ON matcher.hot_list_entry (hot_list_id, last_version)
    WHERE last_version IS NOT NULL;

-- What somebody else than the uploader agreed to: that `version` takes the place of `compared_version`.
CREATE TABLE matcher.version_approval (
    hot_list_id uuid NOT NULL,
    version bigint NOT NULL,
    compared_version bigint NOT NULL,
    account_id text NOT NULL,
    intent_id uuid NOT NULL UNIQUE REFERENCES matcher.act,
    approved_at timestamptz NOT NULL,
    PRIMARY KEY (hot_list_id, version, compared_version, account_id),
    FOREIGN KEY (hot_list_id, version) REFERENCES matcher.hot_list_version (hot_list_id, version)
);

-- An activation without a version takes the list out of use.
ALTER TABLE matcher.activation ALTER COLUMN version DROP NOT NULL;
CREATE INDEX activation_list ON matcher.activation (hot_list_id, match_revision);

-- Uploads that were refused, with what was wrong by row and column. The file itself is not kept: what could not be
-- parsed may hold a person's name anywhere, and the uploader has it. `stopped`: not all of the file was looked at.
CREATE TABLE matcher.quarantined_upload (
    intent_id uuid PRIMARY KEY,
    upload_id uuid NOT NULL UNIQUE,
    hot_list_id uuid NOT NULL REFERENCES matcher.hot_list,
    account_id text NOT NULL,
    upload_time timestamptz NOT NULL,
    format smallint NOT NULL,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    size_bytes bigint NOT NULL,
    attestation text NOT NULL,
    row_count bigint NOT NULL,
    error_count bigint NOT NULL CHECK (error_count > 0),
    stopped boolean NOT NULL
);
CREATE INDEX quarantined_upload_list ON matcher.quarantined_upload (hot_list_id, upload_time, upload_id);

-- What was said about rows: why a quarantined upload was refused, or what a stored version left out or doubted.
-- The first thousand of each.
CREATE TABLE matcher.row_finding (
    intent_id uuid NOT NULL,
    number integer NOT NULL CHECK (number BETWEEN 1 AND 1000),
    row_number bigint NOT NULL,
    column_name text NOT NULL,
    problem text NOT NULL,
    PRIMARY KEY (intent_id, number)
);

GRANT SELECT, INSERT ON matcher.version_approval, matcher.quarantined_upload, matcher.row_finding TO matcher_app;
GRANT UPDATE (immigration_file) ON matcher.hot_list TO matcher_app;

RESET ROLE;
