-- What is worked out for every read that is stored, in a form that PostgreSQL puts into the statement itself: without a
-- search_path of its own (the names are bound here and now), and of immutable parts only.
SET LOCAL ROLE archive_owner;

-- As in 0001_tables.sql.
CREATE OR REPLACE FUNCTION archive.read_millisecond(read_id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
RETURN (timestamp 'epoch' + ('x' || encode(substr(uuid_send(read_id), 1, 6), 'hex'))::bit(48)::bigint
        * interval '1 millisecond') AT TIME ZONE 'UTC';

RESET ROLE;
