-- Notices about files of Motor Carrier Safety reach their recipients by e-mail (ENF-051 II.H, III.B.3.n), as those of the
-- archive (0101_notice_delivery.sql): what is to be sent, when it was tried, and how that ended.
SET LOCAL ROLE motor_carrier_owner;

-- One row for each notice that the system looked at: BY_PERSON where the recipient has no address. Whoever sends holds
-- the row until `leased_until`, so that no two replicas send at the same time.
CREATE TABLE motor_carrier.notice_delivery (
    notice_id uuid PRIMARY KEY REFERENCES motor_carrier.recipient_notice,
    address text NOT NULL,
    state text NOT NULL CHECK (state IN ('BY_PERSON', 'WAITING', 'SENT', 'GIVEN_UP')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt timestamptz,
    leased_until timestamptz,
    intent_id uuid,                         -- of the notice in audit's log, once it is there
    receipt bytea,                          -- alpr.type.v1.AuditReceipt of it; goes with the letter
    CHECK ((state = 'WAITING') = (next_attempt IS NOT NULL)),
    CHECK ((intent_id IS NULL) = (receipt IS NULL))
);
COMMENT ON TABLE motor_carrier.notice_delivery IS 'kept: addresses of recipients';
CREATE INDEX notice_delivery_due ON motor_carrier.notice_delivery (next_attempt) WHERE state = 'WAITING';

-- Every attempt, for ever. UNKNOWN: who tried did not say how it ended; the letter may have left.
CREATE TABLE motor_carrier.notice_attempt (
    notice_id uuid NOT NULL REFERENCES motor_carrier.notice_delivery,
    attempt integer NOT NULL,
    attempt_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    result text CHECK (result IN ('SENT', 'PUT_OFF', 'REFUSED', 'UNKNOWN')),
    problem text NOT NULL DEFAULT '',
    logged boolean NOT NULL DEFAULT false,
    PRIMARY KEY (notice_id, attempt)
);
COMMENT ON TABLE motor_carrier.notice_attempt IS 'kept: attempts to tell recipients';
CREATE INDEX notice_attempt_to_log ON motor_carrier.notice_attempt (attempt_time) WHERE result IS NOT NULL AND NOT logged;

-- Notices that nobody has looked at yet, with their recipients (alpr.search.v1.Recipient).
CREATE FUNCTION motor_carrier.notices_to_plan(most integer) RETURNS TABLE (notice_id uuid, recipient bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT n.notice_id, d.recipient
      FROM motor_carrier.recipient_notice AS n
      JOIN motor_carrier.dissemination AS d ON d.dissemination_id = n.dissemination_id
     WHERE n.told_time IS NULL
       AND NOT EXISTS (SELECT FROM motor_carrier.notice_delivery AS p WHERE p.notice_id = n.notice_id)
     ORDER BY n.notice_number LIMIT most;
END;

-- Has a notice sent to the address from now on; without one a person tells the recipient. Once for each notice.
CREATE FUNCTION motor_carrier.plan_delivery(notice uuid, address text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    INSERT INTO motor_carrier.notice_delivery (notice_id, address, state, next_attempt)
    VALUES (notice, address, CASE address WHEN '' THEN 'BY_PERSON' ELSE 'WAITING' END,
            CASE address WHEN '' THEN NULL ELSE clock_timestamp() END)
        ON CONFLICT (notice_id) DO NOTHING;
END;

-- Takes the notice that is due longest, for `lease` from now, and gives all that its letter says; nothing when none is.
CREATE FUNCTION motor_carrier.claim_delivery(lease interval)
RETURNS TABLE (
    notice_id uuid, attempt integer, address text, kind text, statement text, notice_time timestamptz,
    dissemination_id uuid, agency_ori text, recipient bytea, format text, file_sha256 bytea, made_time timestamptz,
    due_time timestamptz, receipt bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
#variable_conflict use_column
DECLARE
    taken motor_carrier.notice_delivery;
BEGIN
    SELECT p.* INTO taken
      FROM motor_carrier.notice_delivery AS p
      JOIN motor_carrier.recipient_notice AS n ON n.notice_id = p.notice_id
     WHERE p.state = 'WAITING' AND p.next_attempt <= clock_timestamp() AND n.told_time IS NULL
       AND coalesce(p.leased_until, '-infinity') <= clock_timestamp()
     ORDER BY p.next_attempt
     LIMIT 1 FOR UPDATE OF p SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE motor_carrier.notice_attempt AS a SET result = 'UNKNOWN'
     WHERE a.notice_id = taken.notice_id AND a.result IS NULL;
    UPDATE motor_carrier.notice_delivery AS p
       SET attempts = p.attempts + 1, leased_until = clock_timestamp() + lease
     WHERE p.notice_id = taken.notice_id;
    INSERT INTO motor_carrier.notice_attempt (notice_id, attempt) VALUES (taken.notice_id, taken.attempts + 1);
    RETURN QUERY
    SELECT taken.notice_id, taken.attempts + 1, taken.address, n.kind, n.statement, n.notice_time,
           d.dissemination_id, d.agency_ori, d.recipient, d.format, d.file_sha256, d.made_time, d.due_time,
           taken.receipt
      FROM motor_carrier.recipient_notice AS n
      JOIN motor_carrier.dissemination AS d ON d.dissemination_id = n.dissemination_id
     WHERE n.notice_id = taken.notice_id;
END
$$;

-- Notes that audit's log has the notice, with the proof that goes with every letter; the first stays.
CREATE FUNCTION motor_carrier.notice_is_recorded(notice uuid, intent uuid, receipt bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    UPDATE motor_carrier.notice_delivery AS p SET intent_id = intent, receipt = notice_is_recorded.receipt
     WHERE p.notice_id = notice AND p.intent_id IS NULL;
END;

-- Gives a notice back that could not even be tried; the attempt does not count.
CREATE FUNCTION motor_carrier.put_back_delivery(notice uuid, number integer, next_time timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    DELETE FROM motor_carrier.notice_attempt AS a
     WHERE a.notice_id = notice AND a.attempt = number AND a.result IS NULL;
    UPDATE motor_carrier.notice_delivery AS p
       SET attempts = p.attempts - 1, next_attempt = next_time, leased_until = NULL
     WHERE p.notice_id = notice AND p.attempts = number AND p.state = 'WAITING';
END
$$;

-- How an attempt ended: SENT; PUT_OFF to `next_time`; REFUSED for good, or once too often, when that is null. With SENT
-- the recipient counts as told.
CREATE FUNCTION motor_carrier.end_delivery(
    notice uuid, number integer, ended text, problem text, next_time timestamptz, statement text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
BEGIN
    UPDATE motor_carrier.notice_attempt AS a SET result = ended, problem = end_delivery.problem
     WHERE a.notice_id = notice AND a.attempt = number AND a.result IS NULL;
    IF NOT FOUND THEN
        RETURN;                 -- the lease ended first, and somebody else tries
    END IF;
    UPDATE motor_carrier.notice_delivery AS p
       SET state = CASE WHEN ended = 'SENT' THEN 'SENT' WHEN next_time IS NULL THEN 'GIVEN_UP' ELSE 'WAITING' END,
           next_attempt = CASE WHEN ended = 'SENT' THEN NULL ELSE next_time END, leased_until = NULL
     WHERE p.notice_id = notice AND p.state = 'WAITING';
    IF ended = 'SENT' THEN
        UPDATE motor_carrier.recipient_notice AS n
           SET told_time = clock_timestamp(), told_statement = end_delivery.statement, told_intent_id = p.intent_id
          FROM motor_carrier.notice_delivery AS p
         WHERE n.notice_id = notice AND p.notice_id = notice AND n.told_time IS NULL;
    END IF;
END
$$;

-- Attempts that ended and that audit's log may not have.
CREATE FUNCTION motor_carrier.attempts_to_log(most integer)
RETURNS TABLE (notice_id uuid, attempt integer, attempt_time timestamptz, result text, problem text, agency_ori text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT a.notice_id, a.attempt, a.attempt_time, a.result, a.problem, d.agency_ori
      FROM motor_carrier.notice_attempt AS a
      JOIN motor_carrier.recipient_notice AS n ON n.notice_id = a.notice_id
      JOIN motor_carrier.dissemination AS d ON d.dissemination_id = n.dissemination_id
     WHERE a.result IS NOT NULL AND NOT a.logged
     ORDER BY a.attempt_time LIMIT most;
END;

CREATE FUNCTION motor_carrier.attempt_is_logged(notice uuid, number integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    UPDATE motor_carrier.notice_attempt AS a SET logged = true WHERE a.notice_id = notice AND a.attempt = number;
END;

-- How the letters of these notices fare.
CREATE FUNCTION motor_carrier.deliveries_of(notices uuid[])
RETURNS TABLE (notice_id uuid, state text, attempts integer, last_attempt timestamptz, next_attempt timestamptz,
               problem text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = motor_carrier, pg_temp
BEGIN ATOMIC
    SELECT p.notice_id, CASE WHEN n.told_time IS NOT NULL AND p.state = 'WAITING' THEN 'BY_PERSON' ELSE p.state END,
           p.attempts, a.attempt_time, CASE WHEN n.told_time IS NULL THEN p.next_attempt END, coalesce(a.problem, '')
      FROM motor_carrier.notice_delivery AS p
      JOIN motor_carrier.recipient_notice AS n ON n.notice_id = p.notice_id
      LEFT JOIN motor_carrier.notice_attempt AS a ON a.notice_id = p.notice_id AND a.attempt = p.attempts
     WHERE p.notice_id = ANY (notices);
END;

-- Has a notice of an agency sent at once, to `other_address` where one is given; gives how it stands: NONE (the agency
-- has no such notice), TOLD (already), NO_ADDRESS, WAITING.
CREATE FUNCTION motor_carrier.resend_notice(wanted_id uuid, wanted_agency text, other_address text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    notice record;
BEGIN
    SELECT n.told_time, p.address INTO notice
      FROM motor_carrier.recipient_notice AS n
      JOIN motor_carrier.dissemination AS d ON d.dissemination_id = n.dissemination_id
      LEFT JOIN motor_carrier.notice_delivery AS p ON p.notice_id = n.notice_id
     WHERE n.notice_id = wanted_id AND d.agency_ori = wanted_agency;
    IF NOT FOUND THEN
        RETURN 'NONE';
    ELSIF notice.told_time IS NOT NULL THEN
        RETURN 'TOLD';
    ELSIF coalesce(nullif(other_address, ''), notice.address, '') = '' THEN
        RETURN 'NO_ADDRESS';
    END IF;
    INSERT INTO motor_carrier.notice_delivery AS p (notice_id, address, state, next_attempt)
    VALUES (wanted_id, other_address, 'WAITING', clock_timestamp())
        ON CONFLICT (notice_id) DO UPDATE
       SET address = coalesce(nullif(other_address, ''), p.address), state = 'WAITING',
           next_attempt = clock_timestamp();
    RETURN 'WAITING';
END
$$;

REVOKE ALL ON FUNCTION
    motor_carrier.notices_to_plan(integer), motor_carrier.plan_delivery(uuid, text), motor_carrier.claim_delivery(interval),
    motor_carrier.notice_is_recorded(uuid, uuid, bytea), motor_carrier.put_back_delivery(uuid, integer, timestamptz),
    motor_carrier.end_delivery(uuid, integer, text, text, timestamptz, text), motor_carrier.attempts_to_log(integer),
    motor_carrier.attempt_is_logged(uuid, integer), motor_carrier.deliveries_of(uuid[]), motor_carrier.resend_notice(uuid, text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    motor_carrier.notices_to_plan(integer), motor_carrier.plan_delivery(uuid, text), motor_carrier.claim_delivery(interval),
    motor_carrier.notice_is_recorded(uuid, uuid, bytea), motor_carrier.put_back_delivery(uuid, integer, timestamptz),
    motor_carrier.end_delivery(uuid, integer, text, text, timestamptz, text), motor_carrier.attempts_to_log(integer),
    motor_carrier.attempt_is_logged(uuid, integer), motor_carrier.deliveries_of(uuid[]), motor_carrier.resend_notice(uuid, text, text)
    TO search_mcs_register;

RESET ROLE;
