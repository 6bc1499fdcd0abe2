-- What leaves the Motor Carrier Safety data set as a file (ENF-051 II.H, III.B.3.m, III.B.3.n, III.D.5, IV.B): reports,
-- evidence packages and the register of both, as those of the archive (0013_disseminations.sql), in tables, with a login
-- and by permits of this house. Neither register knows of the other's files.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'search_mcs_register') THEN
        CREATE ROLE search_mcs_register LOGIN NOINHERIT;
    END IF;
    -- As for the other logins of search (0000_roles.sql).
    BEGIN
        ALTER ROLE search_mcs_register SET log_parameter_max_length = 0;
        ALTER ROLE search_mcs_register SET log_error_verbosity = terse;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'set log_parameter_max_length = 0 and log_error_verbosity = terse for search_mcs_register by hand';
    END;
    ALTER ROLE search_mcs_register SET log_parameter_max_length_on_error = 0;
END
$$;
GRANT USAGE ON SCHEMA motor_carrier TO search_mcs_register;

SET LOCAL ROLE motor_carrier_owner;

-- As archive.computed_answer: answers that are no reads, here evidence packages.
ALTER TABLE motor_carrier.permit_used ADD COLUMN computed_rows integer;
ALTER TABLE motor_carrier.permit_used ADD COLUMN computed_digest bytea;
CREATE UNLOGGED TABLE motor_carrier.computed_answer (
    permit_id uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    answer text NOT NULL
);

-- As archive.keep_computed.
CREATE FUNCTION motor_carrier.keep_computed(
    opened archive.permit, answer text, row_count integer, has_more boolean
) RETURNS void
LANGUAGE plpgsql SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    PERFORM motor_carrier.keep_answer(opened, '{}', '{}', has_more);
    UPDATE motor_carrier.permit_used AS u
       SET computed_rows = keep_computed.row_count, computed_digest = sha256(convert_to(answer, 'UTF8'))
     WHERE u.permit_id = opened.permit_id;
    INSERT INTO motor_carrier.computed_answer (permit_id, expires_at, answer)
    VALUES (opened.permit_id, opened.expires_at, keep_computed.answer);
END
$$;

-- As archive.general_answer.
CREATE OR REPLACE FUNCTION motor_carrier.general_answer(permit text, kind text, question text)
RETURNS TABLE (row_count integer, rows_digest bytea, has_more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, kind);
BEGIN
    PERFORM archive.require_question(motor_carrier.opened_permit(permit, kind), question);
    RETURN QUERY
    SELECT coalesce(kept.computed_rows, cardinality(kept.read_ids)),
           coalesce(kept.computed_digest, motor_carrier.digest_of(kept.read_ids)), kept.has_more;
END
$$;

-- As archive.general_computed.
CREATE FUNCTION motor_carrier.general_computed(permit text, kind text) RETURNS TABLE (answer text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
#variable_conflict use_column
DECLARE
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, kind);
BEGIN
    RETURN QUERY SELECT c.answer FROM motor_carrier.computed_answer AS c WHERE c.permit_id = kept.permit_id;
END
$$;

-- As archive.forget_expired_permits.
CREATE OR REPLACE FUNCTION motor_carrier.forget_expired_permits() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    DELETE FROM motor_carrier.computed_answer WHERE expires_at < clock_timestamp();
    DELETE FROM motor_carrier.permit_used WHERE expires_at < clock_timestamp() - interval '1 hour';
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;

-- The reads of the answer, in its order, without their image keys; of a picture's question and of a look-back none, which
-- have ways of their own.
CREATE OR REPLACE FUNCTION motor_carrier.general_reads(permit text, kind text)
RETURNS TABLE (
    read_id uuid, capture_time timestamptz, receive_time timestamptz, plate text, sensor_id text, agency_ori text,
    sensor_group text, provenance text, latitude double precision, longitude double precision, place text,
    recognition bytea, model_version text, sender_read_id text, image_sha256 bytea, image_day date,
    image_media_type text, image_size bigint, state text, confidence real)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, kind);
BEGIN
    RETURN QUERY
    SELECT f.*
      FROM unnest(kept.read_ids, kept.capture_times) WITH ORDINALITY AS a (read_id, capture_time, n)
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.capture_time, r.receive_time, r.plate, r.sensor_id, r.agency_ori,
                   r.sensor_group, r.provenance, r.latitude, r.longitude, r.place,
                   r.recognition, r.model_version, r.sender_read_id, r.image_sha256, r.image_day,
                   r.image_media_type, r.image_size, r.state, r.confidence
              FROM motor_carrier.read AS r
             WHERE r.read_id = a.read_id AND r.capture_time = a.capture_time
             LIMIT 1) AS f
     WHERE kind NOT LIKE '%image' AND kind <> 'mcslookback'
     ORDER BY a.n;
END
$$;

-- As archive.dissemination.
CREATE TABLE motor_carrier.dissemination (
    dissemination_id uuid PRIMARY KEY,      -- the intent in audit's log
    entry_number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    kind text NOT NULL CHECK (kind IN ('REPORT', 'EVIDENCE', 'EXPORT', 'HANDED_ON')),
    export_id uuid REFERENCES motor_carrier.dissemination,
    account_id text NOT NULL,
    agency_ori text COLLATE "C" NOT NULL,
    question_entry_id uuid NOT NULL,
    recipient bytea NOT NULL,
    justification bytea NOT NULL,
    redactions bytea NOT NULL,
    format text NOT NULL,
    file_sha256 bytea NOT NULL CHECK (octet_length(file_sha256) = 32),  -- of evidence: of its manifest
    file_bytes bigint NOT NULL,
    read_ids uuid[] NOT NULL,
    first_capture timestamptz,
    last_capture timestamptz,
    made_time timestamptz NOT NULL,
    due_time timestamptz,                   -- null for evidence, which the evidence system keeps
    deleted_time timestamptz,
    deletion_statement text,
    deletion_intent_id uuid UNIQUE,
    receipt bytea,                          -- alpr.type.v1.AuditReceipt of the intent, once its outcome is recorded
    CHECK ((kind = 'HANDED_ON') = (export_id IS NOT NULL)),
    CHECK ((deleted_time IS NULL) = (deletion_statement IS NULL))
);
CREATE INDEX dissemination_by_agency ON motor_carrier.dissemination (agency_ori, entry_number DESC);
CREATE INDEX dissemination_by_read ON motor_carrier.dissemination USING gin (read_ids);
CREATE INDEX dissemination_open ON motor_carrier.dissemination (due_time) WHERE deleted_time IS NULL;
CREATE INDEX dissemination_without_outcome ON motor_carrier.dissemination (made_time) WHERE receipt IS NULL;

-- As archive.recipient_notice.
CREATE TABLE motor_carrier.recipient_notice (
    notice_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    notice_number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    dissemination_id uuid NOT NULL REFERENCES motor_carrier.dissemination,
    kind text NOT NULL CHECK (kind IN ('PURGED', 'CORRECTED', 'OVERDUE')),
    -- What makes it one notice: '' for an overdue file, 'first' or 'last' for reads that were purged, the intent of a
    -- correction.
    cause text NOT NULL,
    statement text NOT NULL,
    notice_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    told_time timestamptz,
    told_statement text,
    told_intent_id uuid UNIQUE,
    UNIQUE (dissemination_id, kind, cause),
    CHECK ((told_time IS NULL) = (told_statement IS NULL))
);
CREATE INDEX recipient_notice_open ON motor_carrier.recipient_notice (notice_number) WHERE told_time IS NULL;

-- As archive.evidence.
CREATE TABLE motor_carrier.evidence (
    evidence_id uuid PRIMARY KEY REFERENCES motor_carrier.dissemination,
    evidence_number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    read_id uuid NOT NULL,
    capture_day date NOT NULL,
    agency_ori text COLLATE "C" NOT NULL,       -- of the sensor
    sensor_group text COLLATE "C" NOT NULL,
    maker_ori text COLLATE "C" NOT NULL,        -- of who made it
    case_number text NOT NULL,
    report_number text NOT NULL,
    evidence_system text NOT NULL,
    evidence_item text NOT NULL,
    package_sha256 bytea NOT NULL CHECK (octet_length(package_sha256) = 32),
    package_bytes bigint NOT NULL,
    object_name text NOT NULL,
    wrapped_key bytea NOT NULL
);
CREATE INDEX evidence_by_maker ON motor_carrier.evidence (maker_ori, evidence_number DESC);
CREATE INDEX evidence_by_read ON motor_carrier.evidence (read_id);
CREATE INDEX evidence_by_day ON motor_carrier.evidence (capture_day);

-- As archive.find_report.
CREATE FUNCTION motor_carrier.find_mcsreport(
    permit text, from_us bigint, to_us bigint, page_size integer, pictures integer, read_ids text, caption text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsreport');
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_of_all());
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    found_ids uuid[];
    found_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, motor_carrier.report_question(
        from_us, to_us, page_size, pictures, read_ids, caption));
    SELECT array_agg(f.read_id ORDER BY f.capture_time DESC, f.read_id DESC),
           array_agg(f.capture_time ORDER BY f.capture_time DESC, f.read_id DESC)
      INTO found_ids, found_times
      FROM (SELECT DISTINCT w.wanted::uuid AS wanted
              FROM unnest(string_to_array(read_ids, ',')) AS w (wanted) LIMIT least(page_size, 1000)) AS w
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.capture_time
              FROM motor_carrier.read AS r
             WHERE r.read_id = w.wanted
               AND r.capture_time >= archive.read_millisecond(w.wanted)
               AND r.capture_time < archive.read_millisecond(w.wanted) + interval '1 millisecond'
               AND r.capture_time >= from_time AND r.capture_time < to_time
               AND r.agency_ori = ANY (opened.agency_oris)
               AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
             LIMIT 1) AS f;
    PERFORM motor_carrier.keep_answer(opened, found_ids, found_times, false);
END
$$;

-- As archive.report_question.
CREATE FUNCTION motor_carrier.report_question(
    from_us bigint, to_us bigint, page_size integer, pictures integer, read_ids text, caption text
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = motor_carrier, pg_temp
RETURN archive.general_question('mcsreport', from_us, to_us, page_size,
    archive.canonical_line('pictures', pictures::text),
    archive.canonical_line('read_ids', archive.argument_value(read_ids)),
    archive.canonical_line('caption', archive.argument_value(caption)));

-- As archive.report_pictures.
CREATE FUNCTION motor_carrier.report_pictures(
    permit text, from_us bigint, to_us bigint, page_size integer, pictures integer, read_ids text, caption text
) RETURNS TABLE (read_id uuid, image_sha256 bytea, image_day date, image_media_type text, image_size bigint,
                 image_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsreport');
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, 'mcsreport');
BEGIN
    PERFORM archive.require_question(opened, motor_carrier.report_question(
        from_us, to_us, page_size, pictures, report_pictures.read_ids, caption));
    RETURN QUERY SELECT * FROM motor_carrier.pictures_of(
        kept.read_ids[:least(pictures, 50)], kept.capture_times[:least(pictures, 50)]);
END
$$;

-- As archive.pictures_of.
CREATE FUNCTION motor_carrier.pictures_of(read_ids uuid[], capture_times timestamptz[])
RETURNS TABLE (read_id uuid, image_sha256 bytea, image_day date, image_media_type text, image_size bigint,
               image_key bytea)
LANGUAGE sql STABLE SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT f.read_id, f.image_sha256, f.image_day, f.image_media_type, f.image_size, f.image_key
      FROM unnest(read_ids, capture_times) WITH ORDINALITY AS a (read_id, capture_time, n)
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.image_sha256, r.image_day, r.image_media_type, r.image_size, r.image_key
              FROM motor_carrier.read AS r
             WHERE r.read_id = a.read_id AND r.capture_time = a.capture_time
             LIMIT 1) AS f
     ORDER BY a.n;
END;

-- As archive.evidence_question.
CREATE FUNCTION motor_carrier.evidence_question(
    from_us bigint, to_us bigint, page_size integer, read_id uuid, report_number text, evidence_system text,
    evidence_item text
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = motor_carrier, pg_temp
RETURN archive.general_question('mcsevidence', from_us, to_us, page_size,
    archive.canonical_line('read_id', read_id::text),
    archive.canonical_line('report_number', archive.argument_value(report_number)),
    archive.canonical_line('evidence_system', archive.argument_value(evidence_system)),
    archive.canonical_line('evidence_item', archive.argument_value(evidence_item)));

-- As archive.find_evidence.
CREATE FUNCTION motor_carrier.find_mcsevidence(
    permit text, from_us bigint, to_us bigint, page_size integer, read_id uuid, report_number text,
    evidence_system text, evidence_item text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsevidence');
    captured timestamptz := archive.read_millisecond(read_id);
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_of_all());
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    found_ids uuid[];
    found_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, motor_carrier.evidence_question(
        from_us, to_us, page_size, read_id, report_number, evidence_system, evidence_item));
    SELECT array_agg(r.read_id), array_agg(r.capture_time)
      INTO found_ids, found_times
      FROM motor_carrier.read AS r
     WHERE r.read_id = find_mcsevidence.read_id
       AND r.capture_time >= captured AND r.capture_time < captured + interval '1 millisecond'
       AND r.capture_time >= from_time AND r.capture_time < to_time
       AND r.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups));
    PERFORM motor_carrier.keep_answer(opened, found_ids, found_times, false);
END
$$;

-- As archive.evidence_picture.
CREATE FUNCTION motor_carrier.evidence_picture(permit text)
RETURNS TABLE (read_id uuid, image_sha256 bytea, image_day date, image_media_type text, image_size bigint,
               image_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
#variable_conflict use_column
DECLARE
    kept motor_carrier.permit_used := motor_carrier.kept_answer(permit, 'mcsevidence');
BEGIN
    RETURN QUERY SELECT * FROM motor_carrier.pictures_of(kept.read_ids, kept.capture_times);
END
$$;

-- As archive.find_evidencecopy.
CREATE FUNCTION motor_carrier.find_mcsevidencecopy(
    permit text, from_us bigint, to_us bigint, page_size integer, evidence_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    opened archive.permit := motor_carrier.opened_permit(permit, 'mcsevidencecopy');
    found jsonb;
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('mcsevidencecopy', from_us, to_us, page_size,
        archive.canonical_line('evidence_id', evidence_id::text)));
    SELECT jsonb_build_object(
               'evidence_id', e.evidence_id, 'read_id', e.read_id, 'capture_day', e.capture_day,
               'package_sha256', encode(e.package_sha256, 'hex'), 'package_bytes', e.package_bytes,
               'object_name', e.object_name, 'wrapped_key', encode(e.wrapped_key, 'hex'),
               'manifest_sha256', encode(d.file_sha256, 'hex'), 'receipt', encode(d.receipt, 'hex'))
      INTO found
      FROM motor_carrier.evidence AS e
      JOIN motor_carrier.dissemination AS d ON d.dissemination_id = e.evidence_id
     WHERE e.evidence_id = find_mcsevidencecopy.evidence_id
       AND e.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR e.sensor_group = ANY (opened.sensor_groups));
    PERFORM motor_carrier.keep_computed(opened, coalesce(found, 'null')::text, (found IS NOT NULL)::integer, false);
END
$$;

-- As archive.usual_due_time.
CREATE FUNCTION motor_carrier.usual_due_time() RETURNS timestamptz
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
RETURN clock_timestamp() + (clock_timestamp() - archive.retention_of_all());

-- As archive.register.
CREATE FUNCTION motor_carrier.register(
    dissemination_id uuid, kind text, export_id uuid, account_id text, agency_ori text, question_entry_id uuid,
    recipient bytea, justification bytea, redactions bytea, format text, file_sha256 bytea, file_bytes bigint,
    read_ids uuid[], first_capture timestamptz, last_capture timestamptz, due_time timestamptz
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    number bigint;
BEGIN
    INSERT INTO motor_carrier.dissemination (
        dissemination_id, kind, export_id, account_id, agency_ori, question_entry_id, recipient, justification,
        redactions, format, file_sha256, file_bytes, read_ids, first_capture, last_capture, made_time, due_time)
    VALUES (dissemination_id, kind, export_id, account_id, agency_ori, question_entry_id, recipient, justification,
            redactions, format, file_sha256, file_bytes, read_ids, first_capture, last_capture, clock_timestamp(),
            due_time)
        ON CONFLICT ON CONSTRAINT dissemination_pkey DO NOTHING;
    SELECT d.entry_number INTO number FROM motor_carrier.dissemination AS d WHERE d.dissemination_id = dissemination_id;
    RETURN number;
END
$$;

-- As archive.keep_evidence.
CREATE FUNCTION motor_carrier.keep_evidence(
    evidence_id uuid, read_id uuid, capture_day date, agency_ori text, sensor_group text, maker_ori text,
    case_number text, report_number text, evidence_system text, evidence_item text, package_sha256 bytea,
    package_bytes bigint, object_name text, wrapped_key bytea
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
#variable_conflict use_variable
BEGIN
    INSERT INTO motor_carrier.evidence (
        evidence_id, read_id, capture_day, agency_ori, sensor_group, maker_ori, case_number, report_number,
        evidence_system, evidence_item, package_sha256, package_bytes, object_name, wrapped_key)
    VALUES (evidence_id, read_id, capture_day, agency_ori, sensor_group, maker_ori, case_number, report_number,
            evidence_system, evidence_item, package_sha256, package_bytes, object_name, wrapped_key)
        ON CONFLICT ON CONSTRAINT evidence_pkey DO NOTHING;
    RETURN (SELECT e.object_name FROM motor_carrier.evidence AS e WHERE e.evidence_id = evidence_id);
END
$$;

-- As archive.outcome_is_recorded.
CREATE FUNCTION motor_carrier.outcome_is_recorded(wanted_id uuid, receipt bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    UPDATE motor_carrier.dissemination AS d SET receipt = outcome_is_recorded.receipt
     WHERE d.dissemination_id = wanted_id AND d.receipt IS NULL;
END;

-- As archive.entries_without_outcome.
CREATE FUNCTION motor_carrier.entries_without_outcome(before timestamptz) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT d.dissemination_id FROM motor_carrier.dissemination AS d
     WHERE d.receipt IS NULL AND d.made_time < before ORDER BY d.made_time LIMIT 100;
END;

-- As archive.disseminations.
CREATE FUNCTION motor_carrier.disseminations(
    wanted_agency text, wanted_id uuid, wanted_read uuid, overdue_at timestamptz, before_number bigint, most integer
) RETURNS TABLE (
    dissemination_id uuid, entry_number bigint, kind text, export_id uuid, account_id text, agency_ori text,
    question_entry_id uuid, recipient bytea, justification bytea, redactions bytea, format text, file_sha256 bytea,
    file_bytes bigint, read_count integer, first_capture timestamptz, last_capture timestamptz, made_time timestamptz,
    due_time timestamptz, deleted_time timestamptz, open_notices bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT d.dissemination_id, d.entry_number, d.kind, d.export_id, d.account_id, d.agency_ori, d.question_entry_id,
           d.recipient, d.justification, d.redactions, d.format, d.file_sha256, d.file_bytes,
           cardinality(d.read_ids), d.first_capture, d.last_capture, d.made_time, d.due_time, d.deleted_time,
           (SELECT count(*) FROM motor_carrier.recipient_notice AS n
             WHERE n.dissemination_id = d.dissemination_id AND n.told_time IS NULL)
      FROM motor_carrier.dissemination AS d
     WHERE d.agency_ori = wanted_agency
       AND (wanted_id IS NULL OR d.dissemination_id = wanted_id)
       AND (wanted_read IS NULL OR d.read_ids @> ARRAY[wanted_read])
       AND (overdue_at IS NULL OR (d.deleted_time IS NULL AND d.due_time <= overdue_at))
       AND d.entry_number < before_number
     ORDER BY d.entry_number DESC
     LIMIT most;
END;

-- As archive.registered_reads.
CREATE FUNCTION motor_carrier.registered_reads(wanted_id uuid, wanted_agency text) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT d.read_ids FROM motor_carrier.dissemination AS d
     WHERE d.dissemination_id = wanted_id AND d.agency_ori = wanted_agency;
END;

-- As archive.note_deletion.
CREATE FUNCTION motor_carrier.note_deletion(wanted_id uuid, wanted_agency text, intent uuid, statement text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    UPDATE motor_carrier.dissemination AS d
       SET deleted_time = clock_timestamp(), deletion_statement = note_deletion.statement, deletion_intent_id = intent
     WHERE d.dissemination_id = wanted_id AND d.agency_ori = wanted_agency AND d.deleted_time IS NULL;
    RETURN (SELECT d.deletion_intent_id FROM motor_carrier.dissemination AS d
             WHERE d.dissemination_id = wanted_id AND d.agency_ori = wanted_agency);
END
$$;

-- As archive.note_correction.
CREATE FUNCTION motor_carrier.note_correction(wrong_read uuid, wanted_agency text, intent uuid, statement text)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    INSERT INTO motor_carrier.recipient_notice (dissemination_id, kind, cause, statement)
    SELECT d.dissemination_id, 'CORRECTED', intent::text, note_correction.statement
      FROM motor_carrier.dissemination AS d
     WHERE d.read_ids @> ARRAY[wrong_read] AND d.deleted_time IS NULL
        ON CONFLICT (dissemination_id, kind, cause) DO NOTHING;
    RETURN (SELECT count(*) FROM motor_carrier.recipient_notice AS n
             WHERE n.kind = 'CORRECTED' AND n.cause = intent::text);
END
$$;

-- As archive.make_notices.
CREATE FUNCTION motor_carrier.make_notices() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    oldest timestamptz := archive.retention_of_all();
    made bigint;
BEGIN
    WITH due AS (
        SELECT d.dissemination_id, 'PURGED' AS kind, 'first' AS cause,
               'Reads in this file are no longer kept here; the first are gone.' AS statement
          FROM motor_carrier.dissemination AS d
         WHERE d.deleted_time IS NULL AND d.first_capture < oldest AND d.last_capture >= oldest
        UNION ALL
        SELECT d.dissemination_id, 'PURGED', 'last', 'None of the reads in this file is kept here any more.'
          FROM motor_carrier.dissemination AS d
         WHERE d.deleted_time IS NULL AND d.last_capture < oldest
        UNION ALL
        SELECT d.dissemination_id, 'OVERDUE', '', 'This file was to be deleted; say that it is, or why it is not.'
          FROM motor_carrier.dissemination AS d
         WHERE d.deleted_time IS NULL AND d.due_time <= clock_timestamp()
    )
    INSERT INTO motor_carrier.recipient_notice (dissemination_id, kind, cause, statement)
    SELECT due.dissemination_id, due.kind, due.cause, due.statement FROM due
     WHERE NOT EXISTS (
           SELECT FROM motor_carrier.recipient_notice AS n
            WHERE n.dissemination_id = due.dissemination_id AND n.kind = due.kind AND n.cause = due.cause)
        ON CONFLICT (dissemination_id, kind, cause) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END
$$;

-- As archive.recipient_notices.
CREATE FUNCTION motor_carrier.recipient_notices(
    wanted_agency text, wanted_id uuid, with_told boolean, after_number bigint, most integer
) RETURNS TABLE (
    notice_id uuid, notice_number bigint, kind text, dissemination_id uuid, recipient bytea, file_sha256 bytea,
    statement text, notice_time timestamptz, told_time timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT n.notice_id, n.notice_number, n.kind, n.dissemination_id, d.recipient, d.file_sha256, n.statement,
           n.notice_time, n.told_time
      FROM motor_carrier.recipient_notice AS n
      JOIN motor_carrier.dissemination AS d ON d.dissemination_id = n.dissemination_id
     WHERE d.agency_ori = wanted_agency
       AND (wanted_id IS NULL OR n.notice_id = wanted_id)
       AND (with_told OR n.told_time IS NULL)
       AND n.notice_number > after_number
     ORDER BY n.notice_number
     LIMIT most;
END;

-- As archive.note_told.
CREATE FUNCTION motor_carrier.note_told(wanted_id uuid, wanted_agency text, intent uuid, statement text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    UPDATE motor_carrier.recipient_notice AS n
       SET told_time = clock_timestamp(), told_statement = note_told.statement, told_intent_id = intent
      FROM motor_carrier.dissemination AS d
     WHERE n.notice_id = wanted_id AND d.dissemination_id = n.dissemination_id AND d.agency_ori = wanted_agency
       AND n.told_time IS NULL;
    RETURN (SELECT n.told_intent_id FROM motor_carrier.recipient_notice AS n
              JOIN motor_carrier.dissemination AS d ON d.dissemination_id = n.dissemination_id
             WHERE n.notice_id = wanted_id AND d.agency_ori = wanted_agency);
END
$$;

-- As archive.evidence_packages.
CREATE FUNCTION motor_carrier.evidence_packages(
    wanted_maker text, wanted_report text, before_number bigint, most integer
) RETURNS TABLE (
    evidence_id uuid, evidence_number bigint, read_id uuid, capture_day date, report_number text,
    evidence_system text, evidence_item text, account_id text, agency_ori text, case_number text,
    made_time timestamptz, manifest_sha256 bytea, package_bytes bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT e.evidence_id, e.evidence_number, e.read_id, e.capture_day, e.report_number, e.evidence_system,
           e.evidence_item, d.account_id, d.agency_ori, e.case_number, d.made_time, d.file_sha256, e.package_bytes
      FROM motor_carrier.evidence AS e
      JOIN motor_carrier.dissemination AS d ON d.dissemination_id = e.evidence_id
     WHERE e.maker_ori = wanted_maker
       AND (wanted_report = '' OR e.report_number = wanted_report)
       AND e.evidence_number < before_number
     ORDER BY e.evidence_number DESC
     LIMIT most;
END;

-- As archive.evidence_of_day.
CREATE FUNCTION motor_carrier.evidence_of_day(day date) RETURNS TABLE (packages bigint, digest bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT count(*), sha256(coalesce(string_agg(uuid_send(e.evidence_id), ''::bytea ORDER BY e.evidence_id), ''::bytea))
      FROM motor_carrier.evidence AS e WHERE e.capture_day = day;
END;

COMMENT ON TABLE motor_carrier.dissemination IS 'kept: register of what left, by read ids';
COMMENT ON TABLE motor_carrier.recipient_notice IS 'kept: what recipients are told';

-- As archive.older_rows: holds and evidence packages are named, too.
CREATE OR REPLACE FUNCTION motor_carrier.older_rows() RETURNS TABLE (place text, row_count bigint, oldest date, why text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    kept_from date := (archive.retention_of_all() AT TIME ZONE 'UTC')::date;
    looked record;
    older text;
BEGIN
    FOR looked IN
        SELECT c.relname::text AS name, array_agg(a.attname::text) AS columns
          FROM pg_class AS c
          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = 'motor_carrier'::regnamespace AND c.relkind IN ('r', 'm')
           AND coalesce(obj_description(c.oid, 'pg_class'), '') NOT LIKE 'kept: %'
         GROUP BY c.relname ORDER BY c.relname
    LOOP
        older := CASE
            WHEN looked.name IN ('permit_used', 'computed_answer') THEN
                'SELECT count(*), min(t.expires_at)::date FROM motor_carrier.%I AS t
                  WHERE t.expires_at < clock_timestamp() - interval ''3 hours'' AND $1 IS NOT NULL'
            WHEN 'capture_time' = ANY (looked.columns) THEN
                'SELECT count(*), (min(t.capture_time) AT TIME ZONE ''UTC'')::date FROM motor_carrier.%I AS t
                  WHERE t.capture_time < $1::timestamp AT TIME ZONE ''UTC'''
            WHEN 'capture_day' = ANY (looked.columns) THEN
                'SELECT count(*), min(t.capture_day) FROM motor_carrier.%I AS t WHERE t.capture_day < $1'
            WHEN 'arrived_on' = ANY (looked.columns) THEN
                'SELECT count(*), min(t.arrived_on) FROM motor_carrier.%I AS t WHERE t.arrived_on < $1'
        END;
        place := 'motor_carrier.' || looked.name;
        row_count := NULL;
        oldest := NULL;
        why := CASE WHEN older IS NULL THEN 'UNKNOWN' WHEN looked.name = 'held_read' THEN 'HOLD'
                    WHEN looked.name = 'evidence' THEN 'EVIDENCE' ELSE 'OLDER' END;
        IF older IS NOT NULL THEN
            BEGIN
                EXECUTE format(older, looked.name) INTO row_count, oldest USING kept_from;
            EXCEPTION WHEN undefined_table THEN
                row_count := 0;  -- a purge has dropped it meanwhile
            END;
        END IF;
        IF row_count IS DISTINCT FROM 0 THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;

GRANT EXECUTE ON FUNCTION
    motor_carrier.find_mcsreport(text, bigint, bigint, integer, integer, text, text),
    motor_carrier.report_pictures(text, bigint, bigint, integer, integer, text, text),
    motor_carrier.find_mcsevidence(text, bigint, bigint, integer, uuid, text, text, text),
    motor_carrier.evidence_picture(text),
    motor_carrier.find_mcsevidencecopy(text, bigint, bigint, integer, uuid),
    motor_carrier.general_computed(text, text)
    TO search_mcs_question;
GRANT EXECUTE ON FUNCTION
    motor_carrier.usual_due_time(),
    motor_carrier.register(uuid, text, uuid, text, text, uuid, bytea, bytea, bytea, text, bytea, bigint, uuid[],
                           timestamptz, timestamptz, timestamptz),
    motor_carrier.keep_evidence(uuid, uuid, date, text, text, text, text, text, text, text, bytea, bigint, text, bytea),
    motor_carrier.outcome_is_recorded(uuid, bytea),
    motor_carrier.entries_without_outcome(timestamptz),
    motor_carrier.disseminations(text, uuid, uuid, timestamptz, bigint, integer),
    motor_carrier.registered_reads(uuid, text),
    motor_carrier.note_deletion(uuid, text, uuid, text),
    motor_carrier.note_correction(uuid, text, uuid, text),
    motor_carrier.make_notices(),
    motor_carrier.recipient_notices(text, uuid, boolean, bigint, integer),
    motor_carrier.note_told(uuid, text, uuid, text),
    motor_carrier.evidence_packages(text, text, bigint, integer)
    TO search_mcs_register;
GRANT EXECUTE ON FUNCTION motor_carrier.evidence_of_day(date) TO search_mcs_purge;

RESET ROLE;
