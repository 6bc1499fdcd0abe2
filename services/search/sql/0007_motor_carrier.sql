-- The Motor Carrier Safety system is a data set of its own (ENF-051 II.H): no question about plates or pictures sees
-- its reads. A sensor belongs to it for good or not at all, so its reads are known by the sensor.
SET LOCAL ROLE archive_owner;

CREATE TABLE archive.motor_carrier_sensor (sensor_id text COLLATE "C" PRIMARY KEY);

-- Notes that these sensors are of the Motor Carrier Safety system; before their first read is stored.
CREATE FUNCTION archive.set_apart(sensor_ids text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    INSERT INTO archive.motor_carrier_sensor (sensor_id)
    SELECT DISTINCT s.sensor_id FROM unnest(sensor_ids) AS s (sensor_id) ORDER BY s.sensor_id
        ON CONFLICT DO NOTHING;
END;

-- As in 0005_questions.sql, without reads that are set apart. An array, which is made once a question: a join would
-- cost the index its order.
CREATE OR REPLACE FUNCTION archive.plate_page(
    wanted_plate text, from_time timestamptz, to_time timestamptz, before_time timestamptz, before_id uuid,
    agency_oris text[], sensor_groups text[], row_limit integer
) RETURNS TABLE (read_id uuid, capture_time timestamptz)
LANGUAGE plpgsql STABLE SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.read_id, r.capture_time
      FROM archive.read AS r
     WHERE r.plate = wanted_plate
       AND r.capture_time >= from_time AND r.capture_time < to_time
       AND r.capture_time <= before_time  -- for pruning, which does not look into the comparison of rows below
       AND (r.capture_time, r.read_id) < (before_time, before_id)
       AND r.agency_ori = ANY (agency_oris)
       AND (cardinality(sensor_groups) = 0 OR r.sensor_group = ANY (sensor_groups))
       AND r.sensor_id <> ALL (ARRAY(SELECT m.sensor_id FROM archive.motor_carrier_sensor AS m))
     ORDER BY r.capture_time DESC, r.read_id DESC
     LIMIT row_limit;
END
$$;

-- As in 0005_questions.sql, without reads that are set apart.
CREATE OR REPLACE FUNCTION archive.find_image(permit text, read_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'image');
    captured timestamptz := archive.read_millisecond(read_id);
    read_ids uuid[];
    capture_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.image_question(read_id));
    SELECT array_agg(r.read_id), array_agg(r.capture_time)
      INTO read_ids, capture_times
      FROM archive.read AS r
     WHERE r.read_id = find_image.read_id
       AND r.capture_time >= captured AND r.capture_time < captured + interval '1 millisecond'
       AND r.capture_time >= archive.retention_start()
       AND r.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
       AND r.sensor_id <> ALL (ARRAY(SELECT m.sensor_id FROM archive.motor_carrier_sensor AS m));
    PERFORM archive.keep_answer(opened, read_ids, capture_times, false);
END
$$;

REVOKE ALL ON FUNCTION archive.set_apart(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.set_apart(text[]) TO search_append;

RESET ROLE;
