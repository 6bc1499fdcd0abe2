-- Transparency reports as they were published (ENF-051 IV.B.1), for ever.
SET LOCAL ROLE audit_owner;

CREATE TABLE audit.transparency_report (
    report_id    uuid        PRIMARY KEY,
    agency_ori   text        NOT NULL REFERENCES audit.agency,
    from_time    timestamptz NOT NULL,
    to_time      timestamptz NOT NULL CHECK (to_time > from_time),
    publish_time timestamptz NOT NULL,
    entries      bigint      NOT NULL CHECK (entries > 0),
    sha256       bytea       NOT NULL CHECK (sha256 = sha256(convert_to(report, 'UTF8'))),
    report       text        NOT NULL CHECK (length(report) <= 1000000),
    intent_id    uuid        NOT NULL,
    UNIQUE (agency_ori, from_time)
);

-- No month is in two reports: from a year and its months one could tell what each of them withholds.
CREATE TABLE audit.transparency_month (
    agency_ori text NOT NULL,
    month      date NOT NULL CHECK (extract(day FROM month) = 1),
    report_id  uuid NOT NULL REFERENCES audit.transparency_report,
    PRIMARY KEY (agency_ori, month)
);

CREATE TRIGGER transparency_report_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.transparency_report
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();
CREATE TRIGGER transparency_month_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.transparency_month
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_record_change();

GRANT SELECT, INSERT ON audit.transparency_report, audit.transparency_month TO audit_app;

-- "Who asked for this plate?" The plate that a recorded question names, with its wildcards, or NULL. A question that was
-- allowed has lines name:length:value; one that was refused has them in one line, without the length.
CREATE FUNCTION audit.plate_of(question text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT substring(question FROM '(?:^|\s)plate:(?:[0-9]+:)?([A-Z0-9?*]+)(?:\s|$)')
$$;
-- True when a recorded question names the plate, or a pattern that takes it in.
CREATE FUNCTION audit.names_plate(question text, plate text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = audit, pg_temp AS $$
    SELECT coalesce(CASE substring(question FROM '(?:^|\s)plate_form:(?:[0-9]+:)?([a-z_]+)(?:\s|$)')
        WHEN 'pattern' THEN plate LIKE translate(asked, '*?', '%_')
        WHEN 'look_alike' THEN
            translate(plate, 'OQDILZSGB', '000112568') LIKE translate(asked, '*?OQDILZSGB', '%_000112568')
        WHEN 'one_off' THEN EXISTS (
            SELECT FROM generate_series(0, 12) AS same
             WHERE left(plate, same) = left(asked, same)
               AND (substr(plate, same + 2) = substr(asked, same + 2)
                    OR substr(plate, same + 1) = substr(asked, same + 2)
                    OR substr(plate, same + 2) = substr(asked, same + 1)))
        ELSE asked = plate
    END, false)
    FROM audit.plate_of(question) AS asked
$$;
REVOKE ALL ON FUNCTION audit.plate_of(text), audit.names_plate(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.plate_of(text), audit.names_plate(text, text) TO audit_app;

-- Questions among all fields. An index of the plates themselves made every question dearer to record by a fifth, for
-- something that an auditor asks now and then.
CREATE INDEX log_field_question ON audit.log_field (log_index) WHERE name = 'question';

RESET ROLE;
