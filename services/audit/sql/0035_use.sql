-- For the report on a data set's use: every kind of question to it counts, those that came later as well.
SET LOCAL ROLE audit_owner;

DROP INDEX audit.log_field_motor_carrier;
CREATE INDEX log_field_motor_carrier ON audit.log_field (log_index)
    WHERE name = 'action' AND value LIKE 'question.mcs%';

RESET ROLE;
