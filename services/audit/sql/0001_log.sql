-- The log. Entries are inserted once and never changed: the login may only INSERT and SELECT, triggers refuse the
-- rest to everybody, and only a checkpoint held elsewhere can show what a superuser did all the same (ADR 0004).
SET LOCAL ROLE audit_owner;

CREATE TABLE audit.log_leaf (
    log_index   bigint      PRIMARY KEY CHECK (log_index >= 0),
    entry_id    uuid        NOT NULL UNIQUE,
    request_key text        NOT NULL UNIQUE CHECK (length(request_key) <= 300),
    record_time timestamptz NOT NULL,
    leaf        bytea       NOT NULL,
    leaf_hash   bytea       NOT NULL CHECK (leaf_hash = sha256('\x00'::bytea || leaf))
);

-- Apart from the leaf, so that a field can be redacted lawfully while its commitment stays.
CREATE TABLE audit.log_field (
    log_index bigint NOT NULL REFERENCES audit.log_leaf,
    name      text   NOT NULL CHECK (name ~ '^[a-z_]+([.][a-z0-9_.-]+)?$'),
    salt      bytea  NOT NULL CHECK (length(salt) = 16),
    value     text   NOT NULL,
    PRIMARY KEY (log_index, name)
);

-- One row. Its lock makes commit order equal index order, so that numbers have no gaps and a reader that remembers
-- the last index it saw never skips an entry.
CREATE TABLE audit.log_head (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    size       bigint  NOT NULL CHECK (size >= 0),
    frontier   bytea   NOT NULL,
    checkpoint text    NOT NULL
);
INSERT INTO audit.log_head (size, frontier, checkpoint) VALUES (0, '', '');

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'entries of the log are never changed' USING ERRCODE = 'insufficient_privilege';
END
$$;
REVOKE ALL ON FUNCTION audit.refuse_change() FROM PUBLIC;

CREATE FUNCTION audit.only_grow() RETURNS trigger LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
BEGIN
    IF NEW.size <= OLD.size THEN
        RAISE EXCEPTION 'the log only grows' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION audit.only_grow() FROM PUBLIC;

CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON audit.log_leaf FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON audit.log_leaf FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON audit.log_field FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON audit.log_field FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER grow BEFORE UPDATE ON audit.log_head FOR EACH ROW EXECUTE FUNCTION audit.only_grow();
CREATE TRIGGER keep BEFORE DELETE ON audit.log_head FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER keep_all BEFORE TRUNCATE ON audit.log_head FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
-- ALWAYS: also under session_replication_role = replica.
ALTER TABLE audit.log_leaf ENABLE ALWAYS TRIGGER keep;
ALTER TABLE audit.log_leaf ENABLE ALWAYS TRIGGER keep_all;
ALTER TABLE audit.log_field ENABLE ALWAYS TRIGGER keep;
ALTER TABLE audit.log_field ENABLE ALWAYS TRIGGER keep_all;
ALTER TABLE audit.log_head ENABLE ALWAYS TRIGGER grow;
ALTER TABLE audit.log_head ENABLE ALWAYS TRIGGER keep;
ALTER TABLE audit.log_head ENABLE ALWAYS TRIGGER keep_all;

GRANT SELECT, INSERT ON audit.log_leaf, audit.log_field TO audit_app;
GRANT SELECT, UPDATE (size, frontier, checkpoint) ON audit.log_head TO audit_app;
