-- Forgetting a day takes one look at the dictionary, and no index for it: with one on first_day, every plate that lost a
-- day was written anew into all indexes of the dictionary, which took longer than all the rest of a purge.
SET LOCAL ROLE archive_owner;

DROP INDEX archive.plate_seen_by_first_day;

-- Plates that have days to lose, as found by the look; each goes when it has lost them.
CREATE TABLE archive.plate_to_forget (
    plate text COLLATE "C" PRIMARY KEY,
    first_day date NOT NULL
);

-- As in 0009_dictionary.sql: forgets the days that lie wholly before the retention period, of at most `most` plates and
-- of all places, and gives the number of those plates and places. To be called until it gives 0, when no more reads of
-- those days can come in. Locks in the order of note_plates and note_places.
CREATE OR REPLACE FUNCTION archive.dictionary_forget(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    oldest date := archive.utc_day(archive.retention_start());
    old_plates text[];
    old_places bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM archive.plate_to_forget) THEN
        INSERT INTO archive.plate_to_forget (plate, first_day)
        SELECT p.plate, p.first_day FROM archive.plate_seen AS p WHERE p.first_day < oldest ORDER BY p.plate;
    END IF;
    old_plates := ARRAY(SELECT f.plate FROM archive.plate_to_forget AS f ORDER BY f.plate LIMIT most);
    DELETE FROM archive.plate_to_forget AS f WHERE f.plate = ANY (old_plates);

    PERFORM FROM archive.plate_seen AS p WHERE p.plate = ANY (old_plates) ORDER BY p.plate FOR UPDATE;
    DELETE FROM archive.plate_seen AS p
     WHERE p.plate = ANY (old_plates) AND p.days[cardinality(p.days)] < oldest;
    UPDATE archive.plate_seen AS p
       SET first_day = (SELECT min(d.day) FROM unnest(p.days) AS d (day) WHERE d.day >= oldest),
           days = ARRAY(SELECT d.day FROM unnest(p.days) AS d (day) WHERE d.day >= oldest ORDER BY d.day)
     WHERE p.plate = ANY (old_plates) AND p.first_day < oldest;

    PERFORM FROM archive.place_seen AS p WHERE p.first_day < oldest
      ORDER BY p.cell_latitude, p.cell_longitude, p.sensor_id, p.sensor_group FOR UPDATE;
    GET DIAGNOSTICS old_places = ROW_COUNT;
    DELETE FROM archive.place_seen AS p WHERE p.first_day < oldest AND p.days[cardinality(p.days)] < oldest;
    UPDATE archive.place_seen AS p
       SET first_day = (SELECT min(d.day) FROM unnest(p.days) AS d (day) WHERE d.day >= oldest),
           days = ARRAY(SELECT d.day FROM unnest(p.days) AS d (day) WHERE d.day >= oldest ORDER BY d.day)
     WHERE p.first_day < oldest;
    RETURN cardinality(old_plates) + old_places;
END
$$;

RESET ROLE;
