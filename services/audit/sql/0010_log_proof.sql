-- What proves the log to be whole, and what may lawfully be taken out of it (ENF-051 IV.E.2; ADR 0035).
SET LOCAL ROLE audit_owner;

-- The newest checkpoint that each witness has signed.
CREATE TABLE audit.log_witnessed (
    witness    text        PRIMARY KEY CHECK (length(witness) BETWEEN 1 AND 200),
    size       bigint      NOT NULL CHECK (size >= 0),
    checkpoint text        NOT NULL CHECK (length(checkpoint) <= 4000),
    added_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A checkpoint that the log signed and does not hold: while it stands here, no replica appends. Only a restore, with
-- the migration credential, takes it away.
CREATE TABLE audit.log_closed (
    one        boolean     PRIMARY KEY DEFAULT true CHECK (one),
    checkpoint text        NOT NULL CHECK (length(checkpoint) <= 4000),
    closed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Fields that were taken out on legal grounds, in the order in which that was done; copies of the log follow it.
CREATE TABLE audit.redaction (
    number      bigint      PRIMARY KEY CHECK (number > 0),
    log_index   bigint      NOT NULL REFERENCES audit.log_leaf,
    name        text        NOT NULL,
    intent_id   uuid        NOT NULL,
    redacted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (log_index, name)
);

-- Value of a field of an entry; NULL when it has none.
CREATE FUNCTION audit.field_of(entry uuid, wanted text) RETURNS text
LANGUAGE sql STABLE SET search_path = audit, pg_temp AS $$
    SELECT f.value FROM audit.log_leaf AS l JOIN audit.log_field AS f ON f.log_index = l.log_index AND f.name = wanted
     WHERE l.entry_id = entry
$$;
REVOKE ALL ON FUNCTION audit.field_of(uuid, text) FROM PUBLIC;

-- Nobody, the owner included, notes a redaction for which the log has no act, or of a field that stays always.
CREATE FUNCTION audit.only_acts_redact() RETURNS trigger LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
DECLARE
    entry uuid := (SELECT l.entry_id FROM audit.log_leaf AS l WHERE l.log_index = NEW.log_index);
BEGIN
    IF audit.field_of(NEW.intent_id, 'action') IS DISTINCT FROM 'log.redact'
       OR audit.field_of(NEW.intent_id, 'kind') IS DISTINCT FROM 'intent'
       OR audit.field_of(NEW.intent_id, 'resource') IS DISTINCT FROM entry::text
       OR NEW.name NOT IN (audit.field_of(NEW.intent_id, 'detail.field'), 'request_digest') THEN
        RAISE EXCEPTION 'no such redaction is on record' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.name IN ('entry_id', 'kind', 'record_time', 'action', 'actor', 'actor_agency', 'service', 'subject',
                    'decision', 'result', 'clauses') THEN
        RAISE EXCEPTION 'this field stays always' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION audit.only_acts_redact() FROM PUBLIC;

-- A field goes only with its redaction; nothing else about it ever changes.
CREATE FUNCTION audit.refuse_unless_redacted() RETURNS trigger LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM audit.redaction AS r
                                     WHERE r.log_index = OLD.log_index AND r.name = OLD.name) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'entries of the log are never changed' USING ERRCODE = 'insufficient_privilege';
END
$$;
REVOKE ALL ON FUNCTION audit.refuse_unless_redacted() FROM PUBLIC;

DROP TRIGGER keep ON audit.log_field;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON audit.log_field
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_unless_redacted();
CREATE TRIGGER acts BEFORE INSERT ON audit.redaction FOR EACH ROW EXECUTE FUNCTION audit.only_acts_redact();
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON audit.redaction FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON audit.redaction FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
ALTER TABLE audit.log_field ENABLE ALWAYS TRIGGER keep;
ALTER TABLE audit.redaction ENABLE ALWAYS TRIGGER acts;
ALTER TABLE audit.redaction ENABLE ALWAYS TRIGGER keep;
ALTER TABLE audit.redaction ENABLE ALWAYS TRIGGER keep_all;

-- Carries out a recorded redaction, once for each intent: takes out value and salt of the field, and of the digest that
-- was made from it. Everything comes from the act in the log; the caller only says which act. Number of fields gone.
CREATE FUNCTION audit.redact(intent uuid) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
    place bigint := (SELECT l.log_index FROM audit.log_leaf AS l
                      WHERE l.entry_id::text = audit.field_of(intent, 'resource'));
    newest bigint;
    gone integer;
BEGIN
    IF place IS NULL OR audit.field_of(intent, 'action') IS DISTINCT FROM 'log.redact' THEN
        RAISE EXCEPTION 'no such redaction is on record' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- One after another, so that numbers have no gaps.
    LOCK TABLE audit.redaction IN SHARE ROW EXCLUSIVE MODE;
    INSERT INTO audit.change (intent_id) VALUES (intent) ON CONFLICT DO NOTHING;
    newest := (SELECT coalesce(max(r.number), 0) FROM audit.redaction AS r);
    -- Also where the field is gone already, as in entries that came back from a copy: numbers stay the copy's.
    INSERT INTO audit.redaction (number, log_index, name, intent_id)
    SELECT newest + row_number() OVER (ORDER BY n.name), place, n.name, intent
      FROM unnest(ARRAY[audit.field_of(intent, 'detail.field'), 'request_digest']) AS n (name)
     WHERE NOT EXISTS (SELECT FROM audit.redaction AS r WHERE r.log_index = place AND r.name = n.name);
    DELETE FROM audit.log_field AS f
     USING audit.redaction AS r
     WHERE r.log_index = place AND f.log_index = r.log_index AND f.name = r.name;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
REVOKE ALL ON FUNCTION audit.redact(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.redact(uuid) TO audit_app;

-- Leaves and fields are inserted by one statement, and who may insert the one may insert the other: the check of each
-- field by itself cost the store a third of its speed, and protected nothing that a leaf's commitments do not.
ALTER TABLE audit.log_field DROP CONSTRAINT log_field_log_index_fkey;

-- Entries by person and by case, and what has an outcome.
CREATE INDEX log_field_found ON audit.log_field (value, log_index) WHERE name IN ('actor', 'case_number', 'subject');
CREATE INDEX log_leaf_by_time ON audit.log_leaf USING brin (record_time) WITH (pages_per_range = 16);

GRANT SELECT, INSERT, UPDATE (size, checkpoint, added_at) ON audit.log_witnessed TO audit_app;
GRANT SELECT, INSERT ON audit.log_closed TO audit_app;
GRANT SELECT ON audit.redaction TO audit_app;

RESET ROLE;
