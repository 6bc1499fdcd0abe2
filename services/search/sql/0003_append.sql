-- The only way into the archive.
SET LOCAL ROLE archive_owner;

-- Stores reads, one array element each, and gives status and reason of each in the order of the arrays: STORED,
-- DUPLICATE (same content), CONFLICT (other content), OUT_OF_RETENTION (by the database's clock), QUARANTINED.
-- `shortcomings` holds why a read cannot be stored, NULL for one that can; `originals` such a read as it came.
CREATE FUNCTION archive.append_reads(
    read_ids uuid[], capture_times timestamptz[], receive_times timestamptz[], plates text[], states text[],
    sensor_ids text[], agency_oris text[], sensor_groups text[], provenances text[], latitudes double precision[],
    longitudes double precision[], places text[], confidences real[], recognitions bytea[], model_versions text[],
    sender_read_ids text[], image_sha256s bytea[], image_days date[], image_media_types text[],
    image_sizes bigint[], image_keys bytea[], content_digests bytea[], match_revisions bigint[],
    shortcomings text[], originals bytea[]
) RETURNS TABLE (status text, status_reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    oldest timestamptz := archive.retention_start();
    stored_ids uuid[];
    stored_digests bytea[];
BEGIN
    INSERT INTO archive.quarantine (read_id, arrived_on, arrive_time, reason, original)
    SELECT s.read_id, (clock_timestamp() AT TIME ZONE 'UTC')::date, clock_timestamp(), s.reason, s.original
      FROM unnest(read_ids, capture_times, shortcomings, originals) AS s (read_id, capture_time, reason, original)
     WHERE s.reason IS NOT NULL AND (s.capture_time >= oldest OR s.capture_time IS NULL)
     ORDER BY s.read_id
        ON CONFLICT DO NOTHING;

    -- In the order of the ids, so that two replicas with the same reads wait for each other instead of deadlocking.
    WITH stored AS (
        INSERT INTO archive.read (
            read_id, capture_time, receive_time, plate, state, sensor_id, agency_ori, sensor_group, provenance,
            latitude, longitude, place, confidence, recognition, model_version, sender_read_id,
            image_sha256, image_day, image_media_type, image_size, image_key, content_digest, match_revision)
        SELECT s.read_id, s.capture_time, s.receive_time, s.plate, s.state, s.sensor_id, s.agency_ori,
               s.sensor_group, s.provenance, s.latitude, s.longitude, s.place, s.confidence, s.recognition,
               s.model_version, s.sender_read_id, s.image_sha256, s.image_day, s.image_media_type, s.image_size,
               s.image_key, s.content_digest, s.match_revision
          FROM unnest(read_ids, capture_times, receive_times, plates, states, sensor_ids, agency_oris,
                      sensor_groups, provenances, latitudes, longitudes, places, confidences, recognitions,
                      model_versions, sender_read_ids, image_sha256s, image_days, image_media_types, image_sizes,
                      image_keys, content_digests, match_revisions, shortcomings) WITH ORDINALITY
               AS s (read_id, capture_time, receive_time, plate, state, sensor_id, agency_ori, sensor_group,
                     provenance, latitude, longitude, place, confidence, recognition, model_version,
                     sender_read_id, image_sha256, image_day, image_media_type, image_size, image_key,
                     content_digest, match_revision, reason, n)
         WHERE s.reason IS NULL AND s.capture_time >= oldest
         ORDER BY s.read_id, s.n
            ON CONFLICT DO NOTHING
        RETURNING read_id)
    SELECT array_agg(stored.read_id) INTO stored_ids FROM stored;

    -- The digest that is stored now, for reads that were there before or came twice in this batch.
    -- LIMIT keeps this a look-up in one partition for each read.
    IF cardinality(read_ids) > coalesce(cardinality(stored_ids), 0) THEN
        SELECT array_agg(found.content_digest ORDER BY s.n)
          INTO stored_digests
          FROM unnest(read_ids, capture_times) WITH ORDINALITY AS s (read_id, capture_time, n)
          LEFT JOIN LATERAL (
                SELECT r.content_digest
                  FROM archive.read AS r
                 WHERE r.read_id = s.read_id
                   AND r.capture_time >= date_trunc('milliseconds', s.capture_time)
                   AND r.capture_time < date_trunc('milliseconds', s.capture_time) + interval '1 millisecond'
                 LIMIT 1) AS found ON true;
    END IF;

    RETURN QUERY
    SELECT CASE
               WHEN s.capture_time < oldest THEN 'OUT_OF_RETENTION'
               WHEN s.reason IS NOT NULL THEN 'QUARANTINED'
               WHEN stored.read_id IS NOT NULL AND s.first THEN 'STORED'
               WHEN s.content_digest = s.stored_digest THEN 'DUPLICATE'
               ELSE 'CONFLICT'
           END,
           CASE
               WHEN s.capture_time < oldest THEN NULL
               ELSE s.reason
           END
      FROM (SELECT u.*, row_number() OVER (PARTITION BY u.read_id, u.reason IS NULL ORDER BY u.n) = 1 AS first
              FROM unnest(read_ids, capture_times, content_digests, stored_digests, shortcomings) WITH ORDINALITY
                   AS u (read_id, capture_time, content_digest, stored_digest, reason, n)) AS s
      LEFT JOIN unnest(stored_ids) AS stored (read_id) ON stored.read_id = s.read_id
     ORDER BY s.n;
END
$$;

REVOKE ALL ON FUNCTION archive.append_reads(
    uuid[], timestamptz[], timestamptz[], text[], text[], text[], text[], text[], text[], double precision[],
    double precision[], text[], real[], bytea[], text[], text[], bytea[], date[], text[], bigint[], bytea[],
    bytea[], bigint[], text[], bytea[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive.append_reads(
    uuid[], timestamptz[], timestamptz[], text[], text[], text[], text[], text[], text[], double precision[],
    double precision[], text[], real[], bytea[], text[], text[], bytea[], date[], text[], bigint[], bytea[],
    bytea[], bigint[], text[], bytea[]) TO search_append;

RESET ROLE;
