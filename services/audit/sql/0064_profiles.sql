-- A profile is corrected, and a person moved to another unit (ENF-051 III.C.2.b), by a recorded act alone: everything comes
-- from the act in the log, and the caller only says which. Who an account is of, and its agency, do not change.
SET LOCAL ROLE audit_owner;

-- Carries out a recorded correction. False, and nothing has changed, when the profile is not what the act says that it was,
-- or when its holder would leave the unit that he is appointed to coordinate (III.C.1).
CREATE FUNCTION audit.update_profile(intent uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
BEGIN
    IF audit.field_of(intent, 'action') IS DISTINCT FROM 'account.update'
       OR audit.field_of(intent, 'kind') IS DISTINCT FROM 'intent' THEN
        RAISE EXCEPTION 'no such act is on record' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE audit.account AS a
       SET full_name = coalesce(audit.field_of(intent, 'detail.full_name'), a.full_name),
           badge_number = coalesce(audit.field_of(intent, 'detail.badge_number'), a.badge_number),
           email = coalesce(audit.field_of(intent, 'detail.email'), a.email),
           unit = coalesce(audit.field_of(intent, 'detail.unit'), a.unit)
     WHERE a.account_id = audit.field_of(intent, 'resource')::uuid
       AND a.full_name = coalesce(audit.field_of(intent, 'detail.full_name_before'), a.full_name)
       AND a.badge_number = coalesce(audit.field_of(intent, 'detail.badge_number_before'), a.badge_number)
       AND a.email = coalesce(audit.field_of(intent, 'detail.email_before'), a.email)
       AND a.unit = coalesce(audit.field_of(intent, 'detail.unit_before'), a.unit)
       AND NOT EXISTS (
           SELECT FROM audit.appointment AS held
            WHERE held.account_id = a.account_id AND held.code = a.unit AND held.end_time IS NULL
              AND a.unit <> coalesce(audit.field_of(intent, 'detail.unit'), a.unit)
       );
    RETURN FOUND;
END
$$;
REVOKE ALL ON FUNCTION audit.update_profile(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.update_profile(uuid) TO audit_app;

RESET ROLE;
