-- Entries that are listed no longer, and what that means for the alerts that they raised (ENF-051 III.D.4).
SET LOCAL ROLE alerts_owner;

-- Revision of the hot lists that the read was compared with; 0 where the matcher did not say.
ALTER TABLE alerts.hit ADD COLUMN match_revision bigint NOT NULL DEFAULT 0 CHECK (match_revision >= 0);

CREATE INDEX alert_entry_by_entry ON alerts.alert_entry (entry_id);

-- From `match_revision` on the entry is listed no longer. A hit of an older revision is withdrawn, whenever it comes;
-- one of a later revision is not: the entry was listed anew before it. `reason` as in alpr.alerts.v1.WithdrawReason.
CREATE TABLE alerts.withdrawal (
    entry_id uuid NOT NULL,
    match_revision bigint NOT NULL CHECK (match_revision > 0),
    hot_list_id uuid NOT NULL,
    intent_id uuid NOT NULL,
    withdraw_time timestamptz NOT NULL,
    reason smallint NOT NULL CHECK (reason BETWEEN 1 AND 4),
    record_time timestamptz NOT NULL,
    PRIMARY KEY (entry_id, match_revision)
);
CREATE TRIGGER permanent BEFORE UPDATE OR DELETE OR TRUNCATE ON alerts.withdrawal
FOR EACH STATEMENT EXECUTE FUNCTION alerts.refuse();
ALTER TABLE alerts.withdrawal ENABLE ALWAYS TRIGGER permanent;

-- When the last of its entries was taken off; null while one of them is listed.
CREATE FUNCTION alerts.withdrawn_at(alert uuid) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = alerts, pg_temp
RETURN (
    SELECT CASE WHEN bool_and(w.withdraw_time IS NOT NULL) THEN max(w.withdraw_time) END
      FROM alerts.alert_entry AS e
     CROSS JOIN LATERAL (
            SELECT h.match_revision FROM alerts.hit AS h
             WHERE h.alert_id = e.alert_id AND h.entry_id = e.entry_id AND h.list_version = e.list_version
             ORDER BY h.capture_time DESC, h.read_id DESC LIMIT 1) AS m
      LEFT JOIN LATERAL (
            SELECT w.withdraw_time FROM alerts.withdrawal AS w
             WHERE w.entry_id = e.entry_id AND w.match_revision > m.match_revision
             ORDER BY w.match_revision LIMIT 1) AS w ON true
     WHERE e.alert_id = alert);
REVOKE ALL ON FUNCTION alerts.withdrawn_at(uuid) FROM PUBLIC;

-- As in 0002_rules.sql, and: what was confirmed before it was withdrawn is confirmed no longer. Under a name of its own
-- beside `take_step`, so that the two rules stay readable; triggers run in the order of their names.
CREATE FUNCTION alerts.refuse_outdated_confirmation() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = alerts, pg_temp AS $$
DECLARE
    confirmed_at timestamptz;
BEGIN
    SELECT step_time INTO confirmed_at FROM alerts.alert_step
     WHERE alert_id = NEW.alert_id AND step_number = NEW.confirmation_step;
    IF confirmed_at <= alerts.withdrawn_at(NEW.alert_id) THEN
        RAISE EXCEPTION 'the entries were withdrawn after the confirmation' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION alerts.refuse_outdated_confirmation() FROM PUBLIC;
CREATE TRIGGER refuse_outdated_confirmation BEFORE INSERT ON alerts.alert_step
FOR EACH ROW WHEN (NEW.disposition IN (1, 2, 3)) EXECUTE FUNCTION alerts.refuse_outdated_confirmation();
ALTER TABLE alerts.alert_step ENABLE ALWAYS TRIGGER refuse_outdated_confirmation;

GRANT SELECT, INSERT ON alerts.withdrawal TO alerts_app;
GRANT EXECUTE ON FUNCTION alerts.withdrawn_at(uuid) TO alerts_app;

RESET ROLE;
