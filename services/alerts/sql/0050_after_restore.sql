-- What every schema that a restore may bring back to an older state has: `after_restore`, run by the operator's
-- `python -m services.common.restored` before the service starts again. It says what it did.
SET LOCAL ROLE alerts_owner;

CREATE FUNCTION alerts.after_restore(restored_to timestamptz) RETURNS text
LANGUAGE sql SET search_path = alerts, pg_temp AS $$
    SELECT format('epoch %s begins; whoever resumes a stream of before is told to read on from %s',
                  alerts.begin_epoch(restored_to), restored_to)
$$;
REVOKE ALL ON FUNCTION alerts.after_restore(timestamptz) FROM PUBLIC;

RESET ROLE;
