-- Hot lists of the Motor Carrier Safety system have sources of their own: 5 federal DOT, 6 ICC (ENF-051 II.H).
SET LOCAL ROLE alerts_owner;

ALTER TABLE alerts.hit DROP CONSTRAINT hit_source_check;
ALTER TABLE alerts.hit ADD CONSTRAINT hit_source_check CHECK (source BETWEEN 1 AND 6);

RESET ROLE;
