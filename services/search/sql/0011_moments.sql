-- Moments as the answers of analyses carry them.
SET LOCAL ROLE archive_owner;

-- Microseconds since 1970-01-01T00:00:00Z; archive.moment goes the other way.
CREATE FUNCTION archive.microseconds(moment timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (extract(epoch FROM moment) * 1000000)::bigint;

REVOKE ALL ON FUNCTION archive.microseconds(timestamptz) FROM PUBLIC;

RESET ROLE;
