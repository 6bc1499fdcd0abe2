-- The unit of its agency that a sensor belongs to; '' for none, as all that were registered before. Like the id it never changes.
SET LOCAL ROLE audit_owner;

ALTER TABLE audit.sensor ADD COLUMN unit text NOT NULL DEFAULT '' CHECK (length(unit) <= 200);

RESET ROLE;
