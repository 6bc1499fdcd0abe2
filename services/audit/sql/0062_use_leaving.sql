-- For the report on a data set's use: what left it (ENF-051 III.E.2).
SET LOCAL ROLE audit_owner;

CREATE INDEX log_field_motor_carrier_left ON audit.log_field (log_index)
    WHERE name = 'action' AND value LIKE 'mcs_dissemination.%';

RESET ROLE;
