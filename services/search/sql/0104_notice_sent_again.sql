-- A notice that a person has sent again while a letter was on its way stays due, whatever becomes of that letter
-- (ENF-051 III.B.3.n); 0101_notice_delivery.sql and 0103_motor_carrier_notices.sql put it off or gave it up.
SET LOCAL ROLE archive_owner;

CREATE OR REPLACE FUNCTION archive.end_delivery(
    notice uuid, number integer, ended text, problem text, next_time timestamptz, statement text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = archive, pg_temp AS $$
DECLARE
    begun timestamptz;
BEGIN
    UPDATE archive.notice_attempt AS a SET result = ended, problem = end_delivery.problem
     WHERE a.notice_id = notice AND a.attempt = number AND a.result IS NULL
    RETURNING a.attempt_time INTO begun;
    IF NOT FOUND THEN
        RETURN;                 -- the lease ended first, and somebody else tries
    END IF;
    -- An attempt begins when it is due: what is due later than that was sent again meanwhile.
    UPDATE archive.notice_delivery AS p
       SET state = CASE WHEN ended = 'SENT' THEN 'SENT'
                        WHEN next_time IS NULL AND p.next_attempt <= begun THEN 'GIVEN_UP' ELSE 'WAITING' END,
           next_attempt = CASE WHEN ended = 'SENT' THEN NULL
                               WHEN p.next_attempt > begun THEN p.next_attempt ELSE next_time END,
           leased_until = NULL
     WHERE p.notice_id = notice AND p.state = 'WAITING';
    IF ended = 'SENT' THEN
        UPDATE archive.recipient_notice AS n
           SET told_time = clock_timestamp(), told_statement = end_delivery.statement, told_intent_id = p.intent_id
          FROM archive.notice_delivery AS p
         WHERE n.notice_id = notice AND p.notice_id = notice AND n.told_time IS NULL;
    END IF;
END
$$;

SET LOCAL ROLE motor_carrier_owner;

CREATE OR REPLACE FUNCTION motor_carrier.end_delivery(
    notice uuid, number integer, ended text, problem text, next_time timestamptz, statement text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = motor_carrier, pg_temp AS $$
DECLARE
    begun timestamptz;
BEGIN
    UPDATE motor_carrier.notice_attempt AS a SET result = ended, problem = end_delivery.problem
     WHERE a.notice_id = notice AND a.attempt = number AND a.result IS NULL
    RETURNING a.attempt_time INTO begun;
    IF NOT FOUND THEN
        RETURN;                 -- the lease ended first, and somebody else tries
    END IF;
    -- An attempt begins when it is due: what is due later than that was sent again meanwhile.
    UPDATE motor_carrier.notice_delivery AS p
       SET state = CASE WHEN ended = 'SENT' THEN 'SENT'
                        WHEN next_time IS NULL AND p.next_attempt <= begun THEN 'GIVEN_UP' ELSE 'WAITING' END,
           next_attempt = CASE WHEN ended = 'SENT' THEN NULL
                               WHEN p.next_attempt > begun THEN p.next_attempt ELSE next_time END,
           leased_until = NULL
     WHERE p.notice_id = notice AND p.state = 'WAITING';
    IF ended = 'SENT' THEN
        UPDATE motor_carrier.recipient_notice AS n
           SET told_time = clock_timestamp(), told_statement = end_delivery.statement, told_intent_id = p.intent_id
          FROM motor_carrier.notice_delivery AS p
         WHERE n.notice_id = notice AND p.notice_id = notice AND n.told_time IS NULL;
    END IF;
END
$$;

RESET ROLE;
