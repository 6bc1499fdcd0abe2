-- What leaves as a file: the register of it, and evidence packages that outlive their reads (ENF-051 III.B.3.m,
-- III.B.3.n, III.D.5, IV.B). A login of its own keeps the register: it knows read ids, case numbers and recipients, and
-- no plate, place or picture.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'search_register') THEN
        CREATE ROLE search_register LOGIN NOINHERIT;
    END IF;
    -- As for the other logins of search (0000_roles.sql).
    BEGIN
        ALTER ROLE search_register SET log_parameter_max_length = 0;
        ALTER ROLE search_register SET log_error_verbosity = terse;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'set log_parameter_max_length = 0 and log_error_verbosity = terse for search_register by hand';
    END;
    ALTER ROLE search_register SET log_parameter_max_length_on_error = 0;
END
$$;
GRANT USAGE ON SCHEMA archive TO search_register;

SET LOCAL ROLE archive_owner;

-- An entry: a file that left, or one that was handed on (then export_id names the first). `recipient`,
-- `justification` and `redactions` are serialized messages of alpr.search.v1 and alpr.type.v1. An entry is never
-- changed but for its end, and never removed.
CREATE TABLE archive.dissemination (
    dissemination_id uuid PRIMARY KEY,      -- the intent in audit's log
    entry_number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    kind text NOT NULL CHECK (kind IN ('REPORT', 'EVIDENCE', 'EXPORT', 'HANDED_ON')),
    export_id uuid REFERENCES archive.dissemination,
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
CREATE INDEX dissemination_by_agency ON archive.dissemination (agency_ori, entry_number DESC);
CREATE INDEX dissemination_by_read ON archive.dissemination USING gin (read_ids);
CREATE INDEX dissemination_open ON archive.dissemination (due_time) WHERE deleted_time IS NULL;
CREATE INDEX dissemination_without_outcome ON archive.dissemination (made_time) WHERE receipt IS NULL;

-- What a recipient is to be told.
CREATE TABLE archive.recipient_notice (
    notice_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    notice_number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    dissemination_id uuid NOT NULL REFERENCES archive.dissemination,
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
CREATE INDEX recipient_notice_open ON archive.recipient_notice (notice_number) WHERE told_time IS NULL;

-- A kept evidence package. The sealed files lie in the object store as `object_name`; `wrapped_key` opens them with the
-- service's evidence key, and leaves through a permit only.
CREATE TABLE archive.evidence (
    evidence_id uuid PRIMARY KEY REFERENCES archive.dissemination,
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
CREATE INDEX evidence_by_maker ON archive.evidence (maker_ori, evidence_number DESC);
CREATE INDEX evidence_by_read ON archive.evidence (read_id);
CREATE INDEX evidence_by_day ON archive.evidence (capture_day);

-- --- Questions whose answers become files ---------------------------------------------------------------------------

-- Puts the question of a report: these reads, newest first, and the pictures of the first `pictures` of them.
CREATE FUNCTION archive.find_report(
    permit text, from_us bigint, to_us bigint, page_size integer, pictures integer, read_ids text, caption text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'report');
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_start());
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    found_ids uuid[];
    found_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.report_question(
        from_us, to_us, page_size, pictures, read_ids, caption));
    SELECT array_agg(f.read_id ORDER BY f.capture_time DESC, f.read_id DESC),
           array_agg(f.capture_time ORDER BY f.capture_time DESC, f.read_id DESC)
      INTO found_ids, found_times
      FROM (SELECT DISTINCT w.wanted::uuid AS wanted
              FROM unnest(string_to_array(read_ids, ',')) AS w (wanted) LIMIT least(page_size, 1000)) AS w
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.capture_time
              FROM archive.read AS r
             WHERE r.read_id = w.wanted
               AND r.capture_time >= archive.read_millisecond(w.wanted)
               AND r.capture_time < archive.read_millisecond(w.wanted) + interval '1 millisecond'
               AND r.capture_time >= from_time AND r.capture_time < to_time
               AND r.agency_ori = ANY (opened.agency_oris)
               AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups))
             LIMIT 1) AS f;
    PERFORM archive.keep_answer(opened, found_ids, found_times, false);
END
$$;

CREATE FUNCTION archive.report_question(
    from_us bigint, to_us bigint, page_size integer, pictures integer, read_ids text, caption text
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN archive.general_question('report', from_us, to_us, page_size,
    archive.canonical_line('pictures', pictures::text),
    archive.canonical_line('read_ids', archive.argument_value(read_ids)),
    archive.canonical_line('caption', archive.argument_value(caption)));

-- Where the pictures of a report are and what opens them: of as many reads as the recorded question says, at most 50.
CREATE FUNCTION archive.report_pictures(
    permit text, from_us bigint, to_us bigint, page_size integer, pictures integer, read_ids text, caption text
) RETURNS TABLE (read_id uuid, image_sha256 bytea, image_day date, image_media_type text, image_size bigint,
                 image_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'report');
    kept archive.permit_used := archive.kept_answer(opened);
BEGIN
    PERFORM archive.require_question(opened, archive.report_question(
        from_us, to_us, page_size, pictures, report_pictures.read_ids, caption));
    RETURN QUERY SELECT * FROM archive.pictures_of(
        kept.read_ids[:least(pictures, 50)], kept.capture_times[:least(pictures, 50)]);
END
$$;

-- Images and keys of these reads, in their order.
CREATE FUNCTION archive.pictures_of(read_ids uuid[], capture_times timestamptz[])
RETURNS TABLE (read_id uuid, image_sha256 bytea, image_day date, image_media_type text, image_size bigint,
               image_key bytea)
LANGUAGE sql STABLE SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT f.read_id, f.image_sha256, f.image_day, f.image_media_type, f.image_size, f.image_key
      FROM unnest(read_ids, capture_times) WITH ORDINALITY AS a (read_id, capture_time, n)
     CROSS JOIN LATERAL (
            SELECT r.read_id, r.image_sha256, r.image_day, r.image_media_type, r.image_size, r.image_key
              FROM archive.read AS r
             WHERE r.read_id = a.read_id AND r.capture_time = a.capture_time
             LIMIT 1) AS f
     ORDER BY a.n;
END;

CREATE FUNCTION archive.evidence_question(
    from_us bigint, to_us bigint, page_size integer, read_id uuid, report_number text, evidence_system text,
    evidence_item text
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = archive, pg_temp
RETURN archive.general_question('evidence', from_us, to_us, page_size,
    archive.canonical_line('read_id', read_id::text),
    archive.canonical_line('report_number', archive.argument_value(report_number)),
    archive.canonical_line('evidence_system', archive.argument_value(evidence_system)),
    archive.canonical_line('evidence_item', archive.argument_value(evidence_item)));

-- Puts the question of an evidence package: one read with its picture, for this report.
CREATE FUNCTION archive.find_evidence(
    permit text, from_us bigint, to_us bigint, page_size integer, read_id uuid, report_number text,
    evidence_system text, evidence_item text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'evidence');
    captured timestamptz := archive.read_millisecond(read_id);
    from_time timestamptz := greatest(archive.moment(from_us), opened.from_time, archive.retention_start());
    to_time timestamptz := least(archive.moment(to_us), opened.to_time);
    found_ids uuid[];
    found_times timestamptz[];
BEGIN
    PERFORM archive.require_question(opened, archive.evidence_question(
        from_us, to_us, page_size, read_id, report_number, evidence_system, evidence_item));
    SELECT array_agg(r.read_id), array_agg(r.capture_time)
      INTO found_ids, found_times
      FROM archive.read AS r
     WHERE r.read_id = find_evidence.read_id
       AND r.capture_time >= captured AND r.capture_time < captured + interval '1 millisecond'
       AND r.capture_time >= from_time AND r.capture_time < to_time
       AND r.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR r.sensor_group = ANY (opened.sensor_groups));
    PERFORM archive.keep_answer(opened, found_ids, found_times, false);
END
$$;

-- Where the picture of the evidence is and what opens it.
CREATE FUNCTION archive.evidence_picture(permit text)
RETURNS TABLE (read_id uuid, image_sha256 bytea, image_day date, image_media_type text, image_size bigint,
               image_key bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
#variable_conflict use_column
DECLARE
    kept archive.permit_used := archive.kept_answer(archive.opened_permit(permit, 'evidence'));
BEGIN
    RETURN QUERY SELECT * FROM archive.pictures_of(kept.read_ids, kept.capture_times);
END
$$;

-- Puts the question "give me this evidence package again". It is kept under the case, not for the retention period:
-- the one exception to it, counted in the certificate of its day.
CREATE FUNCTION archive.find_evidencecopy(
    permit text, from_us bigint, to_us bigint, page_size integer, evidence_id uuid
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    opened archive.permit := archive.opened_permit(permit, 'evidencecopy');
    found jsonb;
BEGIN
    PERFORM archive.require_question(opened, archive.general_question('evidencecopy', from_us, to_us, page_size,
        archive.canonical_line('evidence_id', evidence_id::text)));
    SELECT jsonb_build_object(
               'evidence_id', e.evidence_id, 'read_id', e.read_id, 'capture_day', e.capture_day,
               'package_sha256', encode(e.package_sha256, 'hex'), 'package_bytes', e.package_bytes,
               'object_name', e.object_name, 'wrapped_key', encode(e.wrapped_key, 'hex'),
               'manifest_sha256', encode(d.file_sha256, 'hex'), 'receipt', encode(d.receipt, 'hex'))
      INTO found
      FROM archive.evidence AS e
      JOIN archive.dissemination AS d ON d.dissemination_id = e.evidence_id
     WHERE e.evidence_id = find_evidencecopy.evidence_id
       AND e.agency_ori = ANY (opened.agency_oris)
       AND (cardinality(opened.sensor_groups) = 0 OR e.sensor_group = ANY (opened.sensor_groups));
    PERFORM archive.keep_computed(opened, coalesce(found, 'null')::text, (found IS NOT NULL)::integer, false);
END
$$;

-- --- The register ---------------------------------------------------------------------------------------------------

-- When a file that leaves now must be deleted, if nobody says otherwise: when a read of now would be.
CREATE FUNCTION archive.usual_due_time() RETURNS timestamptz
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = archive, pg_temp
RETURN clock_timestamp() + (clock_timestamp() - archive.retention_start());

-- Writes an entry, once for each intent. Gives its number.
CREATE FUNCTION archive.register(
    dissemination_id uuid, kind text, export_id uuid, account_id text, agency_ori text, question_entry_id uuid,
    recipient bytea, justification bytea, redactions bytea, format text, file_sha256 bytea, file_bytes bigint,
    read_ids uuid[], first_capture timestamptz, last_capture timestamptz, due_time timestamptz
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    number bigint;
BEGIN
    INSERT INTO archive.dissemination (
        dissemination_id, kind, export_id, account_id, agency_ori, question_entry_id, recipient, justification,
        redactions, format, file_sha256, file_bytes, read_ids, first_capture, last_capture, made_time, due_time)
    VALUES (dissemination_id, kind, export_id, account_id, agency_ori, question_entry_id, recipient, justification,
            redactions, format, file_sha256, file_bytes, read_ids, first_capture, last_capture, clock_timestamp(),
            due_time)
        ON CONFLICT ON CONSTRAINT dissemination_pkey DO NOTHING;
    SELECT d.entry_number INTO number FROM archive.dissemination AS d WHERE d.dissemination_id = dissemination_id;
    RETURN number;
END
$$;

-- Keeps an evidence package with its entry, which is written in the same transaction; gives the name of the object that
-- counts, which is another one when the same package was kept before.
CREATE FUNCTION archive.keep_evidence(
    evidence_id uuid, read_id uuid, capture_day date, agency_ori text, sensor_group text, maker_ori text,
    case_number text, report_number text, evidence_system text, evidence_item text, package_sha256 bytea,
    package_bytes bigint, object_name text, wrapped_key bytea
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
#variable_conflict use_variable
BEGIN
    INSERT INTO archive.evidence (
        evidence_id, read_id, capture_day, agency_ori, sensor_group, maker_ori, case_number, report_number,
        evidence_system, evidence_item, package_sha256, package_bytes, object_name, wrapped_key)
    VALUES (evidence_id, read_id, capture_day, agency_ori, sensor_group, maker_ori, case_number, report_number,
            evidence_system, evidence_item, package_sha256, package_bytes, object_name, wrapped_key)
        ON CONFLICT ON CONSTRAINT evidence_pkey DO NOTHING;
    RETURN (SELECT e.object_name FROM archive.evidence AS e WHERE e.evidence_id = evidence_id);
END
$$;

-- Notes that audit has the outcome of an entry's intent, with the receipt of it; the first one stays.
CREATE FUNCTION archive.outcome_is_recorded(wanted_id uuid, receipt bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    UPDATE archive.dissemination AS d SET receipt = outcome_is_recorded.receipt
     WHERE d.dissemination_id = wanted_id AND d.receipt IS NULL;
END;

-- Entries older than `before` whose outcome audit may not have.
CREATE FUNCTION archive.entries_without_outcome(before timestamptz) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT d.dissemination_id FROM archive.dissemination AS d
     WHERE d.receipt IS NULL AND d.made_time < before ORDER BY d.made_time LIMIT 100;
END;

-- Entries of an agency, newest first: all, or those that hold a read, or those that were due at a moment and are not
-- deleted.
CREATE FUNCTION archive.disseminations(
    wanted_agency text, wanted_id uuid, wanted_read uuid, overdue_at timestamptz, before_number bigint, most integer
) RETURNS TABLE (
    dissemination_id uuid, entry_number bigint, kind text, export_id uuid, account_id text, agency_ori text,
    question_entry_id uuid, recipient bytea, justification bytea, redactions bytea, format text, file_sha256 bytea,
    file_bytes bigint, read_count integer, first_capture timestamptz, last_capture timestamptz, made_time timestamptz,
    due_time timestamptz, deleted_time timestamptz, open_notices bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT d.dissemination_id, d.entry_number, d.kind, d.export_id, d.account_id, d.agency_ori, d.question_entry_id,
           d.recipient, d.justification, d.redactions, d.format, d.file_sha256, d.file_bytes,
           cardinality(d.read_ids), d.first_capture, d.last_capture, d.made_time, d.due_time, d.deleted_time,
           (SELECT count(*) FROM archive.recipient_notice AS n
             WHERE n.dissemination_id = d.dissemination_id AND n.told_time IS NULL)
      FROM archive.dissemination AS d
     WHERE d.agency_ori = wanted_agency
       AND (wanted_id IS NULL OR d.dissemination_id = wanted_id)
       AND (wanted_read IS NULL OR d.read_ids @> ARRAY[wanted_read])
       AND (overdue_at IS NULL OR (d.deleted_time IS NULL AND d.due_time <= overdue_at))
       AND d.entry_number < before_number
     ORDER BY d.entry_number DESC
     LIMIT most;
END;

-- Reads of a registered file, for one that is handed on.
CREATE FUNCTION archive.registered_reads(wanted_id uuid, wanted_agency text) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT d.read_ids FROM archive.dissemination AS d
     WHERE d.dissemination_id = wanted_id AND d.agency_ori = wanted_agency;
END;

-- Notes that a recipient has deleted its file, once: the intent that did it, null when there is no such entry.
CREATE FUNCTION archive.note_deletion(wanted_id uuid, wanted_agency text, intent uuid, statement text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
BEGIN
    UPDATE archive.dissemination AS d
       SET deleted_time = clock_timestamp(), deletion_statement = note_deletion.statement, deletion_intent_id = intent
     WHERE d.dissemination_id = wanted_id AND d.agency_ori = wanted_agency AND d.deleted_time IS NULL;
    RETURN (SELECT d.deletion_intent_id FROM archive.dissemination AS d
             WHERE d.dissemination_id = wanted_id AND d.agency_ori = wanted_agency);
END
$$;

-- Makes the notices of a correction, one for each file that holds the read, whoever it went to; gives their number.
CREATE FUNCTION archive.note_correction(wrong_read uuid, wanted_agency text, intent uuid, statement text)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
BEGIN
    INSERT INTO archive.recipient_notice (dissemination_id, kind, cause, statement)
    SELECT d.dissemination_id, 'CORRECTED', intent::text, note_correction.statement
      FROM archive.dissemination AS d
     WHERE d.read_ids @> ARRAY[wrong_read] AND d.deleted_time IS NULL
        ON CONFLICT (dissemination_id, kind, cause) DO NOTHING;
    RETURN (SELECT count(*) FROM archive.recipient_notice AS n
             WHERE n.kind = 'CORRECTED' AND n.cause = intent::text);
END
$$;

-- Makes the notices that are due: of reads that are past the retention period, first and last, and of files that
-- should have been deleted. Gives their number. To be called again and again; each notice is made once.
CREATE FUNCTION archive.make_notices() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    oldest timestamptz := archive.retention_start();
    made bigint;
BEGIN
    WITH due AS (
        SELECT d.dissemination_id, 'PURGED' AS kind, 'first' AS cause,
               'Reads in this file are no longer kept here; the first are gone.' AS statement
          FROM archive.dissemination AS d
         WHERE d.deleted_time IS NULL AND d.first_capture < oldest AND d.last_capture >= oldest
        UNION ALL
        SELECT d.dissemination_id, 'PURGED', 'last', 'None of the reads in this file is kept here any more.'
          FROM archive.dissemination AS d
         WHERE d.deleted_time IS NULL AND d.last_capture < oldest
        UNION ALL
        SELECT d.dissemination_id, 'OVERDUE', '', 'This file was to be deleted; say that it is, or why it is not.'
          FROM archive.dissemination AS d
         WHERE d.deleted_time IS NULL AND d.due_time <= clock_timestamp()
    )
    INSERT INTO archive.recipient_notice (dissemination_id, kind, cause, statement)
    SELECT due.dissemination_id, due.kind, due.cause, due.statement FROM due
     WHERE NOT EXISTS (
           SELECT FROM archive.recipient_notice AS n
            WHERE n.dissemination_id = due.dissemination_id AND n.kind = due.kind AND n.cause = due.cause)
        ON CONFLICT (dissemination_id, kind, cause) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END
$$;

-- Notices about files of an agency, oldest first.
CREATE FUNCTION archive.recipient_notices(
    wanted_agency text, wanted_id uuid, with_told boolean, after_number bigint, most integer
) RETURNS TABLE (
    notice_id uuid, notice_number bigint, kind text, dissemination_id uuid, recipient bytea, file_sha256 bytea,
    statement text, notice_time timestamptz, told_time timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT n.notice_id, n.notice_number, n.kind, n.dissemination_id, d.recipient, d.file_sha256, n.statement,
           n.notice_time, n.told_time
      FROM archive.recipient_notice AS n
      JOIN archive.dissemination AS d ON d.dissemination_id = n.dissemination_id
     WHERE d.agency_ori = wanted_agency
       AND (wanted_id IS NULL OR n.notice_id = wanted_id)
       AND (with_told OR n.told_time IS NULL)
       AND n.notice_number > after_number
     ORDER BY n.notice_number
     LIMIT most;
END;

-- Notes that the recipient was told, once: the intent that did it, null when there is no such notice.
CREATE FUNCTION archive.note_told(wanted_id uuid, wanted_agency text, intent uuid, statement text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
BEGIN
    UPDATE archive.recipient_notice AS n
       SET told_time = clock_timestamp(), told_statement = note_told.statement, told_intent_id = intent
      FROM archive.dissemination AS d
     WHERE n.notice_id = wanted_id AND d.dissemination_id = n.dissemination_id AND d.agency_ori = wanted_agency
       AND n.told_time IS NULL;
    RETURN (SELECT n.told_intent_id FROM archive.recipient_notice AS n
              JOIN archive.dissemination AS d ON d.dissemination_id = n.dissemination_id
             WHERE n.notice_id = wanted_id AND d.agency_ori = wanted_agency);
END
$$;

-- Packages that people of an agency made, newest first.
CREATE FUNCTION archive.evidence_packages(
    wanted_maker text, wanted_report text, before_number bigint, most integer
) RETURNS TABLE (
    evidence_id uuid, evidence_number bigint, read_id uuid, capture_day date, report_number text,
    evidence_system text, evidence_item text, account_id text, agency_ori text, case_number text,
    made_time timestamptz, manifest_sha256 bytea, package_bytes bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT e.evidence_id, e.evidence_number, e.read_id, e.capture_day, e.report_number, e.evidence_system,
           e.evidence_item, d.account_id, d.agency_ori, e.case_number, d.made_time, d.file_sha256, e.package_bytes
      FROM archive.evidence AS e
      JOIN archive.dissemination AS d ON d.dissemination_id = e.evidence_id
     WHERE e.maker_ori = wanted_maker
       AND (wanted_report = '' OR e.report_number = wanted_report)
       AND e.evidence_number < before_number
     ORDER BY e.evidence_number DESC
     LIMIT most;
END;

-- What of a day outlives its purge as evidence: packages, and SHA-256 of their ids in order. For the certificate.
CREATE FUNCTION archive.evidence_of_day(day date) RETURNS TABLE (packages bigint, digest bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = archive, pg_temp
BEGIN ATOMIC
    SELECT count(*), sha256(coalesce(string_agg(uuid_send(e.evidence_id), ''::bytea ORDER BY e.evidence_id), ''::bytea))
      FROM archive.evidence AS e WHERE e.capture_day = day;
END;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA archive FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    archive.find_report(text, bigint, bigint, integer, integer, text, text),
    archive.report_pictures(text, bigint, bigint, integer, integer, text, text),
    archive.find_evidence(text, bigint, bigint, integer, uuid, text, text, text),
    archive.evidence_picture(text),
    archive.find_evidencecopy(text, bigint, bigint, integer, uuid)
    TO search_question;
GRANT EXECUTE ON FUNCTION
    archive.usual_due_time(),
    archive.register(uuid, text, uuid, text, text, uuid, bytea, bytea, bytea, text, bytea, bigint, uuid[],
                     timestamptz, timestamptz, timestamptz),
    archive.keep_evidence(uuid, uuid, date, text, text, text, text, text, text, text, bytea, bigint, text, bytea),
    archive.outcome_is_recorded(uuid, bytea),
    archive.entries_without_outcome(timestamptz),
    archive.disseminations(text, uuid, uuid, timestamptz, bigint, integer),
    archive.registered_reads(uuid, text),
    archive.note_deletion(uuid, text, uuid, text),
    archive.note_correction(uuid, text, uuid, text),
    archive.make_notices(),
    archive.recipient_notices(text, uuid, boolean, bigint, integer),
    archive.note_told(uuid, text, uuid, text),
    archive.evidence_packages(text, text, bigint, integer)
    TO search_register;
GRANT EXECUTE ON FUNCTION archive.evidence_of_day(date) TO search_purge;

RESET ROLE;
