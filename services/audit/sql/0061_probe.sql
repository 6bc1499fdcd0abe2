-- Acts that decide whose reads people see, for probes of effective access, which believe the log and no table.
SET LOCAL ROLE audit_owner;

CREATE INDEX log_field_access ON audit.log_field (log_index)
    WHERE name = 'action' AND value IN ('agreement.accept', 'agreement.end', 'account.vet', 'account.unvet');

RESET ROLE;
